"""Every rule that was considered, and why each decided or lost."""

from __future__ import annotations

from datetime import datetime

import pytest

from tameflare_core.considered import RuleConsidered, consider
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.kill_switch import KillScope, KillSwitch, KillSwitches
from tameflare_core.policy.rules import PolicyTable
from tameflare_core.request import Body, OutboundRequest
from tameflare_core.testing import FIXED_TIME, gateway_from

POINT = DecisionPoint(
    gateway_from("""
        version: 1
        gateway: agent
        connectors: [{type: github}]
        permissions:
          - {connector: github, action: "github.*", decision: deny}
          - {connector: github, action: "github.*", access: read, decision: allow}
          - {connector: github, action: "github.*", risk: low, decision: allow}
          - {connector: github, action: "github.pr.*", decision: allow}
          - {connector: github, action: github.pr.merge, resource: {owner: o}, decision: allow}
          - {connector: github, action: github.pr.merge, resource: {owner: acme}, decision: deny}
          - {connector: github, action: "github.*", category: destructive, decision: deny}
          - {connector: github, action: github.pr.merge, decision: require_approval}
          - {connector: github, action: "github.*.merge", decision: deny}
        policies:
          - name: merges
            scope: {actions: ["github.pr.*"]}
            rules:
              - name: squash
                when: {field: params.merge_method, op: equals, value: squash}
                decision: require_approval
              - {name: few, limit: {requests: 3, within: 1h}, decision: deny}
          - name: elsewhere
            scope: {actions: [github.repo.delete]}
            rules: [{name: never, decision: deny}]
        blocked_categories: [secrets]
    """)
)
MERGE = OutboundRequest.from_url(
    "PUT",
    "https://api.github.com/repos/o/r/pulls/1/merge",
    headers=[("content-type", "application/json")],
    body=Body.complete(b'{"merge_method":"merge"}'),
)


def considered(
    request: OutboundRequest = MERGE, point: DecisionPoint = POINT, now: datetime = FIXED_TIME
) -> dict[str, RuleConsidered]:
    verdict = point.decide(request, now)
    (action,) = consider(point, request, verdict, now)
    assert action.judgement in verdict.judgements
    return {rule.id: rule for rule in action.rules}


@pytest.mark.parametrize(
    ("ident", "outcome", "why"),
    [
        ("permissions[4]", "decides", ""),
        ("permissions[7]", "gives way", "more constraints go first: permissions[4]"),
        ("permissions[3]", "gives way", "an exact action goes before a pattern: permissions[4]"),
        ("permissions[5]", "does not match", "owner is o"),
        ("permissions[1]", "does not match", "access is write"),
        ("permissions[2]", "does not match", "risk is high"),
        ("permissions[6]", "does not match", "it is not in category destructive"),
    ],
)
def test_permission_decides_or_says_why_not(ident: str, outcome: str, why: str) -> None:
    rule = considered()[ident]
    assert (rule.outcome, rule.why) == (outcome, why)


def test_every_permission_about_the_action_is_there_with_its_words() -> None:
    rules = considered()
    assert {f"permissions[{index}]" for index in range(9)} <= set(rules)
    assert rules["permissions[5]"].text == "github.pr.merge owner=acme → deny"
    assert rules["permissions[1]"].text == "github.* access=read → allow"


def test_policies_say_what_each_comparison_found() -> None:
    rules = considered()
    squash = rules["policies[0].rules[0]"]
    assert squash.outcome == "does not match"
    assert squash.why == 'params.merge_method equals squash: false, it is "merge"'
    few = rules["policies[0].rules[1]"]
    assert few.text == "policy merges/few always above 3 requests in 3600 s per gateway → deny"
    assert (few.outcome, few.why) == ("applies", "adds 1, counted when it is sent")
    assert "policies[1].rules[0]" not in rules, "it is about another action"


def test_policy_that_decides_or_cannot_be_told() -> None:
    squash = MERGE.with_body(Body.complete(b'{"merge_method":"squash"}'))
    assert considered(squash)["policies[0].rules[0]"].outcome == "decides"
    assert considered(squash)["permissions[4]"].outcome == "gives way"
    assert considered(squash)["permissions[4]"].why == "policy decides"


def test_policy_that_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(PolicyTable, "truth", failing)
    rule = considered()["policies[0].rules[0]"]
    assert rule.outcome == "failed"
    assert "ZeroDivisionError" in rule.why
    assert "secret" not in rule.why


def test_wildcards_do_not_reach_what_cannot_be_read() -> None:
    opaque = OutboundRequest.from_url(
        "PATCH", "https://api.github.com/repos/o/r/issues/1", body=Body.oversize()
    )
    rule = considered(opaque)["permissions[0]"]
    assert rule.outcome == "does not match"
    assert rule.why == "only a pattern that writes out `opaque` reaches it"


def test_stages_before_permissions_are_there() -> None:
    switches = [
        KillSwitch.new(KillScope.parse(scope), reason="why", by="ada", at=FIXED_TIME)
        for scope in ("org", "action:github.pr.*", "gateway:other")
    ]
    rules = considered(point=POINT.with_kill_switches(KillSwitches(switches)))
    told = {rule.text: rule.outcome for rule in rules.values() if rule.kind == "kill_switch"}
    assert sorted(told) == [
        "kill switch action:github.pr.* by ada: why",
        "kill switch org by ada: why",
    ]
    assert sorted(told.values()) == ["applies", "decides"]
    secrets = OutboundRequest.from_url(
        "PUT", "https://api.github.com/repos/o/r/actions/secrets/X", body=Body.complete(b"{}")
    )
    blocked = considered(secrets)["blocked_categories[0]"]
    assert (blocked.outcome, blocked.text) == ("decides", "blocked category secrets")


def test_nothing_is_considered_where_nobody_owns_the_host() -> None:
    request = OutboundRequest.from_url("GET", "https://nobody.example/")
    verdict = POINT.decide(request, FIXED_TIME)
    assert consider(POINT, request, verdict, FIXED_TIME) == ()


def test_account_is_plain_values() -> None:
    verdict = POINT.decide(MERGE, FIXED_TIME)
    (action,) = consider(POINT, MERGE, verdict, FIXED_TIME)
    document = action.document()
    assert (document["action"], document["decision"]) == ("github.pr.merge", "allow")
    assert action.action.name == "github.pr.merge"
