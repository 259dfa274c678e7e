"""Where a credential goes into a request: one declared slot, emptied first, filled once."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote_plus

from tameflare_core.errors import CredentialError
from tameflare_core.request import OutboundRequest
from tameflare_core.vault.secret import Secret

__all__ = ["Basic", "Header", "Placement", "Query"]


class Placement(ABC):
    """A slot of a request that a credential is written into."""

    @abstractmethod
    def clear(self, request: OutboundRequest) -> OutboundRequest:
        """`request` without anything that the client put into the slot."""

    @abstractmethod
    def fill(self, request: OutboundRequest, secret: Secret) -> OutboundRequest:
        """`request` with `secret` in the slot, and nothing of the client's there.

        Raises:
            CredentialError: the secret cannot stand in the slot.
        """


@dataclass(frozen=True, slots=True)
class Header(Placement):
    """A header field: `Authorization: Bearer …`, `Authorization: token …`, `X-Api-Key: …`.

    Attributes:
        name: the field's name, lower case.
        prefix: what stands before the secret, with its space.
    """

    name: str = "authorization"
    prefix: str = "Bearer "

    def clear(self, request: OutboundRequest) -> OutboundRequest:
        return replace(request, headers=request.headers.without(self.name))

    def fill(self, request: OutboundRequest, secret: Secret) -> OutboundRequest:
        value = self.prefix + _field_text(secret)
        return replace(request, headers=request.headers.replacing(self.name, value))


@dataclass(frozen=True, slots=True)
class Basic(Placement):
    """`Authorization: Basic …`.

    Attributes:
        username: the user name that goes with the secret as password; None when the secret itself
            is `user:password`.
    """

    username: str | None = None

    def clear(self, request: OutboundRequest) -> OutboundRequest:
        return replace(request, headers=request.headers.without("authorization"))

    def fill(self, request: OutboundRequest, secret: Secret) -> OutboundRequest:
        text = secret.reveal()
        if self.username is None and ":" not in text:
            raise CredentialError("basic authentication needs a secret of the form `user:password`")
        pair = text if self.username is None else f"{self.username}:{text}"
        value = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
        return replace(request, headers=request.headers.replacing("authorization", value))


@dataclass(frozen=True, slots=True)
class Query(Placement):
    """A query parameter.

    Attributes:
        name: the parameter's name.
    """

    name: str

    def clear(self, request: OutboundRequest) -> OutboundRequest:
        kept = self._others(request)
        return replace(request, query="&".join(kept) if kept else None)

    def fill(self, request: OutboundRequest, secret: Secret) -> OutboundRequest:
        own = f"{quote(self.name, safe='')}={quote(secret.reveal(), safe='')}"
        return replace(request, query="&".join([*self._others(request), own]))

    def _others(self, request: OutboundRequest) -> list[str]:
        parts = request.query.split("&") if request.query else []
        return [part for part in parts if unquote_plus(part.partition("=")[0]) != self.name]


def _field_text(secret: Secret) -> str:
    text = secret.reveal()
    if not text.isascii() or not text.isprintable() or not text:
        raise CredentialError("the credential holds characters that no header can carry")
    return text
