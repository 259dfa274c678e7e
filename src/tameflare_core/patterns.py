"""Patterns over action names, and an index that finds those that cover a name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

__all__ = ["ActionPattern", "PatternIndex"]

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

    def permits(self, action_name: str) -> bool:
        """Whether a permission with this pattern is about `action_name`.

        An unmapped action is covered by its own name, by a pattern that writes out `unmapped`, and
        by `<provider>.*`; an opaque one only where `opaque` is written out.
        """
        if not self.covers(action_name):
            return False
        name = action_name.split(".")
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


class PatternIndex[Item]:
    """Finds what is kept under the patterns that cover a name, at a cost that does not grow.

    Patterns are found by the segments before their first wildcard, of which few can begin a name.
    What was found for a name is remembered.

    Args:
        items: each with its pattern; those of the most specific patterns are found first, and of
            equally specific ones the earlier.
        test: whether a pattern is about a name; `ActionPattern.permits` or `ActionPattern.covers`.
    """

    def __init__(
        self,
        items: Iterable[tuple[ActionPattern, Item]],
        test: Callable[[ActionPattern, str], bool],
    ) -> None:
        self._test = test
        self._by_prefix: dict[tuple[str, ...], list[tuple[ActionPattern, Item]]] = {}
        for pattern, item in items:
            self._by_prefix.setdefault(pattern.prefix, []).append((pattern, item))
        self._remembered: dict[str, tuple[Item, ...]] = {}

    def find(self, action_name: str) -> tuple[Item, ...]:
        """The items whose patterns are about `action_name`."""
        found = self._remembered.get(action_name)
        if found is None:
            # Names may be of an agent's making, as those of tools are.
            if len(self._remembered) >= _MAX_REMEMBERED:
                self._remembered.clear()
            found = self._remembered[action_name] = self._search(action_name)
        return found

    def _search(self, action_name: str) -> tuple[Item, ...]:
        segments = tuple(action_name.split("."))
        covering = [
            entry
            for length in range(len(segments) + 1)
            for entry in self._by_prefix.get(segments[:length], ())
            if self._test(entry[0], action_name)
        ]
        covering.sort(key=lambda entry: entry[0].specificity, reverse=True)
        return tuple(item for _, item in covering)
