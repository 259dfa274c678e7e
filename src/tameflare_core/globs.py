"""Globs: text with `*` in it, matched in linear time."""

from __future__ import annotations

__all__ = ["Glob"]


class Glob:
    """A text in which `*` stands for any run of characters; nothing else is special.

    Args:
        text: the glob.
    """

    __slots__ = ("_parts", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._parts = text.split("*") if "*" in text else None

    def matches(self, actual: str) -> bool:
        """Whether the whole of `actual` is covered."""
        if self._parts is None:
            return actual == self._text
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
