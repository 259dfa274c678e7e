"""Requests that stand for actions, so that rules can be tried before anything is asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tameflare_core.connectors.base import Connector
from tameflare_core.explanation import Asked
from tameflare_core.gateway import BoundConnector
from tameflare_core.parsers.route_table import Route

__all__ = [
    "COMMON",
    "common_routes",
    "found",
    "generic_requests",
    "pattern_of",
    "sample_request",
]

COMMON: dict[str, tuple[str, ...]] = {
    "github": (
        "github.repo.get",
        "github.issue.create",
        "github.pr.create",
        "github.pr.merge",
        "github.repo.delete",
    ),
    "openai": ("openai.model.list", "openai.response.create", "openai.file.delete"),
    "anthropic": ("anthropic.model.list", "anthropic.message.create"),
    "stripe": (
        "stripe.customer.list",
        "stripe.charge.create",
        "stripe.refund.create",
        "stripe.customer.delete",
    ),
    "slack": ("slack.channel.list", "slack.message.send", "slack.message.delete"),
}
"""What people ask about first, by the type of the connector."""

_GENERIC = (("GET", "/"), ("POST", "/items"), ("DELETE", "/items/1"))
_PARAMETER = re.compile(r"\{([^}]+)\}")
_MOST_FOUND = 40


def pattern_of(bound: BoundConnector) -> str:
    """A pattern for everything that a connector names."""
    return f"{bound.connector.provider}.*"


def common_routes(bound: BoundConnector) -> list[Route]:
    """A few operations that show what rules about a connector do."""
    routes = list(bound.connector.operations)
    wanted = COMMON.get(bound.connector.type, ())
    first: dict[str, Route] = {}
    for route in routes:
        first.setdefault(route.action, route)
    if wanted:
        return [first[name] for name in wanted if name in first]
    return list(first.values())[:6]


def sample_request(bound: BoundConnector, route: Route) -> Asked:
    """A request for an operation, with made-up values in its path."""
    return Asked(method=route.method, url=_base(bound) + _PARAMETER.sub(_value, route.path))


def generic_requests(bound: BoundConnector) -> list[Asked]:
    """A read, a change and a removal, at a service without a catalogue."""
    return [Asked(method=method, url=_base(bound) + path) for method, path in _GENERIC]


def found(connectors: Iterable[type[Connector]], text: str) -> Sequence[Route]:
    """Operations whose action has all words of a text in it, the shortest names first."""
    words = text.lower().replace(".", " ").split()
    if not words:
        return []
    routes: dict[str, Route] = {}
    for connector in connectors:
        for route in connector.catalogue():
            if all(word in route.action for word in words):
                routes.setdefault(route.action, route)
    return sorted(routes.values(), key=lambda route: (len(route.action), route.action))[
        :_MOST_FOUND
    ]


def _base(bound: BoundConnector) -> str:
    base = bound.connector.settings.base_url
    origin = bound.origins[0] if base is None else base.origin
    host = origin.host.replace("*.", "www.")
    standard = {"https": 443, "http": 80}[origin.scheme]
    port = "" if origin.port == standard else f":{origin.port}"
    return f"{origin.scheme}://{host}{port}{'' if base is None else base.prefix}"


def _value(match: re.Match[str]) -> str:
    name = match[1]
    return "1" if name.endswith(("number", "_id")) or name == "id" else name.replace("_", "-")
