"""Method and path to action: a catalogue compiled into a tree of segments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tameflare_core.action import Access, Category, Risk, action_name
from tameflare_core.canonical import canonical_path
from tameflare_core.errors import RequestRejected

__all__ = ["Match", "Route", "RouteTable", "path_template", "read_catalogue"]

_PARAMETER = re.compile(r"\{[A-Za-z0-9_-]+\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One row of a catalogue.

    Attributes:
        method: upper case.
        path: a template like `/repos/{owner}/{repo}/pulls/{pull_number}`.
        action, access, risk, categories: what the operation is.
    """

    method: str
    path: str
    action: str
    access: Access
    risk: Risk
    categories: frozenset[Category] = frozenset()

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the path's parameters, in order."""
        return tuple(name[1:-1] for name in _PARAMETER.findall(self.path))


def path_template(path: str) -> str:
    """Return `path` as a template that a canonical path can match, without a slash at its end.

    Raises:
        ValueError: a segment is neither plain nor a whole `{name}`, or a name stands twice. A row
            that never matches would be a hole that looks like a wall.
    """
    path = path if path == "/" else path.removesuffix("/")
    names = _PARAMETER.findall(path)
    plain = "/".join("x" if _PARAMETER.fullmatch(part) else part for part in path.split("/"))
    try:
        canonical = canonical_path(plain)
    except RequestRejected as error:
        raise ValueError(f"`{path}` is not a path template: {error}") from None
    if canonical.text != plain or canonical.ambiguities or len(set(names)) < len(names):
        raise ValueError(
            f"`{path}` is not a path template like `/items/{{id}}`: a segment is plain or a whole"
            " `{name}`, and no name stands twice"
        )
    return path


class Match(NamedTuple):
    """The row that covers a request.

    Attributes:
        route: the row.
        params: the path parameters as they stand in the path.
        complete: whether they are all that the path says about what it acts on.
    """

    route: Route
    params: Mapping[str, str]
    complete: bool = True


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    parameter: _Node | None = None
    routes: dict[str, tuple[Route, tuple[str, ...]]] = field(default_factory=dict)
    tails: dict[str, tuple[Route, tuple[str, ...]]] = field(default_factory=dict)


class RouteTable:
    """Routes, matched in time that depends on the path's length and not on their number.

    A literal segment beats a parameter; a parameter in `tail_params` at the end of a template takes
    one or more remaining segments, and is the last choice.

    Args:
        routes: the rows; later ones replace earlier ones of the same method and shape.
        tail_params: names of parameters that may span several segments.
    """

    def __init__(
        self, routes: Iterable[Route], *, tail_params: frozenset[str] = frozenset()
    ) -> None:
        self._root = _Node()
        for route in routes:
            self._add(route, tail_params)

    def _add(self, route: Route, tail_params: frozenset[str]) -> None:
        node = self._root
        names: list[str] = []
        segments = route.path[1:].split("/") if route.path != "/" else []
        for index, segment in enumerate(segments):
            if not _PARAMETER.fullmatch(segment):
                node = node.literals.setdefault(segment, _Node())
                continue
            name = segment[1:-1]
            names.append(name)
            if name in tail_params and index == len(segments) - 1:
                node.tails[route.method] = route, tuple(names)
            if node.parameter is None:
                node.parameter = _Node()
            node = node.parameter
        node.routes[route.method] = route, tuple(names)

    def match(self, method: str, path: str) -> Match | None:
        """The row that covers `method` and the canonical `path`; HEAD is read as GET."""
        method = "GET" if method == "HEAD" else method
        segments = path[1:].split("/") if path != "/" else []
        found = _walk(self._root, segments, 0, method, [])
        if found is None:
            return None
        (route, names), values = found
        return Match(route, dict(zip(names, values, strict=True)))


type _Found = tuple[tuple[Route, tuple[str, ...]], list[str]]


def _walk(
    node: _Node, segments: list[str], index: int, method: str, values: list[str]
) -> _Found | None:
    if index == len(segments):
        row = node.routes.get(method)
        return None if row is None else (row, values)
    segment = segments[index]
    child = node.literals.get(segment)
    if child is not None:
        found = _walk(child, segments, index + 1, method, values)
        if found is not None:
            return found
    if node.parameter is not None:
        found = _walk(node.parameter, segments, index + 1, method, [*values, segment])
        if found is not None:
            return found
    row = node.tails.get(method)
    return None if row is None else (row, [*values, "/".join(segments[index:])])


def read_catalogue(text: str, *, place: Callable[[str], str] = path_template) -> list[Route]:
    """Read a catalogue: tab-separated `method path action access risk categories`, with a header.

    Args:
        text: the catalogue.
        place: what a path has to be; it returns it in its one form.

    Raises:
        ValueError: a row that is not of that form.
    """
    header, *lines = text.splitlines()
    if header.split("\t") != ["method", "path", "action", "access", "risk", "categories"]:
        raise ValueError("not a catalogue: its first line is not the expected header")
    return [_row(line, place) for line in lines]


def _row(line: str, place: Callable[[str], str]) -> Route:
    method, path, action, access, risk, categories = line.split("\t")
    return Route(
        method=method,
        path=place(path),
        action=action_name(action),
        access=Access(access),
        risk=Risk(risk),
        categories=frozenset(Category(part) for part in categories.split(",") if part),
    )
