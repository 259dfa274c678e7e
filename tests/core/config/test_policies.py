"""Policies of a document: what becomes of them; their mistakes are in `broken_configs.yaml`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tameflare_core.decision import ApprovalTerms, Decision, Role
from tameflare_core.errors import ConfigError
from tameflare_core.patterns import ActionPattern
from tameflare_core.policy.rules import Per, PolicyRule, Scope
from tameflare_core.testing import gateway_from

HEAD = """
version: 1
gateway: prod-agent
environment: production
connectors:
  - {type: github}
  - {type: stripe}
  - type: generic
    id: crm
    hosts: [crm.example]
    actions: [{method: GET, path: /a, action: crm.thing.get, access: read}]
"""


def rules(policies: str) -> Sequence[PolicyRule]:
    return gateway_from(HEAD + "policies:\n" + policies, folder=Path("/")).policies


def problems(policies: str) -> Sequence[str]:
    with pytest.raises(ConfigError) as refused:
        rules(policies)
    return refused.value.problems


def test_every_key_has_its_effect() -> None:
    plain, full = rules("""
  - name: plain
    rules: [{name: always, decision: deny}]
  - name: full
    scope: {gateways: [prod-*], environments: [production], actions: ["stripe.*", crm.thing.get]}
    rules:
      - name: much
        when: {field: action.access, op: equals, value: write}
        limit: {sum: params.amount, most: 5.00 EUR, within: 1d, per: action}
        decision: require_approval
        reason: why
        approval: {timeout: 60, roles: [owner, admin]}
""")
    assert (plain.id, plain.name, plain.decision) == (
        "policies[0].rules[0]",
        "plain/always",
        Decision.DENY,
    )
    assert (plain.scope, plain.condition, plain.limit) == (Scope(), None, None)
    assert (full.id, full.name, full.reason) == ("policies[1].rules[0]", "full/much", "why")
    assert full.scope == Scope(
        gateways=("prod-*",),
        environments=("production",),
        actions=(ActionPattern("stripe.*"), ActionPattern("crm.thing.get")),
    )
    assert full.condition is not None
    assert full.terms == ApprovalTerms(timeout=60, roles=frozenset({Role.OWNER, Role.ADMIN}))
    assert full.limit is not None
    assert (full.limit.most.number, full.limit.most.unit) == (500, "EUR")
    assert (full.limit.within, full.limit.per) == (86_400, Per.ACTION)


@pytest.mark.parametrize(
    "action", ["slack.*", "slack.message.send", "*", "github.opaque.*", "github.*.delete"]
)
def test_policy_may_be_about_what_this_gateway_has_not(action: str) -> None:
    assert len(rules(f'  - {{name: p, scope: {{actions: ["{action}"]}}, rules: {RULE}}}')) == 1


def test_policy_for_another_gateway_is_not_held_against_this_one() -> None:
    other = (
        "  - {name: p, scope: {gateways: [other], actions: [own.thing.*]}, rules: [{name: r,"
        " decision: deny, when: {field: resource.anything, op: exists}}]}"
    )
    assert len(rules(other)) == 1


RULE = "[{name: r, decision: deny}]"


@pytest.mark.parametrize(
    ("action", "field", "problem"),
    [
        ("stripe.*", "resource.repo", "has `resource.repo`"),
        ("stripe.*", "resource.custmer", "did you mean `resource.customer`?"),
        ("github.*", "resource.ownr", "did you mean `resource.owner`?"),
    ],
)
def test_field_that_no_action_has_is_named_with_the_nearest(
    action: str, field: str, problem: str
) -> None:
    when = f"{{field: {field}, op: exists}}"
    (told,) = problems(
        f'  - {{name: p, scope: {{actions: ["{action}"]}}, rules: [{{name: r, decision: deny,'
        f" when: {when}}}]}}"
    )
    assert "policies[0].rules[0].when: no action that the policy is about" in told
    assert problem in told


def test_field_that_one_of_the_connectors_has_is_known() -> None:
    when = "{all: [{field: resource.repo, op: exists}, {field: params.anything, op: exists}]}"
    assert len(rules(f"  - {{name: p, rules: [{{name: r, decision: deny, when: {when}}}]}}")) == 1


def test_every_mistake_is_told_at_once() -> None:
    told = problems("""
  - name: p
    scope: {actions: [nothing.*]}
    rules:
      - {name: r, decision: allow, limit: {requests: 1, within: 1h}}
      - {name: r, decision: deny, when: {field: nothing, op: equals, value: 1}}
""")
    assert [problem.split(": ")[1] for problem in told] == [
        "policies[0].scope.actions[0]",
        "policies[0].rules[0].decision",
        "policies[0].rules[1].name",
        "policies[0].rules[1].when.field",
    ]
