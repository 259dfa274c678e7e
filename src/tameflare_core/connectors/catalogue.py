"""A connector whose operations are the rows of a catalogue: one small class and a TSV."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from importlib.resources.abc import Traversable
from typing import ClassVar, final
from urllib.parse import unquote

from tameflare_core.action import Action
from tameflare_core.canonical import Ambiguity
from tameflare_core.connectors.base import Connector, ConnectorSettings, unmapped_action
from tameflare_core.connectors.matching import Origin
from tameflare_core.errors import RequestRejected
from tameflare_core.parsers.route_table import Match, Route, RouteTable, read_catalogue
from tameflare_core.request import BodyState, OutboundRequest

__all__ = ["CatalogueConnector", "folded_path"]

# What some routers drop or fold before they look at a path: the case of letters, `;parameters`,
# encoded spaces and delimiters with what follows them, the name of a format. (In lower case.)
_DROPPED = re.compile(r"(?:;|%20|%23|%3[bf])[^/]*|\.(?:json|xml)?$")
# `items%3Aclose` is `items:close` to all who decode a path.
_ENCODED = re.compile(r"%(?:2[146-9a-c]|3[ad]|40)")
_FOLDABLE = re.compile(r"[A-Z;%]|\.(?:json|xml)?$")


class CatalogueConnector(Connector):
    """A service that publishes its operations.

    Class attributes:
        catalogue_file: the catalogue, in the form that `read_catalogue` takes.
        home: the provider's own hosts, reached by https; a `base_url` replaces them.
        tail_params: path parameters that take all remaining segments at the end of a template.
        slash_params: path parameters that may hold `%2F`.
        resource_names: path parameters whose resource field has another name.
        body_actions: rows of which the body has to be read, because `refine` looks at it.
        further_actions: names that `refine` gives beside those of the catalogue.
        further_fields: resource fields that `refine` fills in beside the path's parameters.
        safe_reads: whether GET never changes anything at this service, on paths without a row too.
    """

    catalogue_file: ClassVar[Traversable]
    home: ClassVar[tuple[str, ...]]
    tail_params: ClassVar[frozenset[str]] = frozenset()
    slash_params: ClassVar[frozenset[str]] = frozenset()
    resource_names: ClassVar[Mapping[str, str]] = {}
    body_actions: ClassVar[frozenset[str]] = frozenset()
    further_actions: ClassVar[frozenset[str]] = frozenset()
    further_fields: ClassVar[frozenset[str]] = frozenset()
    safe_reads: ClassVar[bool] = True

    def __init__(self, settings: ConnectorSettings) -> None:
        super().__init__(settings)
        if settings.hosts:
            raise ValueError(f"`hosts` is not for {self.type}: name a server by its `base_url`")
        if settings.actions:
            raise ValueError(
                f"`actions` is not for {self.type}: every operation has its name already"
            )
        base = settings.base_url
        self.origins = (
            tuple(Origin("https", host, 443) for host in self.home)
            if base is None
            else (base.origin,)
        )
        # A slash at the end is ignored here, so that no operation gets another name by it.
        self.tolerates = frozenset({Ambiguity.TRAILING_SLASH})
        if self.slash_params:
            self.tolerates |= {Ambiguity.ENCODED_SLASH}

    @classmethod
    @final
    def catalogue(cls) -> Sequence[Route]:
        return _compiled(cls).rows

    @classmethod
    def rows(cls) -> Sequence[Route]:
        """The rows to list: those of the file, unless there are more elsewhere."""
        return read_catalogue(cls.catalogue_file.read_text("utf-8"))

    @classmethod
    def matched(cls, rows: Sequence[Route]) -> Sequence[Route]:
        """The rows to match requests with: those of the catalogue, and other verbs for them.

        Of two rows with one method and path, the later one is matched.
        """
        return rows

    @property
    def known_actions(self) -> frozenset[str]:
        return _compiled(type(self)).actions | self.further_actions

    @property
    def resource_fields(self) -> frozenset[str]:
        return _compiled(type(self)).fields | self.further_fields

    def below(self, request: OutboundRequest) -> str | None:
        """The request's path as the catalogue writes it; None when it is outside the service.

        Args:
            request: any request to one of `origins`; its path may be a folded one.
        """
        base = self.settings.base_url
        path = request.path.removesuffix("/") or "/"
        return path if base is None else base.relative(path)

    def find(self, table: RouteTable, method: str, path: str) -> Match | None:
        """The row of `table` that covers a path in the catalogue's terms."""
        return table.match(method, path)

    def scope(self, path: str) -> Mapping[str, str]:
        """What can be said about the resource of a path (as `below` gives it) that has no row."""
        return {}

    def refine(self, action: Action, request: OutboundRequest) -> Sequence[Action]:
        """Everything that the request would do, given the action of its row.

        Args:
            action: it has no params, and says that they are complete only where the request has
                neither a query nor a body: who fills in params says whether they are all.
            request: its body has been read if the action is one of `body_actions`.

        Raises:
            OpaqueBody: the body decides and cannot be read.
            RequestRejected: the request can be read in two ways.
        """
        return (action,)

    def needs_body(self, request: OutboundRequest) -> bool:
        found = self._find(request)
        return found is not None and found.route.action in self.body_actions

    def parse(self, request: OutboundRequest) -> Sequence[Action]:
        found = self._find(request)
        if found is None or _FOLDABLE.search(request.path):
            self._refuse_lookalike(found, request)
        encoded_slash = Ambiguity.ENCODED_SLASH in request.ambiguities
        if found is None:
            if encoded_slash:
                raise RequestRejected("encoded slash in a path that is no known operation's")
            scope = self.scope(self.below(request) or "/")
            resource = self.resource(scope)
            return (
                unmapped_action(
                    self.provider, request, safe_reads=self.safe_reads, resource=resource
                ),
            )
        if encoded_slash:
            self._check_encoded_slashes(found.params)
        route = found.route
        action = Action(
            name=route.action,
            access=route.access,
            risk=route.risk,
            categories=route.categories,
            resource=self.resource(found.params),
            resource_complete=found.complete,
            # `refine` may know better.
            params_complete=not request.query and request.body.state is BodyState.ABSENT,
        )
        return self.refine(action, request)

    def resource(self, params: Mapping[str, str]) -> dict[str, str]:
        """Resource fields from path parameters as they stand in the path."""
        names = self.resource_names
        return {
            names.get(key, key): self.spelled(key, unquote(value) if "%" in value else value)
            for key, value in params.items()
        }

    def spelled(self, key: str, value: str) -> str:
        """The one spelling of a decoded path parameter that its service takes in several.

        Raises:
            RequestRejected: it has characters whose folding depends on who folds.
        """
        if key not in self.case_insensitive:
            return value
        if not value.isascii():
            raise RequestRejected(f"character outside ASCII in `{key}`")
        return value.lower()

    def _find(self, request: OutboundRequest) -> Match | None:
        path = self.below(request)
        return None if path is None else self.find(self._table, request.method, path)

    @property
    def _table(self) -> RouteTable:
        return _compiled(type(self)).table

    def _refuse_lookalike(self, found: Match | None, request: OutboundRequest) -> None:
        # How the service's router folds paths is not documented. If it does, a capital letter would
        # turn a denied operation into one that no rule knows.
        folded = replace(request, path=folded_path(request.path))
        path = self.below(folded)
        if path is None:
            return
        other = self.find(_compiled(type(self)).folded, request.method, path)
        if other is not None and (found is None or other.route.action != found.route.action):
            raise RequestRejected("path differs from a known operation in case or decoration only")

    def _check_encoded_slashes(self, params: Mapping[str, str]) -> None:
        for key, value in params.items():
            if "%2F" in value and key not in self.slash_params:
                raise RequestRejected(f"encoded slash in `{key}`")


