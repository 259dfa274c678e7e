"""Webhooks: the URLs that may be called, written without the secrets that are in them.

Whoever knows such a URL may call it, so the agent holds it and no credential is injected. The
configuration holds a pattern of it, which is also what records and approvals show.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import parse_qsl

from tameflare_core.action import Access, Action, Category, Risk
from tameflare_core.canonical import Ambiguity
from tameflare_core.connectors.base import Connector, ConnectorSettings, unmapped_action
from tameflare_core.connectors.matching import Origin
from tameflare_core.errors import RequestRejected
from tameflare_core.hookspecs import hookimpl
from tameflare_core.injection.placement import Header
from tameflare_core.request import BodyState, OutboundRequest

__all__ = ["Webhook", "register_connectors"]

_METHODS = frozenset({"DELETE", "GET", "PATCH", "POST", "PUT"})
_ANY = "*"

# What a `*` stands for: nothing that any server could take for more than one segment or the end of
# the path, in however many rounds of decoding.
_SECRET = re.compile(r"[A-Za-z0-9._~+=:@-]+")
# A run of letters and digits as long as this is what a `*` should stand for.
_MAY_BE_SECRET = re.compile(r"(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9_+=-]{20,}")

_UNSHOWN = "/…"


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One URL in which `*` stands for a secret.

    Attributes:
        url: as the configuration writes it, in canonical form.
        target: its path and query.
        origin: its scheme, host and port.
        segments: of its path.
        query: key and value of each of its parameters, in the order of their keys.
    """

    url: str
    target: str
    origin: Origin
    segments: tuple[str, ...]
    query: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str) -> _Pattern:
        try:
            read = OutboundRequest.from_url("POST", text)
        except RequestRejected as error:
            raise ValueError(f"not the URL of a webhook: {error}") from None
        if read.scheme != "https":
            raise ValueError("the URL of a webhook starts with `https://`")
        if not read.ambiguities <= Webhook.tolerates:
            raise ValueError("the path of a webhook has no empty segments and no encoded slashes")
        segments, query = _segments(read), _query(read)
        if len(dict(query)) < len(query):
            raise ValueError("the query of a webhook has each key once")
        for part in (*segments, *(value for _, value in query)):
            if _ANY in part and part != _ANY:
                raise ValueError("`*` stands for a whole segment of the path, or a whole value")
            if _MAY_BE_SECRET.search(part):
                raise ValueError("it may hold a secret: write `*` in the place of the secret")
        origin = Origin(read.scheme, read.host, read.port)
        return cls(read.url, read.target, origin, segments, query)

    @property
    def order(self) -> tuple[bool, ...]:
        """Sorts a pattern that says more before one that says less."""
        values = (value for _, value in self.query)
        return tuple(part == _ANY for part in (*self.segments, *values))

    def covers(self, request: OutboundRequest) -> bool:
        """Whether `request` goes to this URL, whatever its method."""
        if (request.scheme, request.host, request.port) != (
            self.origin.scheme,
            self.origin.host,
            self.origin.port,
        ):
            return False
        segments, query = _segments(request), _query(request)
        return (
            len(segments) == len(self.segments)
            and [key for key, _ in query] == [key for key, _ in self.query]
            and all(map(_stands_for, self.segments, segments))
            and all(
                # Older servers split at `;` too.
                found == value or (value == _ANY and found != "" and ";" not in found)
                for (_, value), (_, found) in zip(self.query, query, strict=True)
            )
        )


class Webhook(Connector):
    """The webhooks of any services, each by its exact URL.

    `urls` are absolute https URLs in which `*` stands for one whole segment of the path, or for the
    whole value of a query parameter. `methods` are those that may call them; POST alone unless
    given. A call is `webhook.<method>`, and everything else on these hosts is unmapped.
    """

    type = "webhook"
    provider = "webhook"
    placement = Header()
    takes_credential = False
    options = frozenset({"methods", "urls"})
    # A slash at the end is a segment like any other here.
    tolerates: frozenset[Ambiguity] = frozenset({Ambiguity.TRAILING_SLASH})
    _fields: ClassVar[frozenset[str]] = frozenset({"host", "url"})

    def __init__(self, settings: ConnectorSettings) -> None:
        super().__init__(settings)
        for key in ("actions", "base_url", "hosts"):
            if getattr(settings, key):
                raise ValueError(f"`{key}` is not for a webhook: its `urls` say everything")
        urls = _texts(settings, "urls", ())
        if not urls:
            raise ValueError("a webhook connector needs `urls`")
        self._methods = frozenset(_texts(settings, "methods", ("POST",)))
        if not self._methods or not self._methods <= _METHODS:
            raise ValueError(f"`methods` are some of {', '.join(sorted(_METHODS))}")
        patterns = []
        for index, url in enumerate(urls):
            try:
                patterns.append(_Pattern.parse(url))
            except ValueError as error:
                # What it says there may be a secret, so it is not repeated.
                raise ValueError(f"`urls[{index}]`: {error}") from None
        self._patterns = sorted(patterns, key=lambda pattern: pattern.order)
        self.origins = tuple(dict.fromkeys(pattern.origin for pattern in patterns))

    @property
    def known_actions(self) -> frozenset[str]:
        return frozenset(f"webhook.{method.lower()}" for method in self._methods)

    @property
    def resource_fields(self) -> frozenset[str]:
        return self._fields

    @property
    def param_fields(self) -> frozenset[str]:
        return frozenset()

    def parse(self, request: OutboundRequest) -> Sequence[Action]:
        pattern = self._find(request)
        if pattern is None or request.operation not in self._methods:
            resource = {"host": request.host}
            return (unmapped_action(self.provider, request, safe_reads=False, resource=resource),)
        return (
            Action(
                name=f"webhook.{request.operation.lower()}",
                access=Access.WRITE,
                risk=Risk.MEDIUM,
                categories=frozenset({Category.MESSAGING}),
                resource={"host": request.host, "url": pattern.url},
                params_complete=request.body.state is BodyState.ABSENT,
            ),
        )

    def shown_path(self, request: OutboundRequest) -> str:
        pattern = self._find(request)
        # A path that is nearly a webhook's holds its secret just as well.
        return _UNSHOWN if pattern is None else pattern.target

    def _find(self, request: OutboundRequest) -> _Pattern | None:
        return next((pattern for pattern in self._patterns if pattern.covers(request)), None)


def _segments(request: OutboundRequest) -> tuple[str, ...]:
    return tuple(request.path[1:].split("/"))


def _query(request: OutboundRequest) -> tuple[tuple[str, str], ...]:
    """The parameters, sorted by key; services differ in which of two equal keys they take."""
    if not request.query:
        return ()
    pairs = parse_qsl(request.query, keep_blank_values=True, errors="surrogateescape")
    # An empty field is left out there, and would let `?&` pass for no query.
    empty = request.query.count("&") + 1 - len(pairs)
    return tuple(sorted(pairs + [("", "")] * empty))


def _stands_for(part: str, found: str) -> bool:
    return found == part or (part == _ANY and _SECRET.fullmatch(found) is not None)


def _texts(settings: ConnectorSettings, key: str, default: Sequence[str]) -> Sequence[str]:
    value = settings.options.get(key, default)
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"`{key}` is a list of texts")
    return value


@hookimpl
def register_connectors() -> list[type[Connector]]:
    return [Webhook]
