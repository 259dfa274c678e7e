from __future__ import annotations

import os
import socket
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from tameflare_core.errors import ConfigError
from tameflare_proxy.authority import MAX_LEAVES, Authority, Leaf
from tests.at_once import run_at_once

LONG = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])
HOSTS = [
    "api.github.com",
    "under_score.example",
    "xn--bcher-kva.example",
    LONG,
    "127.0.0.1",
    "[::1]",
]


class Clock:
    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authority(tmp_path: Path, clock: Clock) -> Authority:
    return Authority.load_or_create(tmp_path / "authority", now=clock)


def own_certificate(authority: Authority) -> x509.Certificate:
    return x509.load_pem_x509_certificate(authority.certificate_pem)


def extension[E: x509.ExtensionType](
    certificate: x509.Certificate, kind: type[E], *, critical: bool
) -> E:
    found = certificate.extensions.get_extension_for_class(kind)
    assert found.critical is critical
    return found.value


@contextmanager
def tls_server(leaf: Leaf, folder: Path, address: str = "127.0.0.1") -> Iterator[int]:
    """A server with `leaf` that answers each connection with one HTTP response; its port."""
    pem = folder / "leaf.pem"
    pem.write_bytes(
        leaf.certificate.public_bytes(serialization.Encoding.PEM)
        + leaf.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.create_server((address, 0), family=family)
    listener.settimeout(0.1)
    stopping = threading.Event()

    def serve() -> None:
        while not stopping.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            connection.settimeout(10)
            try:
                with context.wrap_socket(connection, server_side=True) as tls:
                    tls.recv(4096)
                    tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            except OSError:
                connection.close()  # the client did not like the certificate

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stopping.set()
        thread.join(15)
        listener.close()


def fetch(context: ssl.SSLContext, address: str, port: int, name: str) -> bytes:
    with (
        socket.create_connection((address, port), timeout=10) as connection,
        context.wrap_socket(connection, server_hostname=name) as tls,
    ):
        tls.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        return tls.recv(4096)


def strict_context(authority: Authority) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.certificate_path))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


@pytest.mark.parametrize("host", HOSTS)
def test_strict_client_trusts_the_leaf(host: str, authority: Authority, tmp_path: Path) -> None:
    address = "::1" if host == "[::1]" else "127.0.0.1"
    with tls_server(authority.leaf(host), tmp_path, address) as port:
        answer = fetch(strict_context(authority), address, port, host.strip("[]"))
    assert answer.endswith(b"ok")


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("api.github.com", "github.com"),
        ("github.com", "api.github.com"),
        ("127.0.0.1", "127.0.0.2"),
        ("127.0.0.1", "localhost"),
    ],
)
def test_leaf_is_good_for_no_other_name(
    host: str, name: str, authority: Authority, tmp_path: Path
) -> None:
    with (
        tls_server(authority.leaf(host), tmp_path) as port,
        pytest.raises(ssl.SSLCertVerificationError, match="mismatch"),
    ):
        fetch(strict_context(authority), "127.0.0.1", port, name)


def test_nobody_else_trusts_the_leaf(authority: Authority, tmp_path: Path) -> None:
    other = Authority.load_or_create(tmp_path / "other")
    with (
        tls_server(authority.leaf("api.github.com"), tmp_path) as port,
        pytest.raises(ssl.SSLCertVerificationError, match="issuer"),
    ):
        fetch(strict_context(other), "127.0.0.1", port, "api.github.com")


@pytest.mark.parametrize("host", HOSTS)
def test_curl_trusts_the_leaf(host: str, authority: Authority, tmp_path: Path) -> None:
    address = "[::1]" if host == "[::1]" else "127.0.0.1"
    with tls_server(authority.leaf(host), tmp_path, address.strip("[]")) as port:
        curl = subprocess.run(
            [
                *("curl", "-sS", "--noproxy", "*", "--cacert", authority.certificate_path),
                *("--connect-to", f"::{address}:{port}", f"https://{host}/"),
            ],
            capture_output=True,
            timeout=30,
        )
    assert (curl.stdout, curl.stderr) == (b"ok", b"")


def test_openssl_verifies_the_leaf_strictly(authority: Authority, tmp_path: Path) -> None:
    leaf = tmp_path / "leaf.pem"
    leaf.write_bytes(authority.leaf(LONG).certificate.public_bytes(serialization.Encoding.PEM))
    verify = subprocess.run(
        [
            *("openssl", "verify", "-x509_strict", "-purpose", "sslserver"),
            *("-CAfile", authority.certificate_path, leaf),
        ],
        capture_output=True,
        text=True,
    )
    assert verify.stdout == f"{leaf}: OK\n"


def test_authority_certificate_follows_the_profile(authority: Authority, clock: Clock) -> None:
    certificate = own_certificate(authority)
    constraints = extension(certificate, x509.BasicConstraints, critical=True)
    assert (constraints.ca, constraints.path_length) == (True, 0)
    usage = extension(certificate, x509.KeyUsage, critical=True)
    assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature) == (True, True, False)
    extension(certificate, x509.SubjectKeyIdentifier, critical=False)
    assert certificate.not_valid_before_utc <= clock.time - timedelta(hours=23)
    assert certificate.not_valid_after_utc >= clock.time + timedelta(days=3649)


