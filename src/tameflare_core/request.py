"""The request that is judged: framework-free, canonical, with a bounded body."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl

from tameflare_core.body import decode
from tameflare_core.canonical import (
    Ambiguity,
    canonical_authority,
    canonical_method,
    canonical_path,
    canonical_query,
)
from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.headers import Headers

__all__ = ["Body", "BodyState", "OutboundRequest"]

FORM_TYPE = "application/x-www-form-urlencoded"

# Frameworks that let a header or a parameter replace the method of a POST: Rails, Laravel, Express,
# Symfony, ASP.NET. Whatever they would run is judged as well.
_OVERRIDE_HEADERS = frozenset({"x-http-method-override", "x-http-method", "x-method-override"})
_OVERRIDE_PARAMETER = "_method"

_URL = re.compile(r"(https?)://([^/?#]*)([^?#]*)(?:\?([^#]*))?(#.*)?", re.IGNORECASE | re.DOTALL)
_DEFAULT_PORT = {"http": 80, "https": 443}


class BodyState(enum.Enum):
    """How much of a body is known."""

    ABSENT = "there is none"
    UNREAD = "there is or may be one, and nobody has read it"
    COMPLETE = "all of it was read"
    OVERSIZE = "it is larger than what is inspected"


@dataclass(frozen=True, slots=True)
class Body:
    """A request body as sent, before any content coding is undone.

    Attributes:
        state: how much of it is known.
        data: the bytes, when all of them were read.
    """

    state: BodyState
    data: bytes = b""

    @classmethod
    def absent(cls) -> Body:
        """The request has no body."""
        return _ABSENT

    @classmethod
    def unread(cls) -> Body:
        """The request may have a body that has not been read."""
        return _UNREAD

    @classmethod
    def oversize(cls) -> Body:
        """The body is larger than the inspected size."""
        return _OVERSIZE

    @classmethod
    def complete(cls, data: bytes) -> Body:
        """The whole body was read."""
        return cls(BodyState.COMPLETE, data) if data else _ABSENT

    def __repr__(self) -> str:
        return f"Body({self.state.name}, {len(self.data)} bytes)"


_ABSENT = Body(BodyState.ABSENT)
_UNREAD = Body(BodyState.UNREAD)
_OVERSIZE = Body(BodyState.OVERSIZE)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundRequest:
    """One HTTP request in its one canonical form; what is forwarded is made of nothing else.

    Attributes:
        method: upper case, one of the known methods.
        scheme: `http` or `https`.
        host: canonical host (A-labels, dotted IPv4, bracketed IPv6).
        port: 1 to 65535.
        path: canonical path; always starts with `/`.
        query: canonical query without `?`; None when the target has none.
        headers: fields as sent, names in lower case, without `Host`.
        body: what is known of the body.
        ambiguities: what only the connector can vouch for.
    """

    method: str
    scheme: str
    host: str
    port: int
    path: str
    query: str | None
    headers: Headers
    body: Body
    ambiguities: frozenset[Ambiguity]

    @classmethod
    def build(
        cls,
        *,
        method: str,
        scheme: str,
        authority: str,
        target: str,
        headers: Iterable[tuple[str, str]] = (),
        body: Body = _ABSENT,
    ) -> OutboundRequest:
        """Canonicalise a request as a frontend received it.

        Args:
            method: as on the wire.
            scheme: `http` or `https`, from the connection and not from the request.
            authority: `host[:port]` of the destination: the CONNECT target or the absolute URI.
            target: origin-form request target, `/path?query`.
            headers: fields as on the wire; every `Host` must name `authority`.
            body: what is known of the body.

        Raises:
            RequestRejected: anything about it can be read in two ways.
        """
        method = canonical_method(method)
        host, port = canonical_authority(authority, scheme=scheme)
        path, separator, query = target.partition("?")
        canonical = canonical_path(path)
        fields = Headers(headers)
        named = fields.get_all("host")
        if named:
            if len(named) > 1:
                raise RequestRejected("more than one `Host` header")
            if canonical_authority(named[0], scheme=scheme) != (host, port):
                raise RequestRejected("`Host` header names another host than the connection")
            fields = fields.without("host")
        return cls(
            method=method,
            scheme=scheme,
            host=host,
            port=port,
            path=canonical.text,
            query=canonical_query(query) if separator else None,
            headers=fields,
            body=body,
            ambiguities=canonical.ambiguities,
        )

    @classmethod
    def from_url(
        cls,
        method: str,
        url: str,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: Body = _ABSENT,
    ) -> OutboundRequest:
        """Canonicalise a request that is known by its URL.

        Raises:
            RequestRejected: the URL is no absolute http(s) URL, has a fragment, or can be read in
                two ways.
        """
        match = _URL.fullmatch(url)
        if match is None:
            raise RequestRejected("not an absolute http or https URL")
        scheme, authority, path, query, fragment = match.groups()
        if fragment is not None:
            raise RequestRejected("fragment in request target")
        target = path or "/"
        return cls.build(
            method=method,
            scheme=scheme.lower(),
            authority=authority,
            target=target if query is None else f"{target}?{query}",
            headers=headers,
            body=body,
        )

    @property
    def target(self) -> str:
        """Origin-form request target, `/path?query`."""
        return self.path if self.query is None else f"{self.path}?{self.query}"

    @property
    def authority(self) -> str:
        """`host`, with `:port` when it is not the scheme's own."""
        if self.port == _DEFAULT_PORT[self.scheme]:
            return self.host
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The canonical URL, with its query."""
        return f"{self.scheme}://{self.authority}{self.target}"

    @property
    def is_form(self) -> bool:
        """Whether the body is declared as a URL-encoded form."""
        return _media_type(self.headers) == FORM_TYPE

    def with_body(self, body: Body) -> OutboundRequest:
        """This request with what is now known of its body."""
        return replace(self, body=body)

    def query_values(self, name: str) -> tuple[str, ...]:
        """Every decoded value of the query parameter `name`."""
        if not self.query:
            return ()
        return tuple(value for key, value in _pairs(self.query) if key == name)

    def decoded_body(self) -> bytes:
        """The body with its content codings undone.

        Raises:
            OpaqueBody: it was not read, is too large, or cannot be decoded in one way.
        """
        if self.body.state is BodyState.ABSENT:
            return b""
        if self.body.state is not BodyState.COMPLETE:
            raise OpaqueBody(f"the body cannot be inspected: {self.body.state.value}")
        return decode(self.body.data, self.headers.get("content-encoding"))

    def form_pairs(self) -> list[tuple[str, str]]:
        """The decoded pairs of a URL-encoded form.

        Raises:
            OpaqueBody: the body cannot be read, or is not UTF-8.
        """
        try:
            return _pairs(self.decoded_body().decode("utf-8"))
        except UnicodeDecodeError:
            raise OpaqueBody("form is not UTF-8") from None

    def variants(self) -> tuple[OutboundRequest, ...]:
        """This request, then the same under each other method that an override asks for.

        Raises:
            RequestRejected: an override names an unknown method.
            OpaqueBody: a form that may hold an override cannot be read.
        """
        asked = {value for name, value in self.headers if name in _OVERRIDE_HEADERS}
        if self.query and _OVERRIDE_PARAMETER in self.query:
            asked.update(self.query_values(_OVERRIDE_PARAMETER))
        if self.method == "POST" and self.is_form:
            asked.update(v for k, v in self.form_pairs() if k == _OVERRIDE_PARAMETER)
        if not asked:
            return (self,)
        methods = sorted({canonical_method(value.upper()) for value in asked} - {self.method})
        return (self, *(replace(self, method=method) for method in methods))


def _media_type(headers: Headers) -> str:
    return headers.get("content-type").split(";", 1)[0].strip().lower()


def _pairs(text: str) -> list[tuple[str, str]]:
    return parse_qsl(text, keep_blank_values=True, max_num_fields=10_000)
