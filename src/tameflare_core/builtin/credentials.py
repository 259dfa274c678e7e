"""The built-in credential sources: `env:`, `file:` and `vault:`."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import override

from tameflare_core.errors import CredentialError
from tameflare_core.hookspecs import hookimpl
from tameflare_core.private_files import read_private
from tameflare_core.vault.keyring import KeyEncryptionKey, load_key
from tameflare_core.vault.references import CredentialSource
from tameflare_core.vault.secret import Secret
from tameflare_core.vault.store import VAULT_FILE, VaultFile

__all__ = [
    "EnvironmentSource",
    "FileSource",
    "VaultSource",
    "register_credential_sources",
]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class EnvironmentSource(CredentialSource):
    """`env:GITHUB_TOKEN`: an environment variable of the gateway's process."""

    scheme = "env"

    @override
    def resolve(self, name: str, folder: Path) -> Secret:
        if not _VARIABLE.fullmatch(name):
            # It is not repeated: it may be the secret itself, pasted in the wrong place.
            raise CredentialError("what follows `env:` is no name of an environment variable")
        if not os.environ.get(name):
            raise CredentialError(
                f"environment variable `{name}` is not set: set it where the gateway is started"
            )
        secret = _secret(os.fsencode(os.environ[name]))
        if secret is None:
            raise CredentialError(f"environment variable `{name}` is not UTF-8")
        return secret


class FileSource(CredentialSource):
    """`file:keys/github`: a file that only its owner can read; one line break at its end is cut."""

    scheme = "file"

    @override
    def resolve(self, name: str, folder: Path) -> Secret:
        path = _located(name, folder)
        try:
            secret = _secret(read_private(path).removesuffix(b"\n").removesuffix(b"\r"))
        except OSError as error:
            raise CredentialError(f"credential file {path}: {error.strerror}") from None
        if secret is None:
            raise CredentialError(f"credential file {path}: it is not UTF-8")
        if not secret.reveal():
            raise CredentialError(f"credential file {path}: it is empty")
        return secret


@lru_cache(maxsize=256)
def _located(name: str, folder: Path) -> Path:
    return folder / Path(name).expanduser()


class VaultSource(CredentialSource):
    """`vault:github-prod`: the vault beside the gateway's configuration, `.tf/vault.json`."""

    scheme = "vault"

    def __init__(self) -> None:
        self._key: KeyEncryptionKey | None = None

    @override
    def resolve(self, name: str, folder: Path) -> Secret:
        # Two threads may both load it the first time; they get the same key.
        if self._key is None:
            self._key = load_key()
        return VaultFile(folder / VAULT_FILE, self._key).get(name)


def _secret(content: bytes) -> Secret | None:
    # None, and no exception: a UnicodeDecodeError would carry the whole content along.
    try:
        return Secret(content.decode("utf-8"))
    except UnicodeDecodeError:
        return None


@hookimpl
def register_credential_sources() -> list[CredentialSource]:
    """Add `env:`, `file:` and `vault:`."""
    return [EnvironmentSource(), FileSource(), VaultSource()]
