"""What every operator makes of a match, another value, an absent one, an unread and a wrong one."""

from __future__ import annotations

import time

import pytest

from tameflare_core.action import Access
from tameflare_core.policy.conditions import ConditionErrors, parse_condition
from tameflare_core.policy.operators import Operator

READ, WRITE = Access.READ, Access.WRITE

# A parameter `x`: its value, whether all parameters were read, and the access of the action.
ABSENT = {"params": {}}
ABSENT_IN_READ = {"params": {}, "access": READ}
NULL = {"params": {"x": None}}
UNREAD = {"params": {}, "params_complete": False}


def x(value):
    return {"params": {"x": value}}


# operator, value, match, no match, wrong kind; then what an absent value gives.
OF_PARAMETERS = [
    ("equals", "main", "main", "dev", ["main"], False),
    ("not_equals", "main", "dev", "main", ["main"], True),
    ("in", ["main", 5], 5, 6, {"a": 1}, False),
    ("not_in", ["main", 5], 6, "5", {"a": 1}, True),
    ("contains", "a", ["a", "b"], ["b"], 5, False),
    ("contains", "a", "cat", "dog", 5, False),
    ("not_contains", "a", ["b"], ["a", "b"], {"a": 1}, True),
    ("starts_with", "ma", "main", "domain", ["main"], False),
    ("ends_with", "in", "main", "inner", 5, False),
    ("matches", "^m.*n$", "main", "mains", 5, False),
    ("gt", 10, 11, 10, "many", None),
    ("gte", 10, 10, 9, "1e1", None),
    ("lt", 10, "9.99", 10, True, None),
    ("lte", 10, 10, "10.01", [1], None),
    ("cidr", "10.0.0.0/8", "10.0.0.1", "example.com", 10, False),
]


@pytest.mark.parametrize(("op", "value", "match", "other", "wrong", "absent"), OF_PARAMETERS)
def test_operator_of_a_parameter(truth, op, value, match, other, wrong, absent):
    leaf = {"field": "params.x", "op": op, "value": value}
    assert truth(leaf, **x(match)) is True
    assert truth(leaf, **x(other)) is False
    assert truth(leaf, **x(wrong)) is None
    assert truth(leaf, **ABSENT) is absent
    assert truth(leaf, **NULL) is absent
    assert truth(leaf, **UNREAD) is None


@pytest.mark.parametrize("op", ["gt", "gte", "lt", "lte"])
def test_absent_number_is_beyond_no_limit_in_a_read(truth, op):
    leaf = {"field": "params.x", "op": op, "value": 10}
    assert truth(leaf, **ABSENT_IN_READ) is False
    assert truth(leaf, **ABSENT_IN_READ, params_complete=False) is None


@pytest.mark.parametrize("value", [0, "", False, [], {}])
def test_every_value_but_null_exists(truth, value):
    assert truth({"field": "params.x", "op": "exists"}, **x(value)) is True
    assert truth({"field": "params.x", "op": "not_exists"}, **x(value)) is False


@pytest.mark.parametrize(("op", "absent"), [("exists", False), ("not_exists", True)])
def test_existence_is_unknown_where_not_all_was_read(truth, op, absent):
    for leaf in ({"field": "params.x", "op": op}, {"field": "params.x", "op": op, "value": True}):
        assert truth(leaf, **ABSENT) is absent
        assert truth(leaf, **NULL) is absent
        assert truth(leaf, **UNREAD) is None
    of_resource = {"field": "resource.x", "op": op}
    assert truth(of_resource) is absent
    assert truth(of_resource, resource_complete=False) is None


OF_RESOURCES = [
    ("equals", "acme", "acme", "other", False),
    ("not_equals", "acme", "other", "acme", True),
    ("in", ["acme", "b"], "acme", "other", False),
    ("not_in", ["acme", "b"], "other", "acme", True),
    ("contains", "cm", "acme", "other", False),
    ("not_contains", "cm", "other", "acme", True),
    ("starts_with", "ac", "acme", "macac", False),
    ("ends_with", "me", "acme", "mea", False),
    ("matches", "^a", "acme", "bacme", False),
    ("cidr", ["10.0.0.0/8"], "10.0.0.1", "acme", False),
]


