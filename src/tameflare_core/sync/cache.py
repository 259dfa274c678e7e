"""The last configuration of each gateway on disk, sealed so that only its token opens it."""

from __future__ import annotations

import hashlib
import json
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tameflare_core.private_files import read_private, replace
from tameflare_core.sync.client import ServedConfig
from tameflare_core.sync.sealing import derived_key
from tameflare_core.tokens import token_digest
from tameflare_core.vault.secret import Secret

__all__ = ["ConfigCache"]

_PURPOSE = "tameflare config cache 1"
_NONCE = 12


class ConfigCache:
    """Configurations that outlive the process, for when the control plane cannot be reached.

    Args:
        folder: where they are; made, for this user alone, with the first one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, token: Secret) -> ServedConfig | None:
        """The configuration of a token's gateway; None when there is none that can be opened.

        Raises:
            OSError: there is one, and it cannot be read.
        """
        try:
            data = read_private(self._path(token))
        except FileNotFoundError:
            return None
        cipher = AESGCM(derived_key(token.reveal(), _PURPOSE))
        try:
            text = cipher.decrypt(data[:_NONCE], data[_NONCE:], _PURPOSE.encode())
            return ServedConfig.from_dict(json.loads(text))
        except (InvalidTag, ValueError):
            # Damaged, or of another version: the control plane has a new one.
            return None

    def store(self, token: Secret, config: ServedConfig) -> None:
        """Keep a configuration, in the place of an earlier one.

        Raises:
            OSError: it cannot be written.
        """
        nonce = secrets.token_bytes(_NONCE)
        cipher = AESGCM(derived_key(token.reveal(), _PURPOSE))
        text = json.dumps(config.to_dict()).encode()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace(self._path(token), nonce + cipher.encrypt(nonce, text, _PURPOSE.encode()))

    def forget(self, token: Secret) -> None:
        """Remove the configuration of a token that is void."""
        self._path(token).unlink(missing_ok=True)

    def _path(self, token: Secret) -> Path:
        # The digest of the digest: whoever lists the folder learns nothing that identifies a token.
        name = hashlib.sha256(token_digest(token.reveal())).hexdigest()[:40]
        return self._folder / f"{name}.sealed"
