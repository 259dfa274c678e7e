"""The TameFlare plugin for Acme: the connector type `acme`, the credential source `acmevault:`."""

from __future__ import annotations

from tameflare_acme.connector import Acme
from tameflare_acme.credentials import AcmeVault
from tameflare_core import Connector, CredentialSource, hookimpl

__all__ = ["register_connectors", "register_credential_sources"]


@hookimpl
def register_connectors() -> list[type[Connector]]:
    return [Acme]


@hookimpl
def register_credential_sources() -> list[CredentialSource]:
    return [AcmeVault()]
