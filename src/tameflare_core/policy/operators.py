"""Operators: which fields each can be asked of, what it takes, and the closure that it becomes."""

from __future__ import annotations

import difflib
import enum
import operator
from collections.abc import Callable, Mapping

import re2

from tameflare_core.action import Access
from tameflare_core.policy.facts import ABSENT, UNTOLD, Facts, Truth
from tameflare_core.policy.fields import Field, Kind
from tameflare_core.policy.json_values import contains, is_one_of, is_text_that
from tameflare_core.policy.logic import negated
from tameflare_core.policy.networks import Networks
from tameflare_core.policy.operands import (
    Operand,
    Spelling,
    choice_operand,
    number_operand,
    operand,
    scalar_operand,
    text_operand,
)
from tameflare_core.policy.problems import Report
from tameflare_core.policy.quantities import Quantity, in_currency, number_of
from tameflare_core.policy.windows import TimeWindow

__all__ = ["Operator", "Test", "comparison"]

type Test = Callable[[Facts], Truth]
type _ValueTest = Callable[[object], Truth]

_MAX_PATTERN = 1000


class Operator(enum.StrEnum):
    """What can be asked of a field."""

    EQUALS = "equals"
    NOT_EQUALS = "not_equals"
    IN = "in"
    NOT_IN = "not_in"
    CONTAINS = "contains"
    NOT_CONTAINS = "not_contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    MATCHES = "matches"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    EXISTS = "exists"
    NOT_EXISTS = "not_exists"
    CIDR = "cidr"
    TIME_BETWEEN = "time_between"


_NEGATIONS = {
    Operator.NOT_EQUALS: Operator.EQUALS,
    Operator.NOT_IN: Operator.IN,
    Operator.NOT_CONTAINS: Operator.CONTAINS,
    Operator.NOT_EXISTS: Operator.EXISTS,
}
_ORDER = {
    Operator.GT: operator.gt,
    Operator.GTE: operator.ge,
    Operator.LT: operator.lt,
    Operator.LTE: operator.le,
}
_EQUALITY = {Operator.EQUALS, Operator.NOT_EQUALS, Operator.IN, Operator.NOT_IN}
_PRESENCE = {Operator.EXISTS, Operator.NOT_EXISTS}
_CONTENT = {Operator.CONTAINS, Operator.NOT_CONTAINS}
_OF_TEXT = {*_CONTENT, Operator.STARTS_WITH, Operator.ENDS_WITH, Operator.MATCHES, Operator.CIDR}
_ASKABLE = {
    Kind.TEXT: _EQUALITY | _OF_TEXT,
    Kind.CHOICE: _EQUALITY,
    Kind.LEVEL: _EQUALITY | _ORDER.keys(),
    Kind.NUMBER: _EQUALITY | _ORDER.keys(),
    Kind.WORDS: _CONTENT,
    Kind.ANY: _EQUALITY | _OF_TEXT | _ORDER.keys() | _PRESENCE,
    Kind.TIME: {Operator.TIME_BETWEEN},
}


def comparison(
    field: Field, asked: object, document: Mapping[object, object], report: Report
) -> Callable[[Spelling], Test] | None:
    """Read the operator and the value of a leaf.

    Args:
        field: what is looked at.
        asked: the operator.
        document: the leaf, whose `value` is read.
        report: takes what is wrong with either.

    Returns:
        What makes the test for one connector; None when something was wrong.
    """
    known = _operator(field, asked, report.below("op"))
    if known is None:
        return None
    positive = _NEGATIONS.get(known, known)
    below = report.below("value")
    if positive is Operator.EXISTS:
        if document.get("value", True) is not True:
            below.add(f"`{known}` takes no value")
            return None
        return _opposite(_existence(field)) if known in _NEGATIONS else _existence(field)
    if document.get("value") is None:
        below.add("missing" if "value" not in document else "write a value in place of null")
        return None
    make = _READERS[positive](field, positive, document["value"], below)
    return make if make is None or known is positive else _opposite(make)


def _operator(field: Field, asked: object, report: Report) -> Operator | None:
    askable = _ASKABLE[field.kind] | (_PRESENCE if field.resource else set())
    names = ", ".join(f"`{known}`" for known in Operator if known in askable)
    try:
        known = Operator(str(asked))
    except ValueError:
        nearest = difflib.get_close_matches(str(asked), list(Operator), n=1)
        advice = f"did you mean `{nearest[0]}`?" if nearest else f"write one of {names}"
        report.add(f"no operator `{asked}`: {advice}")
        return None
    if known not in askable:
        report.add(f"`{field.name}` is {field.kind.value}: write one of {names}")
        return None
    return known


def _opposite(make: Callable[[Spelling], Test]) -> Callable[[Spelling], Test]:
    return lambda spelling: negated(make(spelling))


def _existence(field: Field) -> Callable[[Spelling], Test]:
    read = field.read

    def test(facts: Facts) -> Truth:
        value = read(facts)
        return None if value is UNTOLD else value is not ABSENT

    return lambda _: test


def _of_present(field: Field, test: _ValueTest, *, currency: str = "") -> Test:
    """Ask a value; one that is absent for certain is not what was asked for."""
    if not field.may_be_missing:
        read_known = field.read
        return lambda facts: test(read_known(facts))
    read = in_currency(field.read, currency)

    def test_present(facts: Facts) -> Truth:
        value = read(facts)
        if value is ABSENT:
            return False
        return None if value is UNTOLD else test(value)

    return test_present


# Equality


def _read_equals(
    field: Field, _: Operator, value: object, report: Report
) -> Callable[[Spelling], Test] | None:
    return _equality(field, [operand(field, value, report)], report)


