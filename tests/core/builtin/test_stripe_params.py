"""Stripe's parameters: which are set, which are lists, and what they ask for in money."""

from __future__ import annotations

import pytest

from tameflare_core.builtin.stripe_params import elements, is_set, objects, shown
from tameflare_core.errors import OpaqueBody
from tameflare_core.parsers.strict_json import Json


@pytest.mark.parametrize("value", [None, "", "false", False, [], {}])
def test_empty_value_asks_for_nothing(value: Json) -> None:
    assert not is_set(value)


@pytest.mark.parametrize("value", ["true", "0", "no", "False", True, [""], {"a": ""}])
def test_any_other_value_asks_for_something(value: Json) -> None:
    assert is_set(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, []),
        ("a", ["a"]),
        (["a", "b"], ["a", "b"]),
        ({"0": "a", "01": "b"}, ["a", "b"]),
        ({"price": "p"}, [{"price": "p"}]),
    ],
)
def test_list_is_read_in_every_spelling(value: Json, expected: list[Json]) -> None:
    assert list(elements(value)) == expected


def test_metadata_is_no_object_of_the_request() -> None:
    inner: Json = {"b": "1"}
    assert list(objects({"a": [inner], "metadata": {"c": "2"}}))[1:] == [inner]


@pytest.mark.parametrize(
    ("params", "amount"),
    [
        ({"amount": "5", "application_fee_amount": "9"}, 9),
        ({"items": {"0": {"unit_amount": "2", "quantity": "3"}, "1": {"unit_amount": "1"}}}, 7),
        ({"amount": {"value": 5, "currency": "usd"}}, 5),
        ({"amount": {"gte": "5"}}, None),
        ({"unit_amount_decimal": "0.1"}, 1),
        ({"metadata": {"amount": "5"}}, None),
    ],
)
def test_amount_is_the_most_that_is_asked_for(params: dict[str, Json], amount: int | None) -> None:
    assert shown(params).get("amount") == amount


def test_amount_beyond_all_money_is_opaque() -> None:
    params: Json = {"amount": "9"}
    for _ in range(20):
        params = {"quantity": "999999999999999", "items": params}
    assert isinstance(params, dict)
    with pytest.raises(OpaqueBody):
        shown(params)


@pytest.mark.parametrize("value", [10**15, 1.5, True, "1e3", ["1"], {"0": "1"}])
def test_amount_that_is_no_plain_number_is_opaque(value: Json) -> None:
    with pytest.raises(OpaqueBody):
        shown({"amount": value})
