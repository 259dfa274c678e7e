"""Permissions: patterns over action names, and which of several matching ones decides.

The most specific matching rule decides, and the order in which rules were written never matters.
Compared in this order, first difference wins: exact action before any pattern, more literal
segments, longer literal prefix, more constraints, stricter decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tameflare_core.action import Access, Action, Category, Risk
from tameflare_core.decision import Decision
from tameflare_core.globs import Glob
from tameflare_core.patterns import ActionPattern, PatternIndex

__all__ = ["Permission", "PermissionTable"]


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
        return self.action.permits(action.name) and self.admits(action)

    def admits(self, action: Action) -> bool:
        """Whether the constraints, apart from the pattern, hold for `action`."""
        return (
            (self.access is None or self.access is action.access)
            and (self.risk is None or self.risk is action.risk)
            and (self.category is None or self.category in action.categories)
            and all(
                test.matches(value)
                if (value := action.resource.get(key)) is not None
                else self._assumes_missing(action)
                for key, test in self._resource_tests
            )
        )

    def failed_constraint(self, action: Action) -> str:
        """The first constraint that does not hold for `action`, in words; empty when all hold."""
        for name, wanted, actual in (
            ("access", self.access, action.access),
            ("risk", self.risk, action.risk),
        ):
            if wanted is not None and wanted is not actual:
                return f"{name} is {actual}"
        if self.category is not None and self.category not in action.categories:
            return f"it is not in category {self.category}"
        for key, test in self._resource_tests:
            value = action.resource.get(key)
            if value is not None and not test.matches(value):
                return f"{key} is {value}"
            if value is None and not self._assumes_missing(action):
                return f"the request does not say {key}"
        return ""

    def _assumes_missing(self, action: Action) -> bool:
        # What a request does not tell cannot be ruled out, so it never loosens a verdict.
        return not action.resource_complete and self.decision is not Decision.ALLOW

    @cached_property
    def _resource_tests(self) -> tuple[tuple[str, Glob], ...]:
        return tuple((key, Glob(value)) for key, value in self.resource.items())


class PermissionTable:
    """The permissions of one connector, indexed so that the cost of a lookup does not grow.

    Rules are found by their pattern, of which few can cover one name, and below it by the values of
    their resource constraints.
    """

    def __init__(self, permissions: Iterable[Permission]) -> None:
        self._all = tuple(permissions)
        shelves: dict[str, _Shelf] = {}
        for permission in self._all:
            pattern = permission.action
            if pattern.text not in shelves:
                shelves[pattern.text] = _Shelf(pattern)
            shelves[pattern.text].add(permission)
        self._shelves = PatternIndex(
            ((shelf.pattern, shelf) for shelf in shelves.values()), ActionPattern.permits
        )

    def most_specific(self, action: Action) -> Permission | None:
        """The rule that decides `action`; None when no rule matches."""
        best: Permission | None = None
        for shelf in self._shelves.find(action.name):
            if best is not None and shelf.pattern.specificity < best.action.specificity:
                break
            for permission in shelf.candidates(action):
                if (best is None or _rank(permission) > _rank(best)) and permission.admits(action):
                    best = permission
        return best

    def covering(self, action_name: str) -> list[Permission]:
        """Every rule whose pattern covers a name by its text, the most specific one first.

        Those that do not match are among them, for an account of why.
        """
        found = [rule for rule in self._all if rule.action.covers(action_name)]
        return sorted(found, key=_rank, reverse=True)


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
