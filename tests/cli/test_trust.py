"""The trust anchors of a child: what is in them, and that real programs take them."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import certifi
import pytest
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509 import load_pem_x509_certificate

from tameflare_cli.exit_codes import CommandFailed
from tameflare_cli.trust import (
    JAVA_STORE_PASSWORD,
    TrustFiles,
    read_authority,
    write_trust,
)


@pytest.fixture
def written(tmp_path: Path, authority_file: Path) -> TrustFiles:
    (tmp_path / "run").mkdir()
    authority = read_authority(authority_file)
    roots = Path(certifi.where())
    return write_trust(tmp_path / "run", authority, roots, cache=tmp_path / "cache")


def test_bundle_holds_the_roots_and_the_authority(
    written: TrustFiles, authority_file: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(written.bundle)
    names = [str(anchor["subject"]) for anchor in context.get_ca_certs()]
    assert len(names) > 50
    assert any("TameFlare local authority" in name for name in names)
    assert authority_file.read_bytes().strip() in written.bundle.read_bytes()


def test_folder_of_roots_is_empty(written: TrustFiles) -> None:
    assert list(written.no_roots.iterdir()) == []


@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # of a root of certifi's
def test_java_store_holds_what_the_bundle_holds(written: TrustFiles, authority_file: Path) -> None:
    store = pkcs12.load_pkcs12(written.java_store.read_bytes(), JAVA_STORE_PASSWORD.encode())
    held = {entry.certificate for entry in store.additional_certs}
    assert load_pem_x509_certificate(authority_file.read_bytes()) in held
    assert len(held) > 50


@pytest.mark.skipif(shutil.which("keytool") is None, reason="there is no Java here")
def test_java_takes_the_store(written: TrustFiles) -> None:
    listing = subprocess.run(
        ["keytool", "-list", "-keystore", written.java_store, "-storepass", JAVA_STORE_PASSWORD],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    # Without Java's own attribute the entries would be there, and be trusted for nothing.
    assert listing.count("trustedCertEntry") > 50


def test_java_store_is_kept_for_the_next_run(
    written: TrustFiles, tmp_path: Path, authority_file: Path
) -> None:
    before = written.java_store.stat()
    (tmp_path / "next").mkdir()
    again = write_trust(
        tmp_path / "next",
        read_authority(authority_file),
        Path(certifi.where()),
        cache=tmp_path / "cache",
    )
    assert again.java_store == written.java_store
    assert again.java_store.stat() == before


def test_only_certificates_are_taken_from_the_authoritys_file(
    tmp_path: Path, authority_file: Path
) -> None:
    key = (authority_file.parent / "ca.key").read_bytes()
    both = tmp_path / "both.pem"
    both.write_bytes(key + authority_file.read_bytes())
    assert b"PRIVATE" not in read_authority(both)


@pytest.mark.parametrize("content", [None, b"nothing"])
def test_file_without_certificate_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CommandFailed) as failure:
        read_authority(path)
    assert str(path) in failure.value.message