@pytest.mark.parametrize(("op", "value", "match", "other", "absent"), OF_RESOURCES)
def test_operator_of_a_resource(truth, op, value, match, other, absent):
    leaf = {"field": "resource.owner", "op": op, "value": value}
    assert truth(leaf, resource={"owner": match}) is True
    assert truth(leaf, resource={"owner": other}) is False
    assert truth(leaf, resource={}) is absent
    assert truth(leaf, resource={}, resource_complete=False) is None
    # What is there was read, whatever else was not.
    assert truth(leaf, resource={"owner": match}, resource_complete=False) is True


@pytest.mark.parametrize(
    ("field", "op", "value", "expected"),
    [
        ("action.name", "equals", "stripe.refund.create", True),
        ("action.name", "equals", "Stripe.Refund.Create", True),
        ("action.name", "in", ["stripe.refund.list", "stripe.payout.create"], False),
        ("action.name", "ends_with", ".create", True),
        ("action.name", "matches", r"^STRIPE\.", True),
        ("action.provider", "not_equals", "stripe", False),
        ("action.access", "equals", "write", True),
        ("action.access", "in", ["read"], False),
        ("action.risk", "equals", "high", True),
        ("action.risk", "not_in", ["high", "critical"], False),
        ("action.risk", "gt", "medium", True),
        ("action.risk", "gt", "high", False),
        ("action.risk", "gte", "high", True),
        ("action.risk", "lt", "critical", True),
        ("action.risk", "lte", "medium", False),
        ("action.risk_score", "gte", 80, True),
        ("action.risk_score", "in", [10, 70], False),
        ("action.categories", "contains", "financial", True),
        ("action.categories", "not_contains", "secrets", True),
        ("request.method", "equals", "post", True),
        ("request.scheme", "equals", "http", False),
        ("request.host", "equals", "API.Stripe.com", True),
        ("request.host", "ends_with", ".STRIPE.com", True),
        ("request.host", "matches", r"Stripe\.com$", True),
        ("request.host", "cidr", "0.0.0.0/0", False),
        ("request.port", "not_equals", 443, False),
        ("request.port", "lt", 1024, True),
        ("request.path", "starts_with", "/v1/", True),
        ("request.path", "equals", "/V1/refunds", False),
        ("request.content_type", "equals", "Application/JSON", True),
        ("request.body_size", "lte", "1 MiB", True),
        ("request.body_size", "equals", 0, True),
        ("request.connector", "in", ["stripe", "github"], True),
        ("gateway.name", "starts_with", "prod-", True),
        ("gateway.environment", "equals", "staging", False),
    ],
)
def test_operator_of_what_is_always_there(truth, field, op, value, expected):
    assert truth({"field": field, "op": op, "value": value}) is expected


def test_address_of_a_host_is_in_its_network(truth):
    leaf = {"field": "request.host", "op": "cidr", "value": ["10.0.0.0/8", "2001:db8::/32"]}
    assert truth(leaf, url="https://10.1.2.3/") is True
    assert truth(leaf, url="https://[2001:db8::1]/") is True
    assert truth(leaf, url="https://[::ffff:10.1.2.3]/") is True
    assert truth(leaf, url="https://192.0.2.1/") is False


def test_time_is_asked_of_the_clock_passed_in(truth, facts):
    leaf = {
        "field": "time",
        "op": "time_between",
        "value": {"from": "13:00", "to": "14:00", "zone": "Europe/Berlin"},
    }
    assert truth(leaf) is True
    assert truth({"not": leaf}) is False


# Money

