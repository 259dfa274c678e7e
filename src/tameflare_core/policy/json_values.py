"""Comparing parameters, whose values are whatever the request's JSON or form says.

A form has text where JSON has numbers and booleans, so these are compared across that border. What
a service may read as equal and this library cannot, like `1e3` and 1000, cannot be told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal

from tameflare_core.policy.facts import Truth
from tameflare_core.policy.logic import any_of
from tameflare_core.policy.quantities import Number, number_of

__all__ = ["Scalar", "contains", "is_one_of", "is_text_that"]

type Scalar = str | bool | Number

type _Test = Callable[[object], Truth]

# What JSON writes for a number: `01` is a text of its own.
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,28})(?:\.[0-9]{1,28})?")


def is_one_of(expected: Sequence[Scalar]) -> _Test:
    """Test whether a parameter is one of `expected`.

    It cannot be told for lists, mappings, and other spellings of numbers and booleans.
    """
    test = any_of([_equals(each) for each in expected])
    texts = frozenset(each for each in expected if isinstance(each, str))
    if len(texts) < len(expected):
        return test
    return lambda value: value in texts if isinstance(value, str) else test(value)


def _equals(expected: Scalar) -> _Test:
    if isinstance(expected, bool):
        return _equals_flag(expected)
    if isinstance(expected, str):
        return _equals_text(expected)
    return _equals_number(expected)


def _equals_text(expected: str) -> _Test:
    as_number = Decimal(expected) if _JSON_NUMBER.fullmatch(expected) else None

    def test(value: object) -> Truth:
        if isinstance(value, str):
            return value == expected
        if isinstance(value, bool):
            return expected == ("true" if value else "false")
        number = number_of(value)
        return None if number is None else number == as_number

    return test


def _equals_number(expected: Number) -> _Test:
    def test(value: object) -> Truth:
        number = number_of(value)
        return None if number is None else number == expected

    return test


def _equals_flag(expected: bool) -> _Test:
    def test(value: object) -> Truth:
        if value is True or value == "true":
            return expected
        if value is False or value == "false":
            return not expected
        return None

    return test


def contains(expected: Scalar) -> _Test:
    """Test whether a list has `expected` as an element, or a text has it as a part."""
    is_expected = _equals(expected)

    def test(value: object) -> Truth:
        if isinstance(value, list | tuple):
            truths = [is_expected(element) for element in value]
            return True if True in truths else None if None in truths else False
        if isinstance(value, str) and isinstance(expected, str):
            return expected in value
        return None

    return test


def is_text_that(test_text: Callable[[str], bool]) -> _Test:
    """Test a parameter that is a text; unknown for everything else."""

    def test(value: object) -> Truth:
        return test_text(value) if isinstance(value, str) else None

    return test
