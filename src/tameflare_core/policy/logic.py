"""Logic with a third truth, that of what cannot be told: Kleene's strong logic."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tameflare_core.policy.facts import Truth

__all__ = ["all_of", "any_of", "negated"]


def all_of[T](tests: Sequence[Callable[[T], Truth]]) -> Callable[[T], Truth]:
    """False where one test is false, else unknown where one is unknown, else true."""
    if len(tests) == 1:
        return tests[0]

    def test_all(subject: T) -> Truth:
        result: Truth = True
        for test in tests:
            truth = test(subject)
            if truth is None:
                result = None
            elif not truth:
                return False
        return result

    return test_all


def any_of[T](tests: Sequence[Callable[[T], Truth]]) -> Callable[[T], Truth]:
    """True where one test is true, else unknown where one is unknown, else false."""
    if len(tests) == 1:
        return tests[0]

    def test_any(subject: T) -> Truth:
        result: Truth = False
        for test in tests:
            truth = test(subject)
            if truth is None:
                result = None
            elif truth:
                return True
        return result

    return test_any


def negated[T](test: Callable[[T], Truth]) -> Callable[[T], Truth]:
    """False for true, true for false, unknown for unknown."""

    def test_not(subject: T) -> Truth:
        truth = test(subject)
        return None if truth is None else not truth

    return test_not
