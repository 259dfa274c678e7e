"""Values of conditions, checked against the kind of the field at load."""

from __future__ import annotations

import pytest

from tameflare_core.policy.fields import field_named
from tameflare_core.policy.operands import Spelling, operand
from tameflare_core.policy.problems import Problem, Report
from tameflare_core.policy.quantities import Quantity


def read(name, value):
    problems: list[Problem] = []
    return operand(field_named(name), value, Report(problems)), [text for _, text in problems]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("action.name", "GitHub.PR.merge", "GitHub.PR.merge"),
        ("action.risk", "high", "high"),
        ("resource.number", "12", "12"),
        ("resource.title", "50 EUR", "50 EUR"),
        ("request.port", 8443, Quantity(number=8443)),
        ("params.amount", "50 EUR", Quantity(number=5000, unit="EUR")),
        ("params.title", "50 ways", "50 ways"),
        ("params.count", 5, 5),
        ("params.force", True, True),
    ],
)
def test_value_of_the_right_kind_is_taken(name, value, expected):
    assert read(name, value) == (expected, [])


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("action.name", "github.*", "`github.*` is not an action name like `github.pr.merge`"),
        ("action.risk", "hgih", "`action.risk` is never `hgih`: did you mean `high`?"),
        ("action.access", "execute", "`action.access` is never `execute`: one of read, write"),
        ("action.access", True, "`action.access` is never `True`: one of read, write"),
        ("request.scheme", "HTTPS", "`request.scheme` is never `HTTPS`: one of http, https"),
        ("request.method", "MERGE", "`MERGE` is not a method like `POST`"),
        ("request.host", "api_.ex..com", "`api_.ex..com` is not a host name or an address"),
        ("request.path", "v1/refunds", "a path starts with `/`: write `/v1/refunds`"),
        ("request.path", "/v1/../x", "`/v1/../x` is not a path: dot segment in path"),
        ("resource.number", 12, "`resource.number` is text: put `12` in quotes"),
        ("gateway.name", True, "`gateway.name` is text: put `True` in quotes"),
        ("gateway.name", ["a"], "write a text"),
        ("params.x", [1], "write a text, a number, `true` or `false`"),
        ("params.x", None, "write a text, a number, `true` or `false`"),
        ("params.x", float("nan"), "write a text, a number, `true` or `false`"),
        ("params.amount", "5.001 EUR", "`EUR` has 2 decimals, and `5.001` has more"),
        ("request.port", "https", "`https` is not a number: write a number without a unit"),
    ],
)
def test_value_that_the_field_never_has_is_refused(name, value, problem):
    assert read(name, value) == (None, [problem])


SPELLING = Spelling(spelled=lambda field, value: f"{field}={value}", folded=frozenset({"owner"}))


@pytest.mark.parametrize(
    ("name", "text", "whole", "part", "ignores_case"),
    [
        ("action.name", "GitHub.Pr.Merge", "github.pr.merge", "github.pr.merge", True),
        ("request.method", "post", "POST", "POST", True),
        ("request.host", "API.Example.com.", "api.example.com", "api.example.com.", True),
        ("request.path", "/A/%7eb", "/A/~b", "/A/%7eb", False),
        ("resource.owner", "Acme", "owner=Acme", "acme", True),
        ("resource.path", "/A/", "path=/A/", "/A/", False),
        ("gateway.name", "Prod", "Prod", "Prod", False),
        ("params.owner", "Acme", "Acme", "Acme", False),
    ],
)
def test_text_is_spelled_as_the_field_has_it(name, text, whole, part, ignores_case):
    field = field_named(name)
    assert SPELLING.whole(field, text) == whole
    assert SPELLING.part(field, text) == part
    assert SPELLING.ignores_case(field) is ignores_case
