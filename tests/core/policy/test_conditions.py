"""Conditions as wholes: what loads, all that is wrong at once, and the laws of their logic."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.action import Access, Action, Risk
from tameflare_core.policy.conditions import (
    ConditionErrors,
    LeafResult,
    parse_condition,
)
from tameflare_core.policy.facts import Facts
from tameflare_core.policy.operators import Operator
from tameflare_core.request import Body, OutboundRequest

LEAF = {"field": "action.risk", "op": "equals", "value": "high"}
MERGE_TO_MAIN = {
    "all": [
        {"field": "action.name", "op": "equals", "value": "github.pr.merge"},
        {"not": {"field": "params.base", "op": "in", "value": ["dev", "staging"]}},
    ]
}


def as_written(_, value):
    return value


def compiled(document):
    return parse_condition(document).compiled(spelled=as_written, folded=frozenset())


@pytest.mark.parametrize(
    ("name", "params", "expected"),
    [
        ("github.pr.merge", {"base": "main"}, True),
        ("github.pr.merge", {"base": "dev"}, False),
        ("github.pr.close", {"base": "main"}, False),
        ("github.pr.merge", {}, True),
        ("github.pr.merge", {"base": ["dev"]}, None),
        ("github.pr.close", {"base": ["dev"]}, False),
    ],
)
def test_condition_is_the_logic_of_its_leaves(truth, name, params, expected):
    assert truth(MERGE_TO_MAIN, name=name, params=params) is expected


def test_unknown_leaf_does_not_hide_a_known_one(truth):
    unknown = {"field": "params.x", "op": "exists"}
    unread = {"params": {}, "params_complete": False}
    assert truth({"any": [unknown, LEAF]}, **unread) is True
    assert truth({"all": [unknown, {"not": LEAF}]}, **unread) is False
    assert truth({"any": [unknown, {"not": LEAF}]}, **unread) is None
    assert truth({"all": [unknown, LEAF]}, **unread) is None


def test_condition_tells_what_it_looks_at():
    condition = parse_condition(MERGE_TO_MAIN)
    assert condition.fields == {"action.name", "params.base"}
    assert condition.reads_body
    assert not parse_condition(LEAF).reads_body
    assert parse_condition({"field": "request.body_size", "op": "gt", "value": 1}).reads_body


def test_condition_cannot_be_changed():
    with pytest.raises(AttributeError):
        parse_condition(LEAF).reads_body = False


def test_what_fails_is_not_taken_for_an_answer(facts):
    test = compiled({"field": "params.x", "op": "matches", "value": "a"})
    with pytest.raises(UnicodeEncodeError):
        test(facts(params={"x": "\ud800"}))


# What never loads


def problems(document):
    with pytest.raises(ConditionErrors) as caught:
        parse_condition(document)
    return caught.value.problems


def test_everything_wrong_is_named_at_once():
    document = {
        "all": [
            {"field": "action.nmae", "op": "equals", "value": "x"},
            {"field": "action.risk", "op": "in", "value": ["hgih", "low", "lwo"]},
            {"any": []},
            {"not": {"field": "params.x", "op": "equal", "value": 1, "unit": "EUR"}},
            {"field": "time", "op": "time_between", "value": {"from": 1320, "to": "06:00"}},
            "x",
            {},
        ]
    }
    assert problems(document) == (
        (("all", 0, "field"), "no field `action.nmae`: did you mean `action.name`?"),
        (("all", 1, "value", 0), "`action.risk` is never `hgih`: did you mean `high`?"),
        (("all", 1, "value", 2), "`action.risk` is never `lwo`: did you mean `low`?"),
        (("all", 2, "any"), "write a list of one condition or more"),
        (("all", 3, "not", "unit"), "unknown key"),
        (("all", 3, "not", "op"), "no operator `equal`: did you mean `equals`?"),
        (("all", 4, "value", "zone"), "missing"),
        (("all", 5), "write `{field: …, op: …, value: …}`, or `all`, `any` or `not`"),
        (("all", 6, "field"), "missing"),
        (("all", 6, "op"), "missing"),
    )


@pytest.mark.parametrize(
    ("document", "place", "message"),
    [
        (None, (), "write `{field: …, op: …, value: …}`, or `all`, `any` or `not`"),
        ([LEAF], (), "write `{field: …, op: …, value: …}`, or `all`, `any` or `not`"),
        ({"all": LEAF}, ("all",), "write a list of one condition or more"),
        ({"any": []}, ("any",), "write a list of one condition or more"),
        (
            {"all": [LEAF], "any": [LEAF]},
            (),
            "`all` stands alone: put it and its neighbours into an `all`",
        ),
        ({"not": LEAF} | LEAF, (), "`not` stands alone: put it and its neighbours into an `all`"),
        (
            {"not": [LEAF]},
            ("not",),
            "write `{field: …, op: …, value: …}`, or `all`, `any` or `not`",
        ),
        (LEAF | {"unit": "EUR"}, ("unit",), "unknown key"),
        ({"field": "action.risk", "value": "high"}, ("op",), "missing"),
        ({"field": None, "op": "equals", "value": 1}, ("field",), "no field `None`: write one of"),
    ],
)
def test_condition_of_another_shape_never_loads(document, place, message):
    ((found, told),) = problems(document)
    assert found == place
    assert told.startswith(message)


def nested(depth):
    document = LEAF
    for _ in range(depth - 1):
        document = {"not": document}
    return document


def test_condition_nests_up_to_twenty_deep():
    assert len(parse_condition(nested(20)).leaves()) == 1
    assert problems(nested(21)) == ((("not",) * 20, "nested deeper than 20: write several rules"),)
    assert len(problems(nested(100_000))) == 1


def test_condition_has_up_to_five_hundred_leaves():
    assert len(parse_condition({"all": [{"any": [LEAF] * 250}] * 2}).leaves()) == 500
    assert problems({"all": [{"any": [LEAF] * 250}] * 3}) == (
        (("all", 2, "any", 0), "more than 500 comparisons: write several rules"),
    )


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.dates(), st.binary()
)
ANYTHING = st.recursive(
    SCALARS,
    lambda parts: st.one_of(
        st.lists(parts, max_size=3), st.dictionaries(st.text(), parts, max_size=3)
    ),
    max_leaves=5,
)
NAMES = st.sampled_from(
    [
        "action.name",
        "action.risk",
        "action.risk_score",
        "action.categories",
        "resource.owner",
        "params.amount",
        "request.method",
        "request.host",
        "request.path",
        "request.body_size",
        "time",
    ]
)


@given(NAMES | ANYTHING, st.sampled_from(list(Operator)) | ANYTHING, ANYTHING)
def test_anything_loads_or_is_told_to_be_wrong(field, op, value):
    documents = (value, {"field": field, "op": op, "value": value}, {"all": value}, {"not": value})
    for document in documents:
        try:
            assert parse_condition(document).leaves()
        except ConditionErrors as error:
            assert error.problems  # noqa: PT017  # both outcomes are right


# Explanations


def test_explanation_tells_every_leaf_with_what_was_found(facts):
    condition = parse_condition(
        {
            "any": [
                {"field": "params.amount", "op": "gt", "value": 10000},
                {"field": "resource.owner", "op": "in", "value": ["Acme", "other one"]},
                {"field": "params.base", "op": "not_exists"},
                {"field": "params.a.b", "op": "equals", "value": True},
                {"field": "action.categories", "op": "contains", "value": "secrets"},
            ]
        }
    )
    told = condition.told(
        facts(params={"amount": 5000, "a": []}),
        spelled=lambda _, value: value.lower(),
        folded=frozenset({"owner"}),
    )
    assert told == (
        LeafResult(text="params.amount gt 10000", truth=False, actual="5000"),
        LeafResult(text='resource.owner in [Acme, "other one"]', truth=True, actual='"acme"'),
        LeafResult(text="params.base not_exists", truth=True, actual="absent"),
        LeafResult(text="params.a.b equals true", truth=None, actual="unknown"),
        LeafResult(
            text="action.categories contains secrets",
            truth=False,
            actual='["destructive", "financial"]',
        ),
    )


@pytest.mark.parametrize(
    ("value", "actual"),
    [
        ("\x1b[2K\u202eevil\n", '"\\u001b[2K\\u202eevil\\n"'),
        ("é", '"é"'),
        ({"a": [1, None]}, '{"a": [1, null]}'),
        ("x" * 5000, '"' + "x" * 198 + "…"),
    ],
)
def test_explanation_is_safe_to_show(facts, value, actual):
    condition = parse_condition({"field": "params.x", "op": "exists"})
    (told,) = condition.told(facts(params={"x": value}), spelled=as_written, folded=frozenset())
    assert told.actual == actual
    assert len(told.actual) <= 200


def test_leaf_is_told_in_few_words():
    window = {"from": "22:00", "to": "06:00", "zone": "Europe/Berlin", "days": ["mon"]}
    (leaf,) = parse_condition({"field": "time", "op": "time_between", "value": window}).leaves()
    assert leaf.text == (
        "time time_between {from: 22:00, to: 06:00, zone: Europe/Berlin, days: [mon]}"
    )
    (leaf,) = parse_condition({"field": "params.x", "op": "in", "value": ["x" * 90] * 3}).leaves()
    assert len(leaf.text) == 200


# Laws

VALUES = st.sampled_from([None, "main", "5", 5, 6, 5.0, True, False, ["main", 5], {"b": "main"}])
LEAVES = st.one_of(
    st.builds(
        lambda field, op, value: {"field": field, "op": op, "value": value},
        st.sampled_from(["params.a", "params.b", "params.a.b"]),
        st.sampled_from(["equals", "not_equals", "contains", "not_contains"]),
        st.sampled_from(["main", "5", 5, True]),
    ),
    st.builds(
        lambda field, op, value: {"field": field, "op": op, "value": value},
        st.sampled_from(["params.a", "params.b", "request.body_size"]),
        st.sampled_from(["gt", "gte", "lt", "lte"]),
        st.just(5),
    ),
    st.builds(
        lambda field, op, value: {"field": field, "op": op, "value": value},
        st.sampled_from(["resource.owner", "gateway.name"]),
        st.sampled_from(["in", "not_in"]),
        st.just(["acme", "main"]),
    ),
    st.builds(
        lambda field, op: {"field": field, "op": op},
        st.sampled_from(["params.a", "resource.owner"]),
        st.sampled_from(["exists", "not_exists"]),
    ),
    st.builds(
        lambda op, value: {"field": "action.risk", "op": op, "value": value},
        st.sampled_from(["equals", "gt", "lte"]),
        st.sampled_from(list(map(str, Risk))),
    ),
    st.just(
        {
            "field": "time",
            "op": "time_between",
            "value": {"from": "22:00", "to": "06:00", "zone": "Europe/Berlin", "days": ["mon"]},
        }
    ),
)
TREES = st.recursive(
    LEAVES,
    lambda parts: st.one_of(
        st.builds(lambda part: {"not": part}, parts),
        st.builds(lambda of: {"all": of}, st.lists(parts, min_size=1, max_size=3)),
        st.builds(lambda of: {"any": of}, st.lists(parts, min_size=1, max_size=3)),
    ),
    max_leaves=8,
).filter(lambda tree: str(tree).count("{") < 16)
BODIES = st.sampled_from([Body.absent(), Body.unread(), Body.complete(b"12345")])


@st.composite
def any_facts(draw):
    action = Action(
        name="stripe.refund.create",
        access=draw(st.sampled_from(list(Access))),
        risk=draw(st.sampled_from(list(Risk))),
        resource=draw(st.sampled_from([{}, {"owner": "acme"}, {"owner": "other"}])),
        resource_complete=draw(st.booleans()),
        params=draw(st.dictionaries(st.sampled_from(["a", "b"]), VALUES)),
        params_complete=draw(st.booleans()),
    )
    return Facts(
        request=OutboundRequest.from_url("POST", "https://a.example/", body=draw(BODIES)),
        action=action,
        connector="stripe",
        gateway="main",
        environment="",
        now=datetime(2026, 3, 2, tzinfo=UTC) + timedelta(hours=draw(st.integers(0, 168))),
    )


@given(st.lists(TREES, min_size=1, max_size=4), any_facts())
def test_not_all_is_any_not(trees, known):
    """De Morgan's laws hold with the third truth too."""
    opposites = [{"not": tree} for tree in trees]
    assert compiled({"not": {"all": trees}})(known) is compiled({"any": opposites})(known)
    assert compiled({"not": {"any": trees}})(known) is compiled({"all": opposites})(known)


