"""The local certificate authority: its key, and a leaf for every host that an agent speaks to.

Certificates follow RFC 5280 to the letter, because strict verifiers hold them to it: Python 3.13
sets `VERIFY_X509_STRICT`.
"""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tameflare_core.errors import ConfigError
from tameflare_core.private_files import locked, read_private, replace

__all__ = ["Authority", "Leaf"]

AUTHORITY_LIFETIME = timedelta(days=3650)
LEAF_LIFETIME = timedelta(days=7)
BACKDATED = timedelta(days=1)
"""How long a certificate has been valid when it is made, for clients whose clocks are behind."""

RENEWED_BEFORE_END = timedelta(days=1)
"""How long before its end a leaf is replaced, for connections that have just begun."""

MAX_LEAVES = 1024
"""Leaves kept in memory; the least recently used go first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A certificate for one host.

    Attributes:
        certificate: signed by the authority itself, so that no chain goes with it.
        key: its key, in memory only.
    """

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Authority:
    """A certificate authority that only its own machine trusts.

    Args:
        certificate: its own certificate.
        key: the key of that certificate.
        certificate_path: where the certificate is, as PEM.
        now: the current time, with a zone.
    """

    def __init__(
        self,
        certificate: x509.Certificate,
        key: ec.EllipticCurvePrivateKey,
        certificate_path: Path,
        *,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._certificate = certificate
        self._key = key
        self._certificate_path = certificate_path
        self._now = now
        self._leaves: OrderedDict[str, Leaf] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def load_or_create(cls, folder: Path, *, now: Callable[[], datetime] = _utc_now) -> Self:
        """The authority in `folder`, made there when there is none.

        Processes that start at the same time all get the same one.

        Args:
            folder: holds `ca.pem` and `ca.key`; it is made, for its owner alone, when it is not
                there.
            now: the current time, with a zone.

        Raises:
            ConfigError: a file cannot be read or made, others can read the key, or the two do not
                make an authority that is still valid; the message says what to do.
        """
        certificate_path, key_path = folder / "ca.pem", folder / "ca.key"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # The certificate is written last: where it is, the key is as well.
            if not certificate_path.exists():
                with locked(certificate_path):
                    if not certificate_path.exists():
                        _create(certificate_path, key_path, now())
            certificate_pem, key_pem = certificate_path.read_bytes(), read_private(key_path)
        except OSError as error:
            place = error.filename or folder
            raise ConfigError(f"{place}: certificate authority: {error.strerror}") from None
        pair = _loaded(certificate_pem, key_pem)
        if pair is None or pair[0].not_valid_after_utc <= now():
            what = "expired" if pair else "damaged, or not of one pair"
            raise ConfigError(
                f"{certificate_path}: certificate authority: {what}: remove it and {key_path}, and"
                " a new one is made"
            )
        certificate, key = pair
        return cls(certificate, key, certificate_path, now=now)

    @property
    def certificate_pem(self) -> bytes:
        """The authority's own certificate, which clients are to trust, as PEM."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def certificate_path(self) -> Path:
        """Where `certificate_pem` is kept."""
        return self._certificate_path

    def leaf(self, host: str) -> Leaf:
        """A certificate for `host`, the same one until it is about to expire.

        Args:
            host: canonical: A-labels, dotted IPv4 or bracketed IPv6.
        """
        with self._lock:
            leaf = self._leaves.get(host)
            if leaf is None or leaf.certificate.not_valid_after_utc - self._now() < (
                RENEWED_BEFORE_END
            ):
                leaf = self._leaves[host] = self._issue(host)
            self._leaves.move_to_end(host)
            if len(self._leaves) > MAX_LEAVES:
                self._leaves.popitem(last=False)
            return leaf

    def _issue(self, host: str) -> Leaf:
        key = ec.generate_private_key(ec.SECP256R1())
        now = self._now()
        issuer = self._certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        # The host stands in the alternative names alone: a common name ends at 64 characters. The
        # subject is empty then, and RFC 5280 section 4.2.1.6 wants the names to be critical.
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATED)
            .not_valid_after(min(now + LEAF_LIFETIME, self._certificate.not_valid_after_utc))
            .add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer.value),
                critical=False,
            )
        )
        return Leaf(certificate=builder.sign(self._key, hashes.SHA256()), key=key)


def _create(certificate_path: Path, key_path: Path, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    # Its own name for each authority: a client that trusts two tells them apart.
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "TameFlare"),
            x509.NameAttribute(
                NameOID.COMMON_NAME, f"TameFlare local authority {identifier.digest.hex()[:8]}"
            ),
        ]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    replace(key_path, key_pem)
    replace(certificate_path, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)


def _loaded(
    certificate_pem: bytes, key_pem: bytes
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        key = serialization.load_pem_private_key(key_pem, password=None)
        certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.ExtensionNotFound):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return None
    return (certificate, key) if key.public_key() == certificate.public_key() else None


def _key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host.removeprefix("[").removesuffix("]")))
    except ValueError:
        return x509.DNSName(host)
