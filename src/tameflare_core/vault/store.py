"""The file vault: the sealed credentials of one project, in one JSON file."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tameflare_core.errors import VaultError
from tameflare_core.private_files import locked, replace
from tameflare_core.vault.envelope import SealedCredential, open_sealed, seal
from tameflare_core.vault.keyring import KEY_VARIABLE, KeyEncryptionKey
from tameflare_core.vault.secret import Secret

__all__ = ["VAULT_FILE", "VaultFile"]

VAULT_FILE = Path(".tf", "vault.json")
"""Where a project's vault is, from the folder of its configuration."""

_ORG = "local"  # a file vault belongs to one user and no organization
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class VaultFile:
    """Credentials by name, encrypted at rest.

    Each call reads the file anew, so that what another process put there is seen at once.

    Args:
        path: the file; it is made, for its owner alone, when the first credential is put.
        key: the vault key.
    """

    def __init__(self, path: Path, key: KeyEncryptionKey) -> None:
        self._path = path
        self._key = key

    def versions(self) -> dict[str, int]:
        """How often each credential was put, by its name, sorted; 0 for a damaged one.

        Raises:
            VaultError: the file cannot be read.
        """
        return {name: _version(values) for name, values in sorted(self._read().items())}

    def get(self, name: str) -> Secret:
        """The credential called `name`.

        Raises:
            VaultError: it is not there, is damaged, or was sealed under another key.
        """
        values = self._found(self._read(), name)
        try:
            sealed = SealedCredential.from_dict(values)
            if sealed.key_id == self._key.id:
                return open_sealed(sealed, self._key, org=_ORG, credential=name)
        except VaultError as error:
            raise VaultError(
                f"credential `{name}`: {error}: put it again with `tf credentials add {name}`"
            ) from None
        raise VaultError(
            f"credential `{name}` was sealed under vault key {sealed.key_id}, and the key in use is"
            f" {self._key.id}: set `{KEY_VARIABLE}` to the former, or put the credential again with"
            f" `tf credentials add {name}`"
        )

    def put(self, name: str, secret: Secret) -> None:
        """Keep a credential, in the place of an earlier one of that name.

        Args:
            name: up to 128 letters, digits, `.`, `_` and `-`, the first a letter or digit.
            secret: the credential.

        Raises:
            VaultError: no credential can be called so, or the file cannot be read or written.
        """
        if not _NAME.fullmatch(name):
            raise VaultError(
                "a credential's name has letters, digits, `.`, `_` and `-`, 128 at the most, and"
                " starts with a letter or digit"
            )
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with locked(self._path):
                credentials = self._read()
                version = _version(credentials.get(name)) + 1
                sealed = seal(secret, self._key, org=_ORG, credential=name, version=version)
                self._write({**credentials, name: sealed.to_dict()})
        except OSError as error:
            raise self._failed("be written", error) from None

    def remove(self, name: str) -> None:
        """Forget a credential.

        Raises:
            VaultError: it is not there, or the file cannot be read or written.
        """
        self._found(self._read(), name)
        try:
            with locked(self._path):
                credentials = self._read()
                credentials.pop(name, None)
                self._write(credentials)
        except OSError as error:
            raise self._failed("be written", error) from None

    def _found(self, credentials: dict[str, object], name: str) -> object:
        if name not in credentials:
            raise VaultError(
                f"no credential `{name}` in the vault {self._path}: add it with"
                f" `tf credentials add {name}`"
            )
        return credentials[name]

    def _read(self) -> dict[str, object]:
        try:
            document = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise self._failed("be read", error) from None
        except ValueError:
            document = None
        match document:
            case {"format": 1, "credentials": dict(credentials)}:
                return credentials
        raise VaultError(
            f"{self._path}: this is no vault, or one of a newer version: put the right file there,"
            " or remove it and add its credentials again"
        )

    def _write(self, credentials: dict[str, object]) -> None:
        document = {"format": 1, "credentials": dict(sorted(credentials.items()))}
        replace(self._path, json.dumps(document, indent=2).encode() + b"\n")

    def _failed(self, what: str, error: OSError) -> VaultError:
        return VaultError(f"{self._path}: cannot {what}: {error.strerror}")


def _version(values: object) -> int:
    try:
        return SealedCredential.from_dict(values).version
    except VaultError:
        return 0  # absent, or so damaged that whatever takes its place is the first
