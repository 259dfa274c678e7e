"""Fields: what each reads, and that a mistyped one is refused with the nearest name."""

from __future__ import annotations

import pytest

from tameflare_core.action import Access, Action, Category, Risk
from tameflare_core.policy.facts import ABSENT, UNTOLD
from tameflare_core.policy.fields import field_named, risk_score
from tameflare_core.request import Body


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("action.name", "stripe.refund.create"),
        ("action.provider", "stripe"),
        ("action.access", "write"),
        ("action.risk", "high"),
        ("action.risk_score", 80),
        ("action.categories", {"financial", "destructive"}),
        ("resource.charge", "ch_1"),
        ("params.amount", 5000),
        ("request.method", "POST"),
        ("request.scheme", "https"),
        ("request.host", "api.stripe.com"),
        ("request.port", 443),
        ("request.path", "/v1/refunds"),
        ("request.content_type", "application/json"),
        ("request.body_size", 0),
        ("request.connector", "stripe"),
        ("gateway.name", "prod-agent"),
        ("gateway.environment", "production"),
    ],
)
def test_field_reads_its_value(facts, name, value):
    assert field_named(name).read(facts()) == value


def test_time_is_the_one_passed_in(facts):
    known = facts()
    assert field_named("time").read(known) is known.now


@pytest.mark.parametrize(
    ("name", "params", "value"),
    [
        ("params.a", {"a": 0}, 0),
        ("params.a", {"a": False}, False),
        ("params.a", {"a": ""}, ""),
        ("params.a", {"a": None}, ABSENT),
        ("params.a", {}, ABSENT),
        ("params.a.b", {"a": {"b": 1}}, 1),
        ("params.a.b", {}, ABSENT),
        ("params.a.b", {"a": None}, ABSENT),
        ("params.a.b", {"a": {}}, ABSENT),
        ("params.a.b", {"a": {"b": None}}, ABSENT),
        ("params.a.b", {"a": [{"b": 1}]}, UNTOLD),
        ("params.a.b", {"a": "text"}, UNTOLD),
        ("params.a.b.c", {"a": {"b": []}}, UNTOLD),
        ("params.a.b", {"a.b": 1}, ABSENT),
    ],
)
def test_path_goes_through_mappings_only(facts, name, params, value):
    assert field_named(name).read(facts(params=params)) is value


@pytest.mark.parametrize("name", ["params.x", "params.a.x", "resource.x"])
def test_absence_is_unknown_where_not_all_was_read(facts, name):
    whole = facts(params={"a": {}})
    part = facts(params={"a": {}}, params_complete=False, resource_complete=False)
    assert field_named(name).read(whole) is ABSENT
    assert field_named(name).read(part) is UNTOLD


@pytest.mark.parametrize(
    ("body", "size"),
    [
        (Body.absent(), 0),
        (Body.complete(b"abc"), 3),
        (Body.unread(), UNTOLD),
        (Body.oversize(b"abc"), UNTOLD),
    ],
)
def test_size_of_an_unread_body_is_unknown(facts, body, size):
    assert field_named("request.body_size").read(facts(body=body)) == size


def test_head_has_no_content_type_when_unsaid(facts):
    assert field_named("request.content_type").read(facts(content_type="")) == ""


@pytest.mark.parametrize("name", ["params.a", "params.a.b", "request.body_size"])
def test_field_within_the_body_needs_it(name):
    assert field_named(name).needs_body


@pytest.mark.parametrize("name", ["action.name", "resource.owner", "request.path", "time"])
def test_field_outside_the_body_does_not_need_it(name):
    assert not field_named(name).needs_body


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("action.nmae", "no field `action.nmae`: did you mean `action.name`?"),
        ("param.amount", "no field `param.amount`: did you mean `params.amount`?"),
        ("resources.owner", "no field `resources.owner`: did you mean `resource.owner`?"),
        ("resource.a.b", "no field `resource.a.b`: write one of `action.name`, "),
        ("resource", "no field `resource`: did you mean `resource.NAME`?"),
        ("params", "no field `params`: did you mean `params.NAME`?"),
        ("params.", "no field `params.`: did you mean `params.NAME`?"),
        ("params.a..b", "no field `params.a..b`: write one of"),
        ("params.a b", "no field `params.a b`: write one of"),
        ("Action.Name", "no field `Action.Name`: did you mean `action.name`?"),
        ("", "no field ``: write one of"),
        ("quite else", "`resource.NAME` or `params.NAME`"),
    ],
)
def test_unknown_field_is_refused_with_advice(name, message):
    with pytest.raises(ValueError, match="no field") as caught:
        field_named(name)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("risk", "categories", "complete", "score"),
    [
        (Risk.LOW, set(), True, 10),
        (Risk.MEDIUM, set(), True, 40),
        (Risk.HIGH, set(), True, 70),
        (Risk.CRITICAL, set(), True, 90),
        (Risk.LOW, {Category.MESSAGING, Category.MODEL_INFERENCE}, True, 10),
        (Risk.MEDIUM, {Category.SECRETS, Category.IDENTITY}, True, 50),
        (Risk.MEDIUM, {Category.CODE_EXECUTION, Category.DATA_EXPORT}, False, 55),
        (Risk.HIGH, set(), False, 75),
        (Risk.CRITICAL, set(Category), True, 100),
    ],
)
def test_risk_score_adds_up_to_a_hundred(risk, categories, complete, score):
    action = Action(
        name="a.b",
        access=Access.READ,
        risk=risk,
        categories=frozenset(categories),
        resource_complete=complete,
    )
    assert risk_score(action) == score
