"""Envelope encryption: each credential under a data key of its own, which the vault key wraps.

Both layers are AES-256-GCM. A credential's associated data are its organization, its id and its
version, so that a sealed credential cannot be passed off as another one or as another version.
Changing the vault key means wrapping the data keys anew; no credential is decrypted for that.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tameflare_core.errors import VaultError
from tameflare_core.vault.keyring import NONCE_LENGTH, KeyEncryptionKey
from tameflare_core.vault.secret import Secret

__all__ = ["SealedCredential", "open_sealed", "seal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedCredential:
    """An encrypted credential; useless to whoever lacks the vault key.

    Attributes:
        version: 1 for a new credential, one more each time that it changes.
        key_id: the id of the vault key that wrapped its data key.
        wrapped_key: its data key: nonce and ciphertext.
        ciphertext: the credential: nonce and ciphertext.
    """

    version: int
    key_id: str
    wrapped_key: bytes
    ciphertext: bytes

    def to_dict(self) -> dict[str, str | int]:
        """As plain values for JSON, bytes as base64."""
        return {
            "version": self.version,
            "key_id": self.key_id,
            "wrapped_key": base64.b64encode(self.wrapped_key).decode("ascii"),
            "ciphertext": base64.b64encode(self.ciphertext).decode("ascii"),
        }

    @classmethod
    def from_dict(cls, values: object) -> Self:
        """Read what `to_dict` made.

        Raises:
            VaultError: it is anything else.
        """
        match values:
            case {
                "version": int(version),
                "key_id": str(key_id),
                "wrapped_key": str(wrapped_key),
                "ciphertext": str(ciphertext),
                **rest,
            } if version >= 1 and not isinstance(version, bool) and not rest:
                return cls(
                    version=version,
                    key_id=key_id,
                    wrapped_key=_from_base64(wrapped_key),
                    ciphertext=_from_base64(ciphertext),
                )
        raise _damaged()


def seal(
    secret: Secret, key: KeyEncryptionKey, *, org: str, credential: str, version: int
) -> SealedCredential:
    """Encrypt a credential under a fresh data key.

    Args:
        secret: the credential.
        key: the vault key.
        org: the organization it belongs to.
        credential: its id within the organization.
        version: 1 or more.
    """
    data_key = AESGCM.generate_key(bit_length=256)
    nonce = secrets.token_bytes(NONCE_LENGTH)
    bound = _associated_data(org, credential, version)
    plaintext = secret.reveal().encode("utf-8", "surrogatepass")
    return SealedCredential(
        version=version,
        key_id=key.id,
        wrapped_key=key.wrap(data_key),
        ciphertext=nonce + AESGCM(data_key).encrypt(nonce, plaintext, bound),
    )


def open_sealed(
    sealed: SealedCredential, key: KeyEncryptionKey, *, org: str, credential: str
) -> Secret:
    """Decrypt a credential.

    Args:
        sealed: what `seal` made.
        key: the vault key.
        org: the organization it was sealed for.
        credential: the id it was sealed under.

    Raises:
        VaultError: anything of it is damaged, the key is another one, or it was sealed for another
            organization, credential or version. Which of these is not said.
    """
    bound = _associated_data(org, credential, sealed.version)
    nonce, ciphertext = sealed.ciphertext[:NONCE_LENGTH], sealed.ciphertext[NONCE_LENGTH:]
    try:
        if sealed.key_id != key.id:
            raise _damaged()
        data_key = key.unwrap(sealed.wrapped_key)
        plaintext = AESGCM(data_key).decrypt(nonce, ciphertext, bound)
    except (VaultError, InvalidTag, ValueError):
        raise _damaged() from None
    return Secret(plaintext.decode("utf-8", "surrogatepass"))


def _associated_data(org: str, credential: str, version: int) -> bytes:
    # Each part goes in with its length, so that none can run over into the next.
    parts = [part.encode() for part in ("tameflare credential 1", org, credential, str(version))]
    return b"".join(len(part).to_bytes(8) + part for part in parts)


def _from_base64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise _damaged() from None
    # The last digit of base64 may hold bits that mean nothing; only one spelling is taken.
    if base64.b64encode(data).decode("ascii") != text:
        raise _damaged()
    return data


def _damaged() -> VaultError:
    return VaultError("the sealed credential cannot be opened")