@pytest.mark.parametrize("host", HOSTS)
def test_leaf_follows_the_profile(host: str, authority: Authority, clock: Clock) -> None:
    leaf = authority.leaf(host)
    certificate, issuer = leaf.certificate, own_certificate(authority)
    assert certificate.public_key() == leaf.key.public_key()
    assert certificate.subject == x509.Name([])
    assert certificate.issuer == issuer.subject
    (name,) = extension(certificate, x509.SubjectAlternativeName, critical=True)
    assert str(name.value) == host.strip("[]")
    assert not extension(certificate, x509.BasicConstraints, critical=True).ca
    usage = extension(certificate, x509.KeyUsage, critical=True)
    assert (usage.digital_signature, usage.key_cert_sign) == (True, False)
    purposes = extension(certificate, x509.ExtendedKeyUsage, critical=False)
    assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]
    extension(certificate, x509.SubjectKeyIdentifier, critical=False)
    own = extension(issuer, x509.SubjectKeyIdentifier, critical=False)
    named = extension(certificate, x509.AuthorityKeyIdentifier, critical=False)
    assert named.key_identifier == own.digest
    assert certificate.not_valid_before_utc == (clock.time - timedelta(days=1)).replace(
        microsecond=0
    )
    assert certificate.not_valid_after_utc == (clock.time + timedelta(days=7)).replace(
        microsecond=0
    )


def test_leaf_is_kept_until_a_day_before_its_end(authority: Authority, clock: Clock) -> None:
    first = authority.leaf("a.example")
    clock.time += timedelta(days=6) - timedelta(seconds=1)
    assert authority.leaf("a.example") is first
    clock.time += timedelta(seconds=2)
    second = authority.leaf("a.example")
    assert second.certificate.not_valid_after_utc > first.certificate.not_valid_after_utc
    assert authority.leaf("a.example") is second


def test_leaf_does_not_outlive_the_authority(authority: Authority, clock: Clock) -> None:
    end = own_certificate(authority).not_valid_after_utc
    clock.time = end - timedelta(days=2)
    assert authority.leaf("a.example").certificate.not_valid_after_utc == end


def test_least_recently_used_leaf_goes_first(authority: Authority) -> None:
    first, second = authority.leaf("first.example"), authority.leaf("second.example")
    for number in range(MAX_LEAVES - 2):
        authority.leaf(f"{number}.example")
    assert authority.leaf("first.example") is first
    authority.leaf("one-more.example")
    assert authority.leaf("first.example") is first
    assert authority.leaf("second.example") is not second


def test_threads_at_once_get_one_leaf(authority: Authority) -> None:
    barrier, seen = threading.Barrier(8), list[list[Leaf]]()

    def ask() -> None:
        barrier.wait(10)
        seen.append([authority.leaf(f"{number}.example") for number in range(50)])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    finally:
        sys.setswitchinterval(interval)
    assert len(seen) == 8
    assert all(leaves == seen[0] for leaves in seen)


def test_authority_is_made_once_and_privately(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "authority"
    before = os.umask(0)
    try:
        first = Authority.load_or_create(folder)
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "ca.key").stat().st_mode) == 0o600
    assert first.certificate_path == folder / "ca.pem"
    assert first.certificate_path.read_bytes() == first.certificate_pem
    assert Authority.load_or_create(folder).certificate_pem == first.certificate_pem


def test_two_authorities_have_names_of_their_own(authority: Authority, tmp_path: Path) -> None:
    other = Authority.load_or_create(tmp_path / "other")
    assert own_certificate(other).subject != own_certificate(authority).subject


def test_processes_that_start_at_once_make_one_authority(tmp_path: Path) -> None:
    seen = run_at_once(
        "from pathlib import Path; from tameflare_proxy.authority import Authority",
        "authority = Authority.load_or_create(Path(sys.argv[1]));"
        "authority.leaf('a.example'); print(authority.certificate_pem.decode())",
        [[tmp_path / "authority"]] * 6,
    )
    own = Authority.load_or_create(tmp_path / "authority").certificate_pem.decode()
    assert set(seen) == {f"{own}\n"}


def test_interrupted_creation_is_done_again(tmp_path: Path) -> None:
    folder = tmp_path / "authority"
    Authority.load_or_create(folder)
    (folder / "ca.pem").unlink()
    assert Authority.load_or_create(folder).leaf("a.example")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_key_open_to_others_is_refused(mode: int, authority: Authority) -> None:
    key = authority.certificate_path.with_name("ca.key")
    key.chmod(mode)
    with pytest.raises(ConfigError) as raised:
        Authority.load_or_create(key.parent)
    assert str(raised.value).startswith(f"{key}: ")
    assert f"`chmod 600 {key}`" in str(raised.value)


@pytest.mark.parametrize("file", ["ca.pem", "ca.key"])
@pytest.mark.parametrize("content", [b"", b"damaged"])
def test_damaged_file_says_what_to_do(file: str, content: bytes, authority: Authority) -> None:
    path = authority.certificate_path.with_name(file)
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"damaged, or not of one pair: remove it and .*/ca\.key"):
        Authority.load_or_create(path.parent)


def test_key_of_another_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    other = Authority.load_or_create(tmp_path / "other").certificate_path.with_name("ca.key")
    other.replace(authority.certificate_path.with_name("ca.key"))
    with pytest.raises(ConfigError, match="not of one pair"):
        Authority.load_or_create(authority.certificate_path.parent)


def test_absent_key_is_named(authority: Authority) -> None:
    key = authority.certificate_path.with_name("ca.key")
    key.unlink()
    with pytest.raises(ConfigError, match=f"^{key}: .*No such file"):
        Authority.load_or_create(key.parent)


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=f"^{tmp_path}/file.*Not a directory"):
        Authority.load_or_create(tmp_path / "file" / "authority")


def test_expired_authority_says_what_to_do(authority: Authority, clock: Clock) -> None:
    clock.time += timedelta(days=3651)
    with pytest.raises(ConfigError, match=r"expired: remove it and .* a new one is made"):
        Authority.load_or_create(authority.certificate_path.parent, now=clock)


def test_importing_it_does_not_load_mitmproxy() -> None:
    code = "import sys, tameflare_proxy.authority; sys.exit('mitmproxy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