def _read_in(
    field: Field, _: Operator, value: object, report: Report
) -> Callable[[Spelling], Test] | None:
    if not isinstance(value, list) or not value:
        report.add("write a list of one value or more")
        return None
    operands = [operand(field, each, report.below(i)) for i, each in enumerate(value)]
    return _equality(field, operands, report)


def _equality(
    field: Field, operands: list[Operand | None], report: Report
) -> Callable[[Spelling], Test] | None:
    expected = [each for each in operands if each is not None]
    if len(expected) < len(operands):
        return None
    if field.kind in {Kind.NUMBER, Kind.ANY}:
        currencies = {each.currency if isinstance(each, Quantity) else "" for each in expected}
        if len(currencies) > 1:
            report.add("write all values in one currency, or all without one")
            return None
        test = is_one_of([each.number if isinstance(each, Quantity) else each for each in expected])
        made = _of_present(field, test, currency=currencies.pop())
        return lambda _: made
    texts = [str(each) for each in expected]
    return lambda spelling: _of_present(
        field,
        # A bound method written in C: half the time of a closure that compares.
        frozenset(spelling.whole(field, text) for text in texts).__contains__,
    )


# Order


def _read_order(
    field: Field, asked: Operator, value: object, report: Report
) -> Callable[[Spelling], Test] | None:
    compare = _ORDER[asked]
    if field.kind is Kind.LEVEL:
        level = choice_operand(field, value, report)
        if level is None:
            return None
        bound = field.choices.index(level)
        levels = {word for i, word in enumerate(field.choices) if compare(i, bound)}
        reached = _of_present(field, frozenset(levels).__contains__)
        return lambda _: reached
    quantity = number_operand(field, value, report)
    if quantity is None:
        return None
    most = quantity.number

    def test_number(value: object) -> Truth:
        number = number_of(value)
        return None if number is None else compare(number, most)

    made = _of_present(field, test_number, currency=quantity.currency)
    return lambda _: _of_default(field, made)


def _of_default(field: Field, test: Test) -> Test:
    """Doubt an amount that a write leaves out: a refund without one is a whole refund."""
    if not field.may_be_missing:
        return test
    read = field.read

    def test_order(facts: Facts) -> Truth:
        if facts.action.access is Access.WRITE and read(facts) is ABSENT:
            return None
        return test(facts)

    return test_order


# Texts


def _read_contains(
    field: Field, _: Operator, value: object, report: Report
) -> Callable[[Spelling], Test] | None:
    if field.kind is Kind.TEXT:
        return _read_part(field, Operator.CONTAINS, value, report)
    if field.kind is Kind.WORDS:
        word = choice_operand(field, value, report)
        if word is None:
            return None
        read = field.read
        return lambda _: lambda facts: word in read(facts)  # type: ignore[operator]  # a set
    if value == "":
        report.add("every text contains the empty one")
        return None
    scalar = scalar_operand(value, report)
    if scalar is None:
        return None
    test = _of_present(field, contains(scalar))
    return lambda _: test


def _read_part(
    field: Field, asked: Operator, value: object, report: Report
) -> Callable[[Spelling], Test] | None:
    part = text_operand(field, value, report)
    if part == "":
        report.add("every text contains the empty one")
    if not part:
        return None
    return lambda spelling: _of_present(
        field, is_text_that(_PARTS[asked](spelling.part(field, part)))
    )


_PARTS: dict[Operator, Callable[[str], Callable[[str], bool]]] = {
    Operator.CONTAINS: lambda part: lambda text: part in text,
    Operator.STARTS_WITH: lambda part: lambda text: text.startswith(part),
    Operator.ENDS_WITH: lambda part: lambda text: text.endswith(part),
}


def _read_matches(
    field: Field, _: Operator, value: object, report: Report
) -> Callable[[Spelling], Test] | None:
    pattern = text_operand(field, value, report)
    if pattern is None:
        return None
    if not 0 < len(pattern) <= _MAX_PATTERN:
        report.add(f"write a pattern of 1 to {_MAX_PATTERN} characters")
        return None
    try:
        _finder(pattern, ignore_case=False)
    except UnicodeEncodeError:
        report.add("not a pattern of RE2: it is not Unicode text")
        return None
    except re2.error as error:
        report.add(f"not a pattern of RE2: {error.args[0].decode('utf-8', 'replace')}")
        return None
    return lambda spelling: _of_present(
        field, is_text_that(_finder(pattern, ignore_case=spelling.ignores_case(field)))
    )


def _finder(pattern: str, *, ignore_case: bool) -> Callable[[str], bool]:
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not ignore_case
    search = re2.compile(pattern, options).search
    return lambda text: search(text) is not None


def _read_cidr(
    field: Field, _: Operator, value: object, report: Report
) -> Callable[[Spelling], Test] | None:
    networks = Networks.parse(value, report)
    if networks is None:
        return None
    test = _of_present(field, is_text_that(networks.contain))
    return lambda _: test


# Time


def _read_time(
    _field: Field, _: Operator, value: object, report: Report
) -> Callable[[Spelling], Test] | None:
    window = TimeWindow.parse(value, report)
    if window is None:
        return None
    return lambda _: lambda facts: window.contains(facts.now)


_READERS = {
    Operator.EQUALS: _read_equals,
    Operator.IN: _read_in,
    Operator.CONTAINS: _read_contains,
    Operator.STARTS_WITH: _read_part,
    Operator.ENDS_WITH: _read_part,
    Operator.MATCHES: _read_matches,
    Operator.GT: _read_order,
    Operator.GTE: _read_order,
    Operator.LT: _read_order,
    Operator.LTE: _read_order,
    Operator.CIDR: _read_cidr,
    Operator.TIME_BETWEEN: _read_time,
}
