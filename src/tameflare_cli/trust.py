"""The trust anchors of a child: the system's roots and the gateway's authority, in every form.

Everything lies in the run's own folder, which only its user can read and which goes when it ends.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

from tameflare_cli.exit_codes import CommandFailed, ExitCode

__all__ = ["JAVA_STORE_PASSWORD", "TrustFiles", "read_authority", "write_trust"]

JAVA_STORE_PASSWORD = "tameflare"  # noqa: S105  # nothing in a trust store is secret
"""The password of the Java trust store, which Java wants to check that it is whole."""

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustFiles:
    """Where a child finds its trust anchors.

    Attributes:
        bundle: the system's roots and the authority, PEM.
        no_roots: an empty folder, for `SSL_CERT_DIR`: OpenSSL reads that folder besides the bundle,
            and left unset it would be the system's.
        java_store: the same anchors as `bundle`, PKCS#12.
    """

    bundle: Path
    no_roots: Path
    java_store: Path


def read_authority(path: Path) -> bytes:
    """The certificate of a gateway's authority, PEM.

    Raises:
        CommandFailed: there is none in that file.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        message = f"the authority's certificate `{path}` cannot be read: {error.strerror}"
        raise CommandFailed(
            ExitCode.BAD_CONFIG, message, "take the file that `tf gateway` names"
        ) from None
    certificates = _CERTIFICATE.findall(data)
    if not certificates:
        raise CommandFailed(
            ExitCode.BAD_CONFIG,
            f"`{path}` holds no PEM certificate",
            "take the file that `tf gateway` names",
        )
    return b"\n".join(certificates) + b"\n"


def write_trust(folder: Path, authority: bytes, roots: Path, *, cache: Path) -> TrustFiles:
    """Write the trust anchors of one run.

    Args:
        folder: the run's own.
        authority: the gateway's certificate, PEM.
        roots: the file of the system's roots, PEM.
        cache: where Java trust stores are kept from run to run, since making one takes longer than
            everything else about a run.
    """
    anchors = [*_CERTIFICATE.findall(roots.read_bytes()), *_CERTIFICATE.findall(authority)]
    content = b"\n".join(anchors) + b"\n"
    bundle = folder / "ca-bundle.pem"
    bundle.write_bytes(content)
    no_roots = folder / "no-roots"
    no_roots.mkdir()
    return TrustFiles(
        bundle=bundle, no_roots=no_roots, java_store=_java_store(anchors, content, cache)
    )


def _java_store(anchors: list[bytes], content: bytes, cache: Path) -> Path:
    path = cache / f"java-{hashlib.sha256(content).hexdigest()[:32]}.p12"
    if not path.is_file():
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Another run may be writing the same store: each writes its own file and renames it.
        handle, name = tempfile.mkstemp(dir=cache)
        with os.fdopen(handle, "wb") as file:
            file.write(_pkcs12(anchors))
        Path(name).replace(path)
    return path


def _pkcs12(anchors: list[bytes]) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

    certificates = []
    for number, anchor in enumerate(anchors):
        try:
            # Some roots break rules that came after them, which the library warns of.
            with warnings.catch_warnings(action="ignore"):
                certificate = x509.load_pem_x509_certificate(anchor)
        except ValueError:
            continue
        alias = f"anchor-{number}".encode()
        certificates.append(pkcs12.PKCS12Certificate(certificate, alias))
    return pkcs12.serialize_java_truststore(
        certificates, BestAvailableEncryption(JAVA_STORE_PASSWORD.encode())
    )