OVER_FIFTY = {"field": "params.amount", "op": "gt", "value": "50.00 EUR"}


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"amount": 5001, "currency": "eur"}, True),
        ({"amount": 5000, "currency": "EUR"}, False),
        ({"amount": "5001", "currency": "eur"}, True),
        ({"amount": 5001, "currency": "usd"}, None),
        ({"amount": 1, "currency": "usd"}, None),
        ({"amount": 1, "currency": "eur,usd"}, None),
        ({"amount": 1}, None),
        ({"amount": 1, "currency": None}, None),
        # A refund without an amount is a whole refund.
        ({"currency": "eur"}, None),
        ({}, None),
    ],
)
def test_money_is_compared_in_its_own_currency_only(truth, params, expected):
    assert truth(OVER_FIFTY, params=params) is expected


def test_read_without_an_amount_is_not_over_a_limit(truth):
    assert truth(OVER_FIFTY, params={}, access=READ) is False


@pytest.mark.parametrize(
    ("op", "value", "params", "expected"),
    [
        ("equals", "50 EUR", {"amount": 5000, "currency": "eur"}, True),
        ("equals", "50 EUR", {"amount": 50, "currency": "eur"}, False),
        ("not_equals", "50 EUR", {"amount": 5000, "currency": "usd"}, None),
        ("not_equals", "50 EUR", {}, True),
        ("in", ["50 EUR", "60 EUR"], {"amount": 6000, "currency": "eur"}, True),
        ("lte", "500 JPY", {"amount": 500, "currency": "jpy"}, True),
        ("gt", "5000 minor", {"amount": 5001, "currency": "usd"}, True),
        ("gt", 5000, {"amount": 5001}, True),
    ],
)
def test_money_keeps_its_unit_in_every_comparison(truth, op, value, params, expected):
    assert truth({"field": "params.amount", "op": op, "value": value}, params=params) is expected


# Patterns


def test_pattern_is_found_anywhere(truth):
    leaf = {"field": "params.x", "op": "matches", "value": "b+"}
    assert truth(leaf, **x("abbc")) is True
    assert truth(leaf, **x("ABBC")) is False


def test_pattern_ignores_case_where_the_connector_does(truth):
    leaf = {"field": "resource.owner", "op": "matches", "value": "^Acme$"}
    assert truth(leaf, resource={"owner": "acme"}) is False
    assert truth(leaf, resource={"owner": "acme"}, folded=frozenset({"owner"})) is True


@pytest.mark.parametrize(
    ("op", "value"), [("equals", "ACME"), ("in", ["x", "Acme"]), ("contains", "CM")]
)
def test_value_is_spelled_as_the_connector_does(truth, op, value):
    leaf = {"field": "resource.owner", "op": op, "value": value}
    assert truth(leaf, resource={"owner": "acme"}) is False
    assert truth(leaf, resource={"owner": "acme"}, folded=frozenset({"owner"})) is True


def test_pattern_takes_linear_time(truth):
    leaf = {"field": "params.x", "op": "matches", "value": "(a+)+$"}
    start = time.perf_counter()
    assert truth(leaf, **x("a" * 100_000 + "b")) is False
    assert time.perf_counter() - start < 1


# What never loads


def problems(leaf):
    with pytest.raises(ConditionErrors) as caught:
        parse_condition(leaf)
    return caught.value.problems


ALWAYS_TEXT = ["contains", "not_contains", "starts_with", "ends_with", "matches", "cidr"]


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("action.name", ["gt", "gte", "lt", "lte", "exists", "not_exists", "time_between"]),
        ("action.access", [*ALWAYS_TEXT, "gt", "lte", "exists", "time_between"]),
        ("action.risk", [*ALWAYS_TEXT, "exists", "time_between"]),
        ("action.categories", ["equals", "in", "starts_with", "matches", "gt", "exists"]),
        ("request.port", [*ALWAYS_TEXT, "exists", "time_between"]),
        ("request.body_size", [*ALWAYS_TEXT, "exists"]),
        ("resource.owner", ["gt", "gte", "lt", "lte", "time_between"]),
        ("params.x", ["time_between"]),
        ("time", [str(op) for op in Operator if op is not Operator.TIME_BETWEEN]),
    ],
)
def test_operator_that_the_kind_does_not_have_never_loads(field, wrong):
    for op in wrong:
        ((place, message),) = problems({"field": field, "op": op, "value": "x"})
        assert place == ("op",)
        assert message.startswith(f"`{field}` is ")
        assert f"`{op}`" not in message


