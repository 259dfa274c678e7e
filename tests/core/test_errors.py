"""The tree of errors is the one that its module draws."""

from __future__ import annotations

import re

import pytest

from tameflare_core import errors
from tameflare_core.errors import ConfigError, TameflareError

ERRORS = [getattr(errors, name) for name in errors.__all__]


def drawn() -> dict[str, str]:
    """Each error of the drawing with the one that it hangs from."""
    parents: dict[str, str] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ([│ ├└─]*)([A-Z]\w+)", line)
        if found is None:
            continue
        depth = len(found[1]) // 4
        above[depth:] = [found[2]]
        if depth:
            parents[found[2]] = above[depth - 1]
    return parents


def test_drawing_shows_every_error_in_its_place() -> None:
    assert drawn() == {
        error.__name__: error.__base__.__name__ for error in ERRORS if error is not TameflareError
    }


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_is_caught_by_the_base(error: type[Exception]) -> None:
    assert issubclass(error, TameflareError)
    assert error.__doc__


def test_problems_of_a_configuration_are_kept_apart() -> None:
    error = ConfigError("a:1: x", "a:2: y")
    assert error.problems == ("a:1: x", "a:2: y")
    assert str(error) == "a:1: x\na:2: y"
