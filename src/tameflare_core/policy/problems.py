"""What is wrong with a condition, and where: all of it at once, so that it is corrected once."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["ConditionErrors", "Place", "Problem", "Report"]

type Place = tuple[str | int, ...]
"""Keys and indexes from the top of a condition down to a value."""

type Problem = tuple[Place, str]
"""Where, and what is wrong there."""


class ConditionErrors(ValueError):
    """A condition cannot be loaded.

    Attributes:
        problems: all that is wrong with it, in the order of the document.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(message for _, message in self.problems))


class Report:
    """The problems of a document, collected while it is read.

    Args:
        problems: where they go.
        place: the part of the document that is being read.
    """

    __slots__ = ("_place", "_problems")

    def __init__(self, problems: list[Problem], place: Place = ()) -> None:
        self._problems = problems
        self._place = place

    def below(self, *steps: str | int) -> Report:
        """The same report, for a part of the part that is being read."""
        return Report(self._problems, (*self._place, *steps))

    def add(self, message: str) -> None:
        """Note that the part being read is wrong."""
        self._problems.append((self._place, message))
