"""Acme's vault: a JSON object of names and keys, in `acme-vault.json` beside the configuration."""

from __future__ import annotations

import json
from pathlib import Path

from tameflare_core import CredentialError, CredentialSource, Secret

__all__ = ["AcmeVault"]


class AcmeVault(CredentialSource):
    """Looks up `acmevault:NAME`."""

    scheme = "acmevault"

    def resolve(self, name: str, folder: Path) -> Secret:
        path = folder / "acme-vault.json"
        try:
            text = path.read_text("utf-8")
        except OSError as error:
            raise CredentialError(f"`{path}` cannot be read: {error.strerror}") from None
        key = _key(text, name)
        if key is None:
            raise CredentialError(f"`{path}` has no key called `{name}`")
        return Secret(key)


def _key(text: str, name: str) -> str | None:
    # None, and no exception: that of a parser carries all keys along with it.
    try:
        keys = json.loads(text)
    except ValueError:
        return None
    key = keys.get(name) if isinstance(keys, dict) else None
    return key if isinstance(key, str) else None
