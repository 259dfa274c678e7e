"""Permissions: patterns over action names, and which of several matching ones decides.

The most specific matching rule decides, and the order in which rules were written never matters.
Compared in this order, first difference wins: exact action before any pattern, more literal
segments, longer literal prefix, more constraints, stricter decision.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tameflare_core.action import Access, Action, Category, Risk
from tameflare_core.decision import Decision

__all__ = ["ActionPattern", "Permission", "PermissionTable"]

_PATTERN = re.compile(r"(?:[a-z0-9_][a-z0-9_-]*|\*)(?:\.(?:[a-z0-9_][a-z0-9_-]*|\*))*")

# Segments that stand for "we do not know what this does": a wildcard must not reach them.
_GUARDED = frozenset({"unmapped", "opaque"})
_MAX_REMEMBERED = 8192


@dataclass(frozen=True)
class ActionPattern:
    """An action name in which `*` stands for a segment, and a final `*` for one or more.

    Raises:
        ValueError: `text` is not a pattern.
    """

    text: str

    def __post_init__(self) -> None:
        if not _PATTERN.fullmatch(self.text):
            lower = self.text.lower()
            advice = f": write `{lower}`" if _PATTERN.fullmatch(lower) else " like `github.pr.*`"
            raise ValueError(f"`{self.text}` is not an action pattern{advice}")

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The dot-separated parts."""
        return tuple(self.text.split("."))

    @cached_property
    def is_exact(self) -> bool:
        """Whether it holds no wildcard."""
        return "*" not in self.segments

    @cached_property
    def literals(self) -> int:
        """The number of segments that are no wildcard."""
        return sum(segment != "*" for segment in self.segments)

    @cached_property
    def prefix(self) -> tuple[str, ...]:
        """The segments before the first wildcard."""
        if self.is_exact:
            return self.segments
        return self.segments[: self.segments.index("*")]

    @cached_property
    def specificity(self) -> tuple[bool, int, int]:
        """The pattern's part of the resolution order; larger wins."""
        return self.is_exact, self.literals, len(".".join(self.prefix))

    def matches(self, action: Action) -> bool:
        """Whether the pattern covers `action`.

        An unmapped action is covered by its own name, by a pattern that writes out `unmapped`, and
        by `<provider>.*`; an opaque one only where `opaque` is written out.
        """
        if not self.covers(action.name):
            return False
        name = action.name.split(".")
        if name[1] not in _GUARDED:
            return True
        if len(self.segments) > 1 and self.segments[1] == name[1]:
            return True
        # `*` alone and `<provider>.*`: whoever writes those means everything that can be read.
        return name[1] == "unmapped" and self.segments in {("*",), (name[0], "*")}

    def covers(self, action_name: str) -> bool:
        """Whether the pattern, read as text alone, covers `action_name`."""
        own, name = self.segments, action_name.split(".")
        if own[-1] == "*":
            if len(name) < len(own):
                return False
        elif len(name) != len(own):
            return False
        return all(part in ("*", name[index]) for index, part in enumerate(own))


@dataclass(frozen=True, kw_only=True)
class Permission:
    """One rule: what an action pattern on a connector leads to.

    Attributes:
        id: where it stands in the configuration.
        connector: the id of the connector it is about.
        action: which actions.
        decision: what they lead to.
        access, risk, category: constraints on the action; None means any.
        resource: constraints on the resource's fields: a value, or a value with `*` in it for any
            run of characters.
    """

    id: str
    connector: str
    action: ActionPattern
    decision: Decision
    access: Access | None = None
    risk: Risk | None = None
    category: Category | None = None
    resource: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def specificity(self) -> tuple[bool, int, int, int, int]:
        """The sort key of the resolution order; larger wins."""
        constraints = len(self.resource) + sum(
            part is not None for part in (self.access, self.risk, self.category)
        )
        return (*self.action.specificity, constraints, self.decision.strictness)

    def matches(self, action: Action) -> bool:
        """Whether the rule covers `action`, constraints included."""
        return self.action.matches(action) and self.admits(action)

    def admits(self, action: Action) -> bool:
        """Whether the constraints, apart from the pattern, hold for `action`."""
        return (
            (self.access is None or self.access is action.access)
            and (self.risk is None or self.risk is action.risk)
            and (self.category is None or self.category in action.categories)
            and all(
                test(value)
                if (value := action.resource.get(key)) is not None
                else self._assumes_missing(action)
                for key, test in self._resource_tests
            )
        )

    def _assumes_missing(self, action: Action) -> bool:
        # What a request does not tell cannot be ruled out, so it never loosens a verdict.
        return not action.resource_complete and self.decision is not Decision.ALLOW

    @cached_property
    def _resource_tests(self) -> tuple[tuple[str, _ValueTest], ...]:
        return tuple((key, _ValueTest(value)) for key, value in self.resource.items())


