"""Equality across the border between JSON and forms, and what cannot be told."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tameflare_core.policy.json_values import contains, is_one_of, is_text_that


@pytest.mark.parametrize(
    ("expected", "value", "truth"),
    [
        ("main", "main", True),
        ("main", "Main", False),
        ("main", " main", False),
        ("main", 5, False),
        ("main", True, False),
        ("5", 5, True),
        ("5", 5.0, True),
        ("5.0", 5, True),
        ("05", 5, False),
        ("5", "05", False),
        ("true", True, True),
        ("false", False, True),
        ("true", False, False),
        ("1", True, False),
        ("main", ["main"], None),
        ("main", {"main": 1}, None),
        ("main", b"main", None),
        (5, 5, True),
        (5, 5.0, True),
        (5, "5", True),
        (5, "5.00", True),
        (5, "05", True),
        (5, 6, False),
        (5, "6", False),
        (Decimal("0.1"), 0.1, True),
        # A service may read these as 5, or as no number at all.
        (5, " 5", None),
        (5, "5e0", None),
        (5, "five", None),
        (1, True, None),
        (5, [5], None),
        (True, True, True),
        (True, False, False),
        (True, "true", True),
        (True, "false", False),
        (False, "false", True),
        (False, False, True),
        (True, "1", None),
        (True, 1, None),
        (False, 0, None),
        (True, "TRUE", None),
        (True, [], None),
    ],
)
def test_equality_is_told_only_of_plain_spellings(expected, value, truth):
    assert is_one_of([expected])(value) is truth


@pytest.mark.parametrize(
    ("value", "truth"),
    [("main", True), (5, True), ("5", True), ("x", None), (6, False), (True, None), ([], None)],
)
def test_one_of_several_is_enough(value, truth):
    assert is_one_of(["main", 5])(value) is truth


@pytest.mark.parametrize(
    ("value", "truth"), [("a", True), ("c", False), (1, False), (["a"], None), ({}, None)]
)
def test_one_of_several_texts_is_told_of_every_text(value, truth):
    assert is_one_of(["a", "b"])(value) is truth


@pytest.mark.parametrize(
    ("expected", "value", "truth"),
    [
        ("a", ["a", "b"], True),
        ("a", ("a",), True),
        ("a", ["b"], False),
        ("a", [], False),
        ("a", [["a"]], None),
        ("a", ["b", {"a": 1}], None),
        ("a", ["a", {"a": 1}], True),
        (5, ["5"], True),
        (5, [5], True),
        (True, ["true"], True),
        ("rm", "rm -r", True),
        ("rm", "ls", False),
        (5, "5", None),
        ("5", 5, None),
        ("a", {"a": 1}, None),
        ("true", True, None),
    ],
)
def test_lists_have_elements_and_texts_have_parts(expected, value, truth):
    assert contains(expected)(value) is truth


@pytest.mark.parametrize(
    ("value", "truth"), [("yes", True), ("no", False), (5, None), (["yes"], None), (True, None)]
)
def test_only_texts_are_asked_as_texts(value, truth):
    assert is_text_that("yes".__eq__)(value) is truth
