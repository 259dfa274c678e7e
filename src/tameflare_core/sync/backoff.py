"""How long to wait before the next try: longer each time, and never all at the same moment."""

from __future__ import annotations

import random

__all__ = ["Backoff"]


class Backoff:
    """Waiting times that double, with full jitter.

    Source: M. Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015).

    Args:
        first: seconds at the most before the second try.
        most: seconds at the most before any.
    """

    def __init__(self, first: float = 0.5, most: float = 30.0) -> None:
        self._first = first
        self._most = most
        self._tries = 0

    def next(self) -> float:
        """Seconds to wait now."""
        bound: float = min(self._most, self._first * 2.0 ** min(self._tries, 20))
        self._tries += 1
        # Never nothing at all: a refusal that comes at once would be asked for without a pause.
        return bound / 4 + random.uniform(0, bound * 3 / 4)  # noqa: S311  # no secret

    def reset(self) -> None:
        """It worked: the next failure starts from the beginning."""
        self._tries = 0