def folded_path(path: str) -> str:
    """A canonical path as the laxest router would read it, without a slash at its end."""
    decoded = _ENCODED.sub(lambda found: unquote(found[0]), path.lower())
    return _DROPPED.sub("", decoded).rstrip("/") or "/"


class _Catalogue:
    """What is read and compiled once for a type, when it is first asked for."""

    def __init__(self, kind: type[CatalogueConnector]) -> None:
        self._kind = kind

    @cached_property
    def rows(self) -> Sequence[Route]:
        return self._kind.rows()

    @cached_property
    def table(self) -> RouteTable:
        return RouteTable(self._kind.matched(self.rows), tail_params=self._kind.tail_params)

    @cached_property
    def folded(self) -> RouteTable:
        lowered = [replace(row, path=row.path.lower()) for row in self._kind.matched(self.rows)]
        tails = frozenset(name.lower() for name in self._kind.tail_params)
        return RouteTable(lowered, tail_params=tails)

    @cached_property
    def actions(self) -> frozenset[str]:
        return frozenset(row.action for row in self.rows)

    @cached_property
    def fields(self) -> frozenset[str]:
        names = self._kind.resource_names
        return frozenset(names.get(key, key) for row in self.rows for key in row.parameters)


@cache
def _compiled(kind: type[CatalogueConnector]) -> _Catalogue:
    return _Catalogue(kind)
