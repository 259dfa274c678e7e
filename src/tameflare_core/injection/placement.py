"""Where a credential goes into a request: one declared slot, emptied first, filled once."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from unicodedata import category
from urllib.parse import quote, unquote_plus

from tameflare_core.errors import CredentialError
from tameflare_core.request import OutboundRequest
from tameflare_core.vault.secret import Secret

__all__ = ["Basic", "Header", "Placement", "Query"]

# Fields that frame or route a request: whatever is in them is read on the way, not by the service.
_NO_SLOTS = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


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

    Raises:
        ValueError: `name` is not in lower case, or frames or routes the request.
    """

    name: str = "authorization"
    prefix: str = "Bearer "

    def __post_init__(self) -> None:
        if self.name != self.name.lower():
            raise ValueError(f"header `{self.name}` is not in lower case")
        if self.name in _NO_SLOTS or self.name.startswith("proxy-"):
            raise ValueError(f"header `{self.name}` cannot carry a credential")

    def clear(self, request: OutboundRequest) -> OutboundRequest:
        return _without_field(request, self.name)

    def fill(self, request: OutboundRequest, secret: Secret) -> OutboundRequest:
        if not _fits_field(secret):
            raise CredentialError(
                "the credential is empty, or holds characters that no header can carry"
            )
        return _with_field(self.clear(request), self.name, self.prefix + secret.reveal())


@dataclass(frozen=True, slots=True)
class Basic(Placement):
    """`Authorization: Basic …`.

    Attributes:
        username: the user name that goes with the secret as password; None when the secret itself
            is `user:password`.

    Raises:
        ValueError: `username` holds a colon (RFC 7617 section 2).
    """

    username: str | None = None

    def __post_init__(self) -> None:
        if self.username is not None and ":" in self.username:
            raise ValueError("a user name of basic authentication has no colon")

    def clear(self, request: OutboundRequest) -> OutboundRequest:
        return _without_field(request, "authorization")

    def fill(self, request: OutboundRequest, secret: Secret) -> OutboundRequest:
        if not _is_text(secret):
            raise CredentialError("the credential is empty, or holds control characters")
        if self.username is None and ":" not in secret.reveal():
            raise CredentialError("basic authentication needs a secret of the form `user:password`")
        return _with_field(self.clear(request), "authorization", self._value(secret))

    def _value(self, secret: Secret) -> str:
        text = secret.reveal()
        pair = text if self.username is None else f"{self.username}:{text}"
        return "Basic " + base64.b64encode(pair.encode()).decode("ascii")


@dataclass(frozen=True, slots=True)
class Query(Placement):
    """A query parameter.

    Attributes:
        name: the parameter's name.
    """

    name: str

    def clear(self, request: OutboundRequest) -> OutboundRequest:
        if not request.query:
            return request
        parts = request.query.split("&")
        kept = [part for part in parts if not self._is_own(part)]
        if len(kept) == len(parts):
            return request
        return replace(request, query="&".join(kept) if kept else None)

    def fill(self, request: OutboundRequest, secret: Secret) -> OutboundRequest:
        if not _is_text(secret):
            raise CredentialError("the credential is empty, or holds control characters")
        others = self.clear(request).query
        own = f"{quote(self.name, safe='')}={quote(secret.reveal(), safe='')}"
        return replace(request, query=f"{others}&{own}" if others else own)

    def _is_own(self, part: str) -> bool:
        # ASP.NET compares names without regard to case; PHP, Rails and Express read `name[]` and
        # `name[0]` as `name`.
        name = unquote_plus(part.partition("=")[0]).casefold()
        return self.name.casefold() in {name, name.partition("[")[0]}


def _without_field(request: OutboundRequest, name: str) -> OutboundRequest:
    # CGI, and every interface modelled on it, reads `X_Api_Key` and `X-Api-Key` as one field.
    folded = name.replace("_", "-")
    own = [field for field, _ in request.headers if field.replace("_", "-") == folded]
    return request.with_headers(request.headers.without(*own)) if own else request


def _with_field(request: OutboundRequest, name: str, value: str) -> OutboundRequest:
    return request.with_headers(request.headers.replacing(name, value))


# These two return an answer and raise nothing, so that no frame of a traceback holds the secret.


def _fits_field(secret: Secret) -> bool:
    text = secret.reveal()
    # White space at an end would be cut off, and what was sent would not be what is scrubbed.
    return bool(text) and text.isascii() and text.isprintable() and text == text.strip()


def _is_text(secret: Secret) -> bool:
    # Categories Cc (control characters) and Cs (lone surrogates, which have no UTF-8).
    text = secret.reveal()
    return bool(text) and not any(category(char) in {"Cc", "Cs"} for char in text)
