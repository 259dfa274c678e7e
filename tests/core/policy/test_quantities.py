"""Numbers with units: exact, in the unit that the field is counted in."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tameflare_core.policy.quantities import Measure, Quantity, number_of, seconds
from tameflare_core.request import Body


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5),
        (-5, -5),
        (0.1, Decimal("0.1")),
        (1e3, 1000),
        ("5", 5),
        ("-5.50", Decimal("-5.5")),
        (Decimal("1.5"), Decimal("1.5")),
        ("9" * 30, int("9" * 30)),
        ("9" * 31, None),
        ("1e3", None),
        ("+5", None),
        (" 5", None),
        ("5\n", None),
        ("5.", None),
        ("0x10", None),
        ("1_000", None),
        ("\u0665", None),
        ("", None),
        ("nan", None),
        (float("inf"), None),
        (float("nan"), None),
        (Decimal("NaN"), None),
        (True, None),
        (None, None),
        ([5], None),
    ],
)
def test_only_plain_numbers_are_numbers(value, number):
    assert number_of(value) == number


@pytest.mark.parametrize(
    ("value", "span"),
    [("90s", 90), ("15m", 900), ("1h", 3600), ("7d", 604800), ("1.5h", 5400), (30, 30), (0.5, 0.5)],
)
def test_span_is_told_in_seconds(value, span):
    assert seconds(value) == span


@pytest.mark.parametrize(
    "value", ["", "s", "1w", "1 h 5 m", "-1h", 0, -5, True, None, "1H", float("inf"), 10**400]
)
def test_what_is_no_span_is_refused(value):
    with pytest.raises(ValueError, match="is not "):
        seconds(value)


@pytest.mark.parametrize(
    ("value", "field", "number", "unit"),
    [
        (10000, "params.amount", 10000, ""),
        ("10000", "params.amount", 10000, ""),
        (0.5, "params.temperature", Decimal("0.5"), ""),
        ("500 EUR", "params.amount", 50000, "EUR"),
        ("50.00 eur", "params.amount", 5000, "EUR"),
        ("50.5EUR", "params.amount", 5050, "EUR"),
        ("500 JPY", "params.amount", 500, "JPY"),
        ("500.00 JPY", "params.amount", 500, "JPY"),
        ("5.124 KWD", "params.amount", 5124, "KWD"),
        ("5000 minor", "params.amount", 5000, "minor"),
        ("20000 tokens", "params.max_tokens", 20000, "tokens"),
        ("10 B", "request.body_size", 10, "B"),
        ("10 kB", "request.body_size", 10_000, "B"),
        ("10 MiB", "request.body_size", 10 * 1024**2, "B"),
        ("1.5 GB", "request.body_size", 1_500_000_000, "B"),
        (10, "request.body_size", 10, ""),
        ("9" * 18 + " GiB", "request.body_size", int("9" * 18) * 1024**3, "B"),
        (90, "action.risk_score", 90, ""),
    ],
)
def test_quantity_is_counted_in_the_smallest_unit(value, field, number, unit):
    assert Quantity.parse(value, field) == Quantity(number=number, unit=unit)


@pytest.mark.parametrize(
    ("value", "field", "message"),
    [
        ("50.001 EUR", "params.amount", "`EUR` has 2 decimals, and `50.001` has more"),
        ("0.5 JPY", "params.amount", "`JPY` has 0 decimals"),
        ("50 ISK", "params.amount", "count `ISK` in different minor units"),
        ("50 UGX", "params.amount", "count `UGX` in different minor units"),
        ("50 QQQ", "params.amount", "`params.amount` is not counted in `QQQ`"),
        ("50 tokens", "params.amount", "`params.amount` is not counted in `tokens`"),
        ("10 MiB", "params.amount", "`params.amount` is not counted in `MiB`"),
        ("10 EUR", "request.body_size", "`request.body_size` is not counted in `EUR`"),
        ("10 mib", "request.body_size", "is not counted in `mib`: write bytes, or"),
        ("10 EUR", "action.risk_score", "write a number without a unit"),
        ("1e3", "params.amount", "`1e3` is not a number"),
        ("9" * 19 + " EUR", "params.amount", "is not a number"),
        (True, "params.amount", "`True` is not a number"),
        ([5], "params.amount", r"`\[5\]` is not a number"),
        (float("nan"), "params.amount", "`nan` is not a number"),
    ],
)
def test_quantity_in_another_unit_is_refused(value, field, message):
    with pytest.raises(ValueError, match=message):
        Quantity.parse(value, field)


def test_text_that_is_no_quantity_stays_text():
    assert Quantity.within("50 ways", "params.title") is None
    assert Quantity.within("50 EUR", "resource.owner") is None
    assert Quantity.within("50 EUR", "params.amount") == Quantity(number=5000, unit="EUR")


def test_currency_is_told_apart_from_other_units():
    assert Quantity.parse("5 EUR", "params.amount").currency == "EUR"
    assert Quantity.parse("5 minor", "params.amount").currency == ""


@pytest.mark.parametrize(
    ("params", "unit", "added"),
    [
        ({"amount": 5000, "currency": "eur"}, "EUR", 5000),
        ({"amount": "5000", "currency": "EUR"}, "EUR", 5000),
        ({"amount": 5000, "currency": "usd"}, "EUR", None),
        ({"amount": 5000, "currency": "eur,usd"}, "EUR", None),
        ({"amount": 5000, "currency": ["eur"]}, "EUR", None),
        ({"amount": 5000}, "EUR", None),
        ({"amount": 5000}, "minor", 5000),
        ({"amount": 5000}, "", 5000),
        ({"amount": 0}, "", 0),
        # Less than nothing would make room for more.
        ({"amount": -5000}, "", None),
        ({"amount": "all"}, "", None),
        ({"amount": True}, "", None),
        ({}, "", None),
    ],
)
def test_measure_adds_only_what_can_be_told(facts, params, unit, added):
    assert Measure.parse("params.amount").of(facts(params=params), unit) == added


def test_measure_of_an_incomplete_mapping_is_unknown(facts):
    assert Measure.parse("params.n").of(facts(params={}, params_complete=False)) is None


def test_measure_counts_the_bytes_of_a_body(facts):
    size = Measure.parse("request.body_size")
    assert size.of(facts(body=Body.complete(b"12345")), "B") == 5
    assert size.of(facts(body=Body.oversize(b"12345")), "B") is None


@pytest.mark.parametrize("text", ["action.name", "request.port", "resource.owner", "params", "x"])
def test_measure_of_what_has_no_sum_is_refused(text):
    with pytest.raises(ValueError, match=text):
        Measure.parse(text)
