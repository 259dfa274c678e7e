from __future__ import annotations

import socket
import ssl
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from OpenSSL import SSL

from tameflare_proxy.authority import Authority
from tameflare_proxy.tls import ClientTls, upstream_connection
from tests.proxy.origin import Vendor
from tests.proxy.running import in_thread


def pumped(connection: SSL.Connection, wire: socket.socket) -> None:
    """Do the handshake of `connection`, which has no socket of its own, over `wire`."""
    while True:
        try:
            connection.do_handshake()
        except SSL.WantReadError:
            finished = False
        except SSL.Error:
            wire.shutdown(socket.SHUT_RDWR)
            raise
        else:
            finished = True
        try:
            while True:
                wire.sendall(connection.bio_read(65536))
        except SSL.WantReadError:
            pass
        if finished:
            return
        data = wire.recv(65536)
        if not data:
            raise ConnectionError("closed during the handshake")
        connection.bio_write(data)


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair()
    with left, right:
        left.settimeout(10)
        right.settimeout(10)
        yield left, right


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.load_or_create(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def client_tls(authority: Authority) -> ClientTls:
    return ClientTls(authority)


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.certificate_pem.decode())


def served(
    client_tls: ClientTls, host: str, context: ssl.SSLContext, name: str | None = None
) -> ssl.SSLSocket:
    with pair() as (left, right):
        server = in_thread(lambda: pumped(client_tls.connection(host), left))
        try:
            client = context.wrap_socket(right.dup(), server_hostname=name or host.strip("[]"))
        except BaseException:
            assert server.exception(10) is not None
            raise
        server.result(10)
        return client


@pytest.mark.parametrize("host", ["api.example", "127.0.0.1", "[::1]"])
def test_client_sees_a_certificate_for_its_host(client_tls, authority, host) -> None:
    with served(client_tls, host, trusting(authority)) as client:
        assert client.version() == "TLSv1.3"


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [(["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1"), (["spdy"], None), ([], None)],
)
def test_first_known_protocol_is_chosen(client_tls, authority, offered, chosen) -> None:
    context = trusting(authority)
    if offered:
        context.set_alpn_protocols(offered)
    with served(client_tls, "api.example", context) as client:
        assert client.selected_alpn_protocol() == chosen


def test_old_tls_is_refused_towards_clients(client_tls, authority) -> None:
    context = trusting(authority)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        served(client_tls, "api.example", context)


def test_contexts_are_kept_within_bounds(client_tls, monkeypatch) -> None:
    monkeypatch.setattr("tameflare_proxy.tls._MAX_CONTEXTS", 4)
    for number in range(10):
        client_tls.connection(f"a{number}.example")
    assert len(client_tls._contexts) <= 4


@pytest.fixture
def verified(vendor: Vendor) -> Callable[..., SSL.Connection]:
    def verify(
        certified: str,
        host: str,
        ca_file: Path | None = vendor.ca_file,
        *,
        maximum: ssl.TLSVersion | None = None,
        issuer: Vendor = vendor,
    ) -> SSL.Connection:
        context = issuer.context(certified)
        if maximum is not None:
            context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = ssl.TLSVersion.TLSv1
                context.maximum_version = maximum
        connection = upstream_connection(host, ca_file, [b"http/1.1"])
        with pair() as (left, right):
            server = in_thread(lambda: context.wrap_socket(left.dup(), server_side=True).close())
            try:
                pumped(connection, right)
            finally:
                right.shutdown(socket.SHUT_RDWR)
                server.exception(10)
        return connection

    return verify


@pytest.mark.parametrize(
    ("certified", "host"),
    [
        ("api.example", "api.example"),
        ("*.api.example", "a.api.example"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "::1"),
    ],
)
def test_certificate_of_the_host_is_accepted(verified, certified, host) -> None:
    assert verified(certified, host).get_alpn_proto_negotiated() == b"http/1.1"


@pytest.mark.parametrize(
    ("certified", "host"),
    [
        ("other.example", "api.example"),
        ("api.example", "x.api.example"),
        ("*.api.example", "api.example"),
        ("*.api.example", "a.b.api.example"),
        ("a*.api.example", "ab.api.example"),
        ("127.0.0.1", "127.0.0.2"),
        ("localhost", "127.0.0.1"),
        ("127.0.0.1", "localhost"),
    ],
)
def test_certificate_of_another_host_is_refused(verified, certified, host) -> None:
    with pytest.raises(SSL.Error, match="verify failed"):
        verified(certified, host)


def test_anchor_of_one_connector_is_none_of_another(verified, vendor, tmp_path) -> None:
    other = Vendor(tmp_path / "other")
    assert verified("api.example", "api.example", other.ca_file, issuer=other)
    with pytest.raises(SSL.Error, match="verify failed"):
        verified("api.example", "api.example", vendor.ca_file, issuer=other)
    with pytest.raises(SSL.Error, match="verify failed"):
        verified("api.example", "api.example", None, issuer=other)


def test_old_tls_is_refused_towards_upstreams(verified) -> None:
    with pytest.raises((SSL.Error, ConnectionError)):
        verified("api.example", "api.example", maximum=ssl.TLSVersion.TLSv1_1)
