from __future__ import annotations

import pytest

from tameflare_core.action import Access, Action, Risk
from tameflare_core.decision import Decision, Judgement, Rule, RuleKind
from tameflare_core.enforcement_level import EnforcementLevel

ENFORCE, SOFT, MONITOR = EnforcementLevel
ALLOW, ASK, DENY = Decision


def judgement(decision: Decision, kind: RuleKind, risk: Risk = Risk.LOW) -> Judgement:
    return Judgement(
        action=Action(name="a.b", access=Access.WRITE, risk=risk),
        decision=decision,
        rule=Rule(kind=kind, id="r"),
        reason="",
    )


@pytest.mark.parametrize(
    ("kind", "levels"),
    [
        (RuleKind.KILL_SWITCH, {ENFORCE, SOFT, MONITOR}),
        (RuleKind.BUILTIN, {ENFORCE, SOFT, MONITOR}),
        (RuleKind.ERROR, {ENFORCE, SOFT, MONITOR}),
        (RuleKind.BLOCKED_CATEGORY, {ENFORCE, SOFT}),
        (RuleKind.NO_CONNECTOR, {ENFORCE}),
        (RuleKind.PERMISSION, {ENFORCE}),
        (RuleKind.DEFAULT, {ENFORCE}),
        (RuleKind.POLICY, {ENFORCE}),
    ],
)
def test_kind_of_rule_holds_at(kind: RuleKind, levels: set[EnforcementLevel]) -> None:
    assert {level for level in EnforcementLevel if level.holds(kind)} == levels


@pytest.mark.parametrize("risk", list(Risk))
def test_soft_acts_on_high_risk_whatever_the_rule(risk: Risk) -> None:
    given = (judgement(DENY, RuleKind.POLICY, risk),)
    assert SOFT.applied(given) is (DENY if risk in {"high", "critical"} else ALLOW)
    assert MONITOR.applied(given) is ALLOW
    assert ENFORCE.applied(given) is DENY


def test_strictest_of_what_holds_is_applied() -> None:
    given = (
        judgement(DENY, RuleKind.PERMISSION, Risk.LOW),
        judgement(ASK, RuleKind.PERMISSION, Risk.HIGH),
        judgement(ALLOW, RuleKind.PERMISSION, Risk.CRITICAL),
    )
    assert (ENFORCE.applied(given), SOFT.applied(given)) == (DENY, ASK)
    assert MONITOR.applied(given) is ALLOW