@pytest.mark.parametrize(
    ("leaf", "place", "message"),
    [
        ({"op": "equal", "value": 1}, ("op",), "no operator `equal`: did you mean `equals`?"),
        ({"op": "~=", "value": 1}, ("op",), "no operator `~=`: write one of `equals`, "),
        ({"op": ["gt"], "value": 1}, ("op",), "no operator `['gt']`: write one of"),
        ({"op": "equals"}, ("value",), "missing"),
        ({"op": "equals", "value": None}, ("value",), "write a value in place of null"),
        ({"op": "exists", "value": False}, ("value",), "`exists` takes no value"),
        ({"op": "not_exists", "value": "x"}, ("value",), "`not_exists` takes no value"),
        ({"op": "in", "value": []}, ("value",), "write a list of one value or more"),
        ({"op": "in", "value": "main"}, ("value",), "write a list of one value or more"),
        ({"op": "in", "value": ["a", [1]]}, ("value", 1), "write a text, a number"),
        (
            {"op": "in", "value": ["5 EUR", "5 USD"]},
            ("value",),
            "write all values in one currency, or all without one",
        ),
        (
            {"op": "in", "value": ["5 EUR", 5]},
            ("value",),
            "write all values in one currency, or all without one",
        ),
        ({"op": "contains", "value": ""}, ("value",), "every text contains the empty one"),
        ({"op": "contains", "value": ["a"]}, ("value",), "write a text, a number"),
        ({"op": "starts_with", "value": ""}, ("value",), "every text contains the empty one"),
        ({"op": "ends_with", "value": 5}, ("value",), "`params.x` is text: put `5` in quotes"),
        ({"op": "matches", "value": "a("}, ("value",), "not a pattern of RE2: missing ): a("),
        ({"op": "matches", "value": "(?=a)"}, ("value",), "not a pattern of RE2: invalid perl"),
        (
            {"op": "matches", "value": "\ud800"},
            ("value",),
            "not a pattern of RE2: it is not Unicode",
        ),
        ({"op": "matches", "value": ""}, ("value",), "write a pattern of 1 to 1000 characters"),
        ({"op": "matches", "value": "a" * 1001}, ("value",), "write a pattern of 1 to 1000"),
        ({"op": "matches", "value": 5}, ("value",), "`params.x` is text: put `5` in quotes"),
        ({"op": "gt", "value": "many"}, ("value",), "`many` is not a number"),
        ({"op": "gt", "value": True}, ("value",), "`True` is not a number"),
        ({"op": "cidr", "value": ["10.0.0.0/8", "x"]}, ("value", 1), "`x` is not a network"),
    ],
)
def test_wrong_operator_or_value_never_loads(leaf, place, message):
    ((found, told),) = problems({"field": "params.x"} | leaf)
    assert found == place
    assert told.startswith(message)


def test_kind_of_an_operator_is_named_when_it_is_wrong():
    ((_, message),) = problems({"field": "action.risk", "op": "matches", "value": "h"})
    assert message == (
        "`action.risk` is one of a few words in rising order: write one of `equals`, `not_equals`, "
        "`in`, `not_in`, `gt`, `gte`, `lt`, `lte`"
    )


@pytest.mark.parametrize("leaf", [{"op": "gt", "value": "hgih"}, {"op": "in", "value": ["hgih"]}])
def test_risk_that_does_not_exist_never_loads(leaf):
    ((_, message),) = problems({"field": "action.risk"} | leaf)
    assert message == "`action.risk` is never `hgih`: did you mean `high`?"


def test_category_that_does_not_exist_never_loads():
    leaf = {"field": "action.categories", "op": "contains", "value": "finance"}
    assert problems(leaf) == (
        (("value",), "`action.categories` is never `finance`: did you mean `financial`?"),
    )
