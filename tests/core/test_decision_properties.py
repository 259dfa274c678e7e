"""What holds whatever the rules are: a deny never allows more, order never matters, monitor only
watches.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tameflare_core.action import Access, Category, Risk
from tameflare_core.approval import Answer, ApprovalState
from tameflare_core.commands import (
    AwaitApproval,
    Forward,
    OpenApproval,
    Opened,
    ReadBody,
    Record,
    Refuse,
    Reply,
    ReserveUsage,
)
from tameflare_core.decision import Decision, Verdict
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.enforcement import enforce
from tameflare_core.enforcement_level import EnforcementLevel
from tameflare_core.gateway import Gateway
from tameflare_core.kill_switch import KillScope, KillSwitch, KillSwitches
from tameflare_core.patterns import ActionPattern
from tameflare_core.permission import Permission
from tameflare_core.policy.conditions import parse_condition
from tameflare_core.policy.rules import PolicyRule, Scope
from tameflare_core.request import Body, OutboundRequest
from tameflare_core.testing import FIXED_TIME, gateway_from

BASE = gateway_from("version: 1\ngateway: agent\nconnectors: [{type: github}]\n", folder=Path("/"))
GITHUB = "https://api.github.com"
REQUESTS = [
    OutboundRequest.from_url("GET", f"{GITHUB}/repos/o/r"),
    OutboundRequest.from_url("PUT", f"{GITHUB}/repos/o/r/pulls/1/merge"),
    OutboundRequest.from_url("DELETE", f"{GITHUB}/repos/o/r"),
    OutboundRequest.from_url("POST", f"{GITHUB}/nothing/known"),
    OutboundRequest.from_url("POST", f"{GITHUB}/repos/x/r/issues", body=Body.complete(b"{}")),
    OutboundRequest.from_url(
        "PATCH", f"{GITHUB}/repos/o/r/issues/1", body=Body.complete(b"not json")
    ),
    OutboundRequest.from_url("GET", "https://nobody.example/"),
]

decisions = st.sampled_from(list(Decision))
patterns = st.sampled_from(
    ["*", "github.*", "github.pr.*", "github.pr.merge", "github.*.delete", "github.opaque.*",
     "github.issue.create", "github.repo.*", "github.unmapped.post"]
).map(ActionPattern)  # fmt: skip
permissions = st.builds(
    Permission,
    id=st.uuids().map(str),
    connector=st.just("github"),
    action=patterns,
    decision=decisions,
    access=st.sampled_from([None, *Access]),
    risk=st.sampled_from([None, *Risk]),
    category=st.sampled_from([None, Category.DESTRUCTIVE]),
    resource=st.sampled_from([{}, {"owner": "o"}, {"owner": "o", "repo": "r*"}, {"owner": "z"}]),
)
conditions = st.sampled_from(
    [
        None,
        {"field": "action.access", "op": "equals", "value": "write"},
        {"field": "resource.owner", "op": "equals", "value": "o"},
        {"not": {"field": "params.title", "op": "exists"}},
        {"field": "params.amount", "op": "gt", "value": 3},
        {"any": [{"field": "action.risk", "op": "gte", "value": "high"}]},
    ]
).map(lambda document: None if document is None else parse_condition(document))
names = st.text("abcdefgh", min_size=6, max_size=6)
policies = st.builds(
    lambda ident, decision, action, condition: PolicyRule(
        id=ident,
        name=ident,
        decision=decision,
        scope=Scope(actions=(action,)),
        condition=condition,
    ),
    ident=names,
    decision=decisions,
    action=patterns,
    condition=conditions,
)
switches = st.builds(
    lambda scope: KillSwitch.new(KillScope.parse(scope), reason="why", by="ada", at=FIXED_TIME),
    st.sampled_from(
        ["org", "gateway:agent", "gateway:x", "connector:github", "action:github.pr.*"]
    ),
)
rule_lists = st.lists(permissions, max_size=6)
policy_lists = st.lists(policies, max_size=4, unique_by=lambda rule: rule.name)
requests = st.sampled_from(REQUESTS)


def gateway(
    rules: list[Permission],
    tightening: list[PolicyRule],
    level: EnforcementLevel = EnforcementLevel.ENFORCE,
) -> Gateway:
    return replace(BASE, permissions=tuple(rules), policies=tuple(tightening), enforcement=level)


def judged(
    owner: Gateway, request: OutboundRequest, killed: list[KillSwitch] | None = None
) -> Verdict:
    return DecisionPoint(owner, KillSwitches(killed or [])).decide(request, FIXED_TIME)


@given(rule_lists, policy_lists, policies, requests)
def test_policy_never_allows_more(
    rules: list[Permission],
    tightening: list[PolicyRule],
    more: PolicyRule,
    request: OutboundRequest,
) -> None:
    without = judged(gateway(rules, tightening), request)
    with_it = judged(gateway(rules, [*tightening, more]), request)
    assert with_it.decision.strictness >= without.decision.strictness


@given(rule_lists, policy_lists, switches, requests)
def test_kill_switch_never_allows_more(
    rules: list[Permission],
    tightening: list[PolicyRule],
    switch: KillSwitch,
    request: OutboundRequest,
) -> None:
    owner = gateway(rules, tightening)
    without, with_it = judged(owner, request), judged(owner, request, [switch])
    assert with_it.decision.strictness >= without.decision.strictness


@given(rule_lists, policy_lists, st.sampled_from(list(Category)), requests)
def test_blocked_category_never_allows_more(
    rules: list[Permission],
    tightening: list[PolicyRule],
    category: Category,
    request: OutboundRequest,
) -> None:
    owner = gateway(rules, tightening)
    blocking = replace(owner, blocked_categories={category.value: "blocked_categories[0]"})
    assert (
        judged(blocking, request).decision.strictness >= judged(owner, request).decision.strictness
    )


@given(rule_lists, policy_lists, permissions, requests)
def test_permission_that_denies_never_allows_more(
    rules: list[Permission],
    tightening: list[PolicyRule],
    more: Permission,
    request: OutboundRequest,
) -> None:
    denying = replace(more, decision=Decision.DENY)
    without = judged(gateway(rules, tightening), request)
    with_it = judged(gateway([*rules, denying], tightening), request)
    assert with_it.decision.strictness >= without.decision.strictness


@given(rule_lists, policy_lists, st.lists(switches, max_size=3), requests, st.randoms())
def test_order_never_matters(
    rules: list[Permission],
    tightening: list[PolicyRule],
    killed: list[KillSwitch],
    request: OutboundRequest,
    random: object,
) -> None:
    shuffled = [list(rules), list(tightening), list(killed)]
    for each in shuffled:
        random.shuffle(each)  # type: ignore[attr-defined]
    one = judged(gateway(rules, tightening), request, killed)
    other = judged(gateway(shuffled[0], shuffled[1]), request, shuffled[2])
    assert one == other


@given(rule_lists, policy_lists, requests)
def test_policies_change_nothing_that_is_denied(
    rules: list[Permission], tightening: list[PolicyRule], request: OutboundRequest
) -> None:
    plain = judged(gateway(rules, []), request)
    if plain.decision is Decision.DENY:
        assert judged(gateway(rules, tightening), request).decision is Decision.DENY


def forwarded(point: DecisionPoint, request: OutboundRequest) -> OutboundRequest | None:
    """What leaves, when every approval is given."""
    steps = enforce(lambda: request, lambda: point)
    sent: OutboundRequest | None = None
    reply: Reply = None
    while True:
        command = steps.send(reply)
        match command:
            case Record():
                return sent
            case Forward(request=outbound):
                sent, reply = outbound, 200
            case OpenApproval(approval):
                reply = Opened(approval)
            case AwaitApproval():
                reply = Answer(state=ApprovalState.APPROVED)
            case ReserveUsage():
                reply = frozenset()
            case ReadBody():
                raise AssertionError("the bodies of these tests are read")
            case Refuse() | _:
                reply = None


@settings(max_examples=200)
@given(rule_lists, policy_lists, requests)
def test_monitor_never_changes_a_byte(
    rules: list[Permission], tightening: list[PolicyRule], request: OutboundRequest
) -> None:
    watching = DecisionPoint(gateway(rules, tightening, EnforcementLevel.MONITOR))
    assert forwarded(watching, request) == request


@settings(max_examples=200)
@given(rule_lists, policy_lists, requests, st.sampled_from(list(EnforcementLevel)))
def test_whatever_leaves_is_what_was_judged(
    rules: list[Permission],
    tightening: list[PolicyRule],
    request: OutboundRequest,
    level: EnforcementLevel,
) -> None:
    point = DecisionPoint(gateway(rules, tightening, level))
    sent = forwarded(point, request)
    assert sent in (None, request)
    denied = point.decide(request, FIXED_TIME).applied is Decision.DENY
    assert (sent is None) is denied
