"""The key-encryption key: what wraps the data keys of the vault, and where it is kept."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from pathlib import Path
from typing import Never, Self, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tameflare_core.errors import VaultError
from tameflare_core.folders import data_folder
from tameflare_core.private_files import create_once

__all__ = ["KEY_FILE", "KEY_VARIABLE", "NONCE_LENGTH", "KeyEncryptionKey", "load_key"]

KEY_VARIABLE = "TAMEFLARE_VAULT_KEY"
"""The environment variable that holds the key, as base64."""

KEY_FILE = "vault.key"
"""The key's file in the user's data folder."""

NONCE_LENGTH = 12
"""Bytes of a random nonce for AES-GCM (NIST SP 800-38D section 8.2.2)."""

_KEY_LENGTH = 32
_PURPOSE = b"tameflare data key 1:"


@final
class KeyEncryptionKey:
    """A key that encrypts nothing but other keys, and that no one gets to see.

    Args:
        key: 32 random bytes.

    Attributes:
        id: 16 hex digits that tell this key from another; no secret.

    Raises:
        VaultError: `key` has another length.
    """

    __slots__ = ("_cipher", "id")

    def __init__(self, key: bytes) -> None:
        if len(key) != _KEY_LENGTH:
            raise VaultError(f"a vault key has {_KEY_LENGTH} bytes, this one has {len(key)}")
        self._cipher = AESGCM(key)
        self.id = hashlib.sha256(b"tameflare vault key id 1:" + key).hexdigest()[:16]

    @classmethod
    def from_base64(cls, text: str | bytes) -> Self:
        """Read a key from base64, with or without white space around it.

        Raises:
            VaultError: it is not the base64 of 32 bytes; nothing of `text` is in the message.
        """
        try:
            key = base64.b64decode(text.strip(), validate=True)
        except ValueError:  # binascii.Error among them
            key = b""
        if len(key) != _KEY_LENGTH:
            raise VaultError(
                f"it is not the base64 of {_KEY_LENGTH} bytes: make one with"
                f" `openssl rand -base64 {_KEY_LENGTH}`"
            )
        return cls(key)

    def wrap(self, data_key: bytes) -> bytes:
        """Encrypt a data key; the result starts with its nonce."""
        nonce = secrets.token_bytes(NONCE_LENGTH)
        return nonce + self._cipher.encrypt(nonce, data_key, self._purpose)

    def unwrap(self, wrapped: bytes) -> bytes:
        """Decrypt what `wrap` made.

        Raises:
            VaultError: it is damaged, or was wrapped by another key.
        """
        nonce, ciphertext = wrapped[:NONCE_LENGTH], wrapped[NONCE_LENGTH:]
        try:
            return self._cipher.decrypt(nonce, ciphertext, self._purpose)
        except (InvalidTag, ValueError):
            raise VaultError("the data key cannot be unwrapped") from None

    @property
    def _purpose(self) -> bytes:
        return _PURPOSE + self.id.encode()

    def __repr__(self) -> str:
        return f"KeyEncryptionKey(id={self.id!r})"

    def __reduce_ex__(self, protocol: object) -> Never:
        raise TypeError("a vault key cannot be pickled or copied to another process")


def load_key(folder: Path | None = None) -> KeyEncryptionKey:
    """The vault key: from `TAMEFLARE_VAULT_KEY`, else from `vault.key`, made on first use.

    Args:
        folder: where the key file is; by default the user's data folder.

    Raises:
        VaultError: the variable or the file holds no key, or the file is readable by others or
            cannot be made; the message says what to do.
    """
    text = os.environ.get(KEY_VARIABLE)
    if text is not None:
        # Also when it is empty: a key file made in its stead would lock out whoever set it later.
        return _read(text, f"environment variable `{KEY_VARIABLE}`")
    path = Path(KEY_FILE)
    try:
        path = (data_folder() if folder is None else folder) / KEY_FILE
        content = create_once(path, _new_key)
    except OSError as error:
        raise VaultError(f"{path}: no vault key: {error.strerror}") from None
    return _read(content, str(path))


def _read(text: str | bytes, where: str) -> KeyEncryptionKey:
    try:
        return KeyEncryptionKey.from_base64(text)
    except VaultError as error:
        raise VaultError(f"{where}: no vault key: {error}") from None


def _new_key() -> bytes:
    return base64.b64encode(secrets.token_bytes(_KEY_LENGTH)) + b"\n"
