"""Built-in credential sources."""

from __future__ import annotations
from tameflare_core.hookspecs import hookimpl
from tameflare_core.vault.references import CredentialSource


@hookimpl
def register_credential_sources() -> list[CredentialSource]:
    return []