@given(TREES, any_facts())
def test_not_twice_is_nothing(tree, known):
    assert compiled({"not": {"not": tree}})(known) is compiled(tree)(known)


@given(st.lists(TREES, min_size=1, max_size=4), any_facts(), st.randoms())
def test_order_of_conditions_never_matters(trees, known, random):
    shuffled = random.sample(trees, len(trees))
    assert compiled({"all": shuffled})(known) is compiled({"all": trees})(known)
    assert compiled({"any": shuffled})(known) is compiled({"any": trees})(known)


@given(LEAVES, any_facts())
def test_negated_operator_is_the_negation(leaf, known):
    opposite = {"equals": "not_equals", "in": "not_in", "contains": "not_contains"}
    if leaf["op"] in opposite:
        other = leaf | {"op": opposite[leaf["op"]]}
        assert compiled(other)(known) is compiled({"not": leaf})(known)


@given(TREES, any_facts())
def test_what_is_read_later_only_settles_the_unknown(tree, known):
    """A condition that can be told of an unread body stays as it is once the body is read."""
    test = compiled(tree)
    unread = replace(known, request=known.request.with_body(Body.unread()))
    for body in (Body.absent(), Body.complete(b"12345"), Body.complete(b"1234567")):
        read = replace(known, request=known.request.with_body(body))
        before = test(unread)
        assert before is None or test(read) is before