class _ValueTest:
    """A resource constraint: equality, or a glob whose only wildcard is `*`."""

    __slots__ = ("_parts", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        self._parts = value.split("*") if "*" in value else None

    def __call__(self, actual: str) -> bool:
        if self._parts is None:
            return actual == self._value
        # Greedy leftmost search: linear, where a regular expression of many `.*` would not be.
        first, *middle, last = self._parts
        if len(actual) < len(first) + len(last):
            return False
        if not (actual.startswith(first) and actual.endswith(last)):
            return False
        position, end = len(first), len(actual) - len(last)
        for part in middle:
            found = actual.find(part, position, end)
            if found < 0:
                return False
            position = found + len(part)
        return True


class PermissionTable:
    """The permissions of one connector, indexed so that the cost of a lookup does not grow.

    Rules are found by their pattern, of which few can cover one name, and below it by the values of
    their resource constraints. Which patterns cover a name is remembered.
    """

    def __init__(self, permissions: Iterable[Permission]) -> None:
        shelves: dict[str, _Shelf] = {}
        for permission in permissions:
            pattern = permission.action
            if pattern.text not in shelves:
                shelves[pattern.text] = _Shelf(pattern)
            shelves[pattern.text].add(permission)
        self._by_prefix: dict[tuple[str, ...], list[_Shelf]] = {}
        for shelf in shelves.values():
            self._by_prefix.setdefault(shelf.pattern.prefix, []).append(shelf)
        self._remembered: dict[str, list[_Shelf]] = {}

    def most_specific(self, action: Action) -> Permission | None:
        """The rule that decides `action`; None when no rule matches."""
        best: Permission | None = None
        for shelf in self._covering(action):
            if best is not None and shelf.pattern.specificity < best.action.specificity:
                break
            for permission in shelf.candidates(action):
                if (best is None or _rank(permission) > _rank(best)) and permission.admits(action):
                    best = permission
        return best

    def matching(self, action: Action) -> list[Permission]:
        """Every rule that matches `action`, the deciding one first."""
        found = [
            rule
            for shelf in self._covering(action)
            for rule in shelf.candidates(action)
            if rule.admits(action)
        ]
        return sorted(found, key=_rank, reverse=True)

    def _covering(self, action: Action) -> list[_Shelf]:
        """The shelves whose pattern covers `action`, the most specific first."""
        shelves = self._remembered.get(action.name)
        if shelves is None:
            if len(self._remembered) >= _MAX_REMEMBERED:
                self._remembered.clear()
            segments = tuple(action.name.split("."))
            shelves = self._remembered[action.name] = sorted(
                (
                    shelf
                    for length in range(len(segments) + 1)
                    for shelf in self._by_prefix.get(segments[:length], ())
                    if shelf.pattern.matches(action)
                ),
                key=lambda shelf: shelf.pattern.specificity,
                reverse=True,
            )
        return shelves


def _rank(permission: Permission) -> tuple[tuple[bool, int, int, int, int], str, str]:
    # Two rules that are equal in specificity have the same decision; their text only settles which
    # of them is named, the same whatever the order.
    return permission.specificity, permission.action.text, permission.id


class _Shelf:
    """The rules of one pattern, found by the values of their resource constraints.

    A rule is kept under the fields that it wants to be equal to something; without any, under the
    beginning of its first value with a `*`; without constraints, with the general ones.
    """

    __slots__ = ("_all", "_by_beginning", "_by_values", "_general", "pattern")

    def __init__(self, pattern: ActionPattern) -> None:
        self.pattern = pattern
        self._all: list[Permission] = []
        self._general: list[Permission] = []
        self._by_values: dict[tuple[str, ...], dict[tuple[str | None, ...], list[Permission]]] = {}
        self._by_beginning: dict[tuple[str, int], dict[str, list[Permission]]] = {}

    def add(self, permission: Permission) -> None:
        self._all.append(permission)
        if not permission.resource:
            self._general.append(permission)
            return
        exact = sorted((k, v) for k, v in permission.resource.items() if "*" not in v)
        if exact:
            keys, values = zip(*exact, strict=True)
            self._by_values.setdefault(keys, {}).setdefault(values, []).append(permission)
            return
        key, glob = min(permission.resource.items())
        beginning = glob.split("*", 1)[0]
        place = key, len(beginning)
        self._by_beginning.setdefault(place, {}).setdefault(beginning, []).append(permission)

    def candidates(self, action: Action) -> Iterator[Permission]:
        """The rules that can match `action`; whether they do is still to be asked."""
        if not action.resource_complete:
            yield from self._all
            return
        yield from self._general
        resource = action.resource
        for keys, by_values in self._by_values.items():
            yield from by_values.get(tuple(map(resource.get, keys)), ())
        for (key, length), by_beginning in self._by_beginning.items():
            yield from by_beginning.get(resource.get(key, "")[:length], ())
