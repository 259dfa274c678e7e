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
            raise ValueError(f"`{self.text}` is not an action pattern like `github.pr.*`")

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
        return (
            self.action.is_exact,
            self.action.literals,
            len(".".join(self.action.prefix)),
            constraints,
            self.decision.strictness,
        )

    def matches(self, action: Action) -> bool:
        """Whether the rule covers `action`, constraints included."""
        return self.action.matches(action) and self.admits(action)

    def admits(self, action: Action) -> bool:
        """Whether the constraints, apart from the pattern, hold for `action`."""
        return (
            (self.access is None or self.access is action.access)
            and (self.risk is None or self.risk is action.risk)
            and (self.category is None or self.category in action.categories)
            and all(test(action.resource.get(key)) for key, test in self._resource_tests)
        )

    @cached_property
    def _resource_tests(self) -> tuple[tuple[str, _ValueTest], ...]:
        return tuple((key, _ValueTest(value)) for key, value in self.resource.items())


class _ValueTest:
    """A resource constraint: equality, or a glob whose only wildcard is `*`."""

    __slots__ = ("_parts", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        self._parts = value.split("*") if "*" in value else None

    def __call__(self, actual: str | None) -> bool:
        if actual is None:
            return False
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

    Rules are found by the literal prefix of their pattern and, below it, by the value of one exact
    resource constraint; the answer for a name is remembered.
    """

    def __init__(self, permissions: Iterable[Permission]) -> None:
        self._by_prefix: dict[tuple[str, ...], list[Permission]] = {}
        for permission in permissions:
            self._by_prefix.setdefault(permission.action.prefix, []).append(permission)
        self._shelves: dict[str, _Shelf] = {}

    def most_specific(self, action: Action) -> Permission | None:
        """The rule that decides `action`; None when no rule matches."""
        shelf = self._shelves.get(action.name)
        if shelf is None:
            if len(self._shelves) >= _MAX_REMEMBERED:
                self._shelves.clear()
            shelf = self._shelves[action.name] = _Shelf(self._covering(action))
        best: Permission | None = None
        for permission in shelf.candidates(action):
            if (best is None or _rank(permission) > _rank(best)) and permission.admits(action):
                best = permission
        return best

    def matching(self, action: Action) -> list[Permission]:
        """Every rule that matches `action`, the deciding one first."""
        found = [rule for rule in self._covering(action) if rule.admits(action)]
        return sorted(found, key=_rank, reverse=True)

    def _covering(self, action: Action) -> list[Permission]:
        segments = tuple(action.name.split("."))
        return [
            permission
            for length in range(len(segments) + 1)
            for permission in self._by_prefix.get(segments[:length], ())
            if permission.action.matches(action)
        ]


def _rank(permission: Permission) -> tuple[tuple[bool, int, int, int, int], str, str]:
    # Two rules that are equal in specificity have the same decision; their text only settles which
    # of them is named, the same whatever the order.
    return permission.specificity, permission.action.text, permission.id


class _Shelf:
    """The rules whose pattern covers one action name, split by an exact resource constraint."""

    __slots__ = ("_by_value", "_general")

    def __init__(self, permissions: list[Permission]) -> None:
        self._general: list[Permission] = []
        self._by_value: dict[str, dict[str, list[Permission]]] = {}
        for permission in permissions:
            exact = [(k, v) for k, v in sorted(permission.resource.items()) if "*" not in v]
            if not exact:
                self._general.append(permission)
                continue
            # The last field is the narrowest in every built-in connector (owner before repo).
            key, value = exact[-1]
            self._by_value.setdefault(key, {}).setdefault(value, []).append(permission)

    def candidates(self, action: Action) -> Iterator[Permission]:
        yield from self._general
        for key, values in self._by_value.items():
            value = action.resource.get(key)
            if value is not None:
                yield from values.get(value, ())
