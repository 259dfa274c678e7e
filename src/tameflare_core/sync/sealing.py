"""Credentials on their way to a gateway: sealed so that only its token opens them."""

from __future__ import annotations

import base64
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tameflare_core.errors import VaultError
from tameflare_core.vault.secret import Secret

__all__ = ["derived_key", "open_for_token", "seal_for_token"]

_PURPOSE = "tameflare gateway credential 1"
_NONCE = 12


def derived_key(token: str, purpose: str) -> bytes:
    """A key of 32 bytes that only the holder of a token can make (HKDF, RFC 5869).

    Args:
        token: the gateway's; random enough that no salt is needed.
        purpose: tells this key from every other one of the token.
    """
    return HKDF(SHA256(), length=32, salt=None, info=purpose.encode()).derive(token.encode())


def seal_for_token(token: str, secret: Secret, *, gateway: str, name: str, version: int) -> str:
    """Seal a credential for one gateway.

    Args:
        token: the gateway's.
        secret: the credential.
        gateway: the gateway's id.
        name: what the credential is called.
        version: which value of it this is.

    Returns:
        Nonce and ciphertext, as base64.
    """
    nonce = secrets.token_bytes(_NONCE)
    cipher = AESGCM(derived_key(token, _PURPOSE))
    plaintext = secret.reveal().encode("utf-8", "surrogatepass")
    sealed = cipher.encrypt(nonce, plaintext, _bound(gateway, name, version))
    return base64.b64encode(nonce + sealed).decode("ascii")


def open_for_token(token: str, sealed: str, *, gateway: str, name: str, version: int) -> Secret:
    """Open what `seal_for_token` made.

    Raises:
        VaultError: it is damaged, or was sealed for another token, gateway, name or version.
    """
    try:
        data = base64.b64decode(sealed, validate=True)
        cipher = AESGCM(derived_key(token, _PURPOSE))
        plaintext = cipher.decrypt(data[:_NONCE], data[_NONCE:], _bound(gateway, name, version))
    except (InvalidTag, ValueError):
        raise VaultError("the credential cannot be opened") from None
    return Secret(plaintext.decode("utf-8", "surrogatepass"))


def _bound(gateway: str, name: str, version: int) -> bytes:
    # Each part goes in with its length, so that none can run over into the next.
    parts = [part.encode() for part in (_PURPOSE, gateway, name, str(version))]
    return b"".join(len(part).to_bytes(8) + part for part in parts)
