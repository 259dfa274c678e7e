from __future__ import annotations

import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.globs import Glob


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_star_is_any_run_of_characters(glob: str, value: str) -> None:
    assert Glob(glob).matches(value) == fnmatch.fnmatchcase(value, glob)


@pytest.mark.parametrize("text", ["[ab]", "a?", "a.b", "!a", "a\\", "", "ä"])
def test_only_the_star_is_special(text: str) -> None:
    assert Glob(text).matches(text)
    assert not Glob(text).matches(f"{text}b")
    assert not Glob(text).matches(f"b{text}")


def test_case_matters() -> None:
    assert not Glob("A*").matches("ab")


def test_hostile_glob_is_matched_in_linear_time() -> None:
    glob = Glob("a*" * 2000 + "b")
    started = time.perf_counter()
    assert not glob.matches("a" * 8000)
    assert time.perf_counter() - started < 0.1
