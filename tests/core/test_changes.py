"""What would change a verdict: each step is judged, and the last one leads there."""

from __future__ import annotations

import pytest

from tameflare_core.changes import changes
from tameflare_core.decision import Decision
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.kill_switch import KillScope, KillSwitch, KillSwitches
from tameflare_core.request import Body, OutboundRequest
from tameflare_core.testing import FIXED_TIME, gateway_from

GITHUB = "https://api.github.com"


def point(permissions: str = "", policies: str = "", blocked: str = "") -> DecisionPoint:
    return DecisionPoint(
        gateway_from(
            "version: 1\ngateway: agent\nconnectors: [{type: github}]\n"
            f"permissions: [{permissions}]\npolicies: [{policies}]\n"
            f"blocked_categories: [{blocked}]\n"
        )
    )


def steps(
    judge: DecisionPoint, method: str, url: str, body: Body | None = None
) -> list[tuple[str, Decision | None]]:
    request = OutboundRequest.from_url(method, url, body=body or Body.absent())
    verdict = judge.decide(request, FIXED_TIME)
    found = changes(judge, request, verdict, FIXED_TIME)
    return [(change.text, change.decision) for change in found]


READ = '{connector: github, action: "github.*", access: read, decision: allow}'
MERGE = ("PUT", f"{GITHUB}/repos/o/r/pulls/1/merge")


def test_missing_permission_is_the_smallest_that_allows() -> None:
    assert steps(point(READ), *MERGE) == [
        (
            "add permission {connector: github, action: github.pr.merge, decision: allow}",
            Decision.ALLOW,
        )
    ]


def test_permission_is_as_narrow_as_the_one_that_stands_in_the_way() -> None:
    deny = "{connector: github, action: github.pr.merge, resource: {owner: o}, decision: deny}"
    ((text, decision),) = steps(point(deny), *MERGE)
    assert text == (
        "add permission {connector: github, action: github.pr.merge,"
        " resource: {owner: 'o', repo: 'r', number: '1'}, decision: allow}"
    )
    assert decision is Decision.ALLOW


def test_rule_that_cannot_be_undercut_has_to_change() -> None:
    deny = (
        "{connector: github, action: github.pr.merge, access: write, risk: high,"
        " resource: {owner: o, repo: r, number: '1'}, decision: deny}"
    )
    assert steps(point(deny), *MERGE) == [("change permissions[0] to allow", Decision.ALLOW)]


def test_several_steps_lead_through_every_stage() -> None:
    judge = point(
        READ,
        "{name: p, rules: [{name: ask, decision: require_approval},"
        " {name: never, decision: deny}]}",
        "destructive",
    )
    switch = KillSwitch.new(KillScope.parse("org"), reason="why", by="ada", at=FIXED_TIME)
    judge = judge.with_kill_switches(KillSwitches([switch]))
    assert steps(judge, "DELETE", f"{GITHUB}/repos/o/r") == [
        (f"end kill switch org: tf unkill {switch.id}", Decision.DENY),
        ("take destructive out of blocked_categories", Decision.DENY),
        (
            "add permission {connector: github, action: github.repo.delete, decision: allow}",
            Decision.DENY,
        ),
        ("take out policy p/never (policies[0].rules[1])", Decision.REQUIRE_APPROVAL),
        ("take out policy p/ask (policies[0].rules[0])", Decision.ALLOW),
    ]


def test_host_of_nobody_needs_a_connector() -> None:
    assert steps(point(), "GET", "https://nobody.example/") == [
        ("add a connector for https://nobody.example, and a permission", None)
    ]


def test_trace_is_never_allowed() -> None:
    assert steps(point(READ), "TRACE", f"{GITHUB}/user") == [
        ("nothing: TRACE is always denied", None)
    ]


def test_opaque_request_is_allowed_by_its_own_name() -> None:
    ((text, decision),) = steps(
        point(READ), "PATCH", f"{GITHUB}/repos/o/r/issues/1", Body.oversize()
    )
    assert "action: github.opaque.patch" in text
    assert decision is Decision.ALLOW


def test_allowed_request_says_what_would_end_that() -> None:
    assert steps(point(READ), "GET", f"{GITHUB}/user") == [
        ("permissions[0] removed", Decision.DENY)
    ]
    both = READ + ', {connector: github, action: "github.*", decision: require_approval}'
    assert steps(point(both), "GET", f"{GITHUB}/user") == [
        ("permissions[0] removed", Decision.REQUIRE_APPROVAL)
    ]


def test_star_in_a_value_never_becomes_a_wildcard() -> None:
    deny = "{connector: github, action: github.issue.list, resource: {owner: o}, decision: deny}"
    found = steps(point(deny), "GET", f"{GITHUB}/repos/o/%2A/issues")
    assert all("*" not in text for text, _ in found)


@pytest.mark.parametrize("blocked", ["", "destructive", "destructive, identity"])
def test_steps_always_end(blocked: str) -> None:
    found = steps(point("", "", blocked), "DELETE", f"{GITHUB}/repos/o/r")
    assert found[-1][1] is Decision.ALLOW
