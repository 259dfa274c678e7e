"""The request that is judged: framework-free, canonical, with a bounded body."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, unquote_plus

from tameflare_core.body import decode, decode_head
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
_MULTIPART_TYPE = "multipart/form-data"

# Frameworks that let a header or a parameter replace the method: Rails, Laravel, Express, Symfony,
# ASP.NET. Whatever they would run is judged as well. CGI and WSGI read `_` in a name as `-`.
_OVERRIDE_HEADERS = frozenset({"x-http-method-override", "x-http-method", "x-method-override"})
# The parameter `_method`, in a query or a form. PHP drops spaces before a name, ends it at a NUL,
# and reads `.method` and `[method` as `_method`; older servers split at `;` too.
_OVERRIDE_PARAMETER = re.compile(
    r"(?:^|[&;])(?:[+ ]|%20)*(?:[_.\[+ ]|%5F|%2E|%5B|%20)"
    + "".join(f"(?:{letter}|%{ord(letter):02X})" for letter in "method")
    + r"(?:%00[^=&;]*)?=([^&;]*)",
    re.IGNORECASE,
)
_OVERRIDE_PART = re.compile(rb"name\s*=\s*[\"']?[ ]*[_.\[ ]method", re.IGNORECASE)
# What a body that cannot be read may ask for.
_ANY_OVERRIDE = frozenset({"GET", "PUT", "PATCH", "DELETE"})

# Of two of these, services take the first or the last.
_SINGLE_HEADERS = frozenset({"content-type", "host"})
# IIS, Symfony and Zend read another path from these than the one that was judged.
_PATH_HEADERS = frozenset({"x-original-url", "x-rewrite-url"})
_CHECKED_HEADERS = _SINGLE_HEADERS | _PATH_HEADERS

_URL = re.compile(r"(https?)://([^/?#]*)([^?#]*)(?:\?([^#]*))?(#.*)?", re.IGNORECASE | re.DOTALL)
_MAX_PARAMETERS = 10_000
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
        data: the bytes that were read: all of them, or the beginning of an oversize body.
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
    def oversize(cls, head: bytes = b"") -> Body:
        """The body is larger than the inspected size, and begins with `head`."""
        return cls(BodyState.OVERSIZE, head)

    @classmethod
    def complete(cls, data: bytes) -> Body:
        """The whole body was read."""
        return cls(BodyState.COMPLETE, data) if data else _ABSENT

    @classmethod
    def inspected(cls, data: bytes, limit: int) -> Body:
        """What is known after reading `data`: all of the body if it ended, or more than `limit`."""
        return cls.complete(data) if len(data) <= limit else cls.oversize(data[:limit])

    def __repr__(self) -> str:
        return f"Body({self.state.name}, {len(self.data)} bytes)"


_ABSENT = Body(BodyState.ABSENT)
_UNREAD = Body(BodyState.UNREAD)


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
    # A credential may be injected into it.
    query: str | None = field(repr=False)
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
        if scheme not in _DEFAULT_PORT:
            raise RequestRejected("neither http nor https")
        host, port = canonical_authority(authority, scheme=scheme)
        path, separator, query = target.partition("?")
        canonical = canonical_path(path)
        fields = Headers(headers)
        named = _checked(fields).get("host")
        if named is not None:
            if canonical_authority(named, scheme=scheme) != (host, port):
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
    def operation(self) -> str:
        """The method that says what is done: HEAD is GET without the answer's body."""
        return "GET" if self.method == "HEAD" else self.method

    @property
    def media_type(self) -> str:
        """What the body says that it is, in lower case and without parameters; empty if unsaid."""
        return self.headers.get("content-type").partition(";")[0].strip().lower()

    @property
    def is_form(self) -> bool:
        """Whether services may read the body as form fields, which is so without any type too."""
        return self.media_type in {"", FORM_TYPE, _MULTIPART_TYPE}

    def with_headers(self, headers: Headers) -> OutboundRequest:
        """This request with other fields."""
        # Written out: `replace` costs three times as much, and this is done for every request.
        return OutboundRequest(
            method=self.method,
            scheme=self.scheme,
            host=self.host,
            port=self.port,
            path=self.path,
            query=self.query,
            headers=headers,
            body=self.body,
            ambiguities=self.ambiguities,
        )

    def with_body(self, body: Body) -> OutboundRequest:
        """This request with what is now known of its body."""
        return replace(self, body=body)

    def query_values(self, name: str) -> tuple[str, ...]:
        """Every decoded value of the query parameter `name`.

        Raises:
            RequestRejected: the query has more than 10,000 parameters.
        """
        if not self.query:
            return ()
        try:
            pairs = parse_qsl(self.query, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
        except ValueError:
            raise RequestRejected("too many parameters in query") from None
        return tuple(value for key, value in pairs if key == name)

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

    def decoded_head(self) -> bytes:
        """The body with its content codings undone, or the beginning of one that is too large.

        Raises:
            OpaqueBody: it was not read, or cannot be decoded in one way.
        """
        if self.body.state is BodyState.OVERSIZE:
            return decode_head(self.body.data, self.headers.get("content-encoding"))
        return self.decoded_body()

    def variants(self, *, method_in_body: bool = True) -> tuple[OutboundRequest, ...]:
        """This request, then the same under each other method that an override asks for.

        A body that may hold an override and cannot be read may ask for any.

        Args:
            method_in_body: whether the service may take one from a form's field.

        Raises:
            RequestRejected: an override names an unknown method, or TRACE, which is never run.
        """
        asked = self._overrides(method_in_body)
        if not asked:
            return (self,)
        methods = sorted({canonical_method(value.upper()) for value in asked} - {self.method})
        if "TRACE" in methods:
            raise RequestRejected("TRACE by a method override")
        return (self, *(replace(self, method=method) for method in methods))

    def _overrides(self, method_in_body: bool) -> set[str]:
        asked = {
            value
            for name, value in self.headers
            if "method" in name and name.replace("_", "-") in _OVERRIDE_HEADERS
        }
        if self.query and "method" in self.query.lower():
            asked |= _overriding(self.query)
        has_body = self.body.state is not BodyState.ABSENT
        if method_in_body and self.method == "POST" and has_body and self.is_form:
            asked |= self._overrides_in_body()
        return asked - {""}

    def _overrides_in_body(self) -> set[str]:
        try:
            data = self.decoded_body()
        except OpaqueBody:
            return set(_ANY_OVERRIDE)
        if self.media_type != _MULTIPART_TYPE:
            return _overriding(data.decode("latin-1"))
        # Readers of multipart bodies differ too much to say more than that there is one.
        return set(_ANY_OVERRIDE) if _OVERRIDE_PART.search(data) else set()


def _checked(fields: Headers) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in fields:
        if name not in _CHECKED_HEADERS:
            continue
        if name in _PATH_HEADERS:
            raise RequestRejected(f"header `{name}` names another path")
        if name in found:
            raise RequestRejected(f"more than one `{name}` header")
        found[name] = value
    return found


def _overriding(pairs: str) -> set[str]:
    return {unquote_plus(value).strip() for value in _OVERRIDE_PARAMETER.findall(pairs)}
