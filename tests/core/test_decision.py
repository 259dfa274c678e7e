"""Decisions, verdicts, and the document that an agent gets in place of an answer."""

from __future__ import annotations

import json

import pytest

from tameflare_core.action import Access, Action, Risk
from tameflare_core.decision import (
    Decision,
    Judgement,
    Refusal,
    Rule,
    RuleKind,
    Verdict,
    strictest,
)


def judgement(name: str, decision: Decision, rule_id: str = "r") -> Judgement:
    return Judgement(
        action=Action(name=name, access=Access.WRITE, risk=Risk.HIGH),
        decision=decision,
        rule=Rule(kind=RuleKind.PERMISSION, id=rule_id, pattern=name),
        reason=f"about {name}",
    )


ALLOWED = judgement("a.b", Decision.ALLOW)
ASKED = judgement("a.c", Decision.REQUIRE_APPROVAL)
DENIED = judgement("a.d", Decision.DENY)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((ALLOWED,), ALLOWED),
        ((ALLOWED, ASKED), ASKED),
        ((ASKED, ALLOWED), ASKED),
        ((DENIED, ASKED, ALLOWED), DENIED),
        ((ALLOWED, DENIED, ASKED), DENIED),
    ],
)
def test_strictest_judgement_stands(given: tuple[Judgement, ...], expected: Judgement) -> None:
    assert strictest(given) is expected


def test_no_judgement_is_no_permission() -> None:
    with pytest.raises(ValueError, match="empty"):
        strictest(())


def test_verdict_names_the_action_it_rests_on() -> None:
    verdict = Verdict(
        decision=Decision.DENY,
        applied=Decision.DENY,
        rule=DENIED.rule,
        reason=DENIED.reason,
        judgements=(ALLOWED, DENIED),
    )
    assert verdict.determining is DENIED.action
    assert verdict.actions == (ALLOWED.action, DENIED.action)


def test_verdict_without_judgements_rests_on_nothing() -> None:
    rule = Rule(kind=RuleKind.NO_CONNECTOR, id="no_connector")
    verdict = Verdict(decision=Decision.DENY, applied=Decision.DENY, rule=rule, reason="x")
    assert verdict.determining is None


def test_refusal_is_a_problem_document() -> None:
    verdict = Verdict(
        decision=Decision.DENY,
        applied=Decision.DENY,
        rule=DENIED.rule,
        reason=DENIED.reason,
        judgements=(DENIED,),
    )
    refusal = Refusal(
        status=403,
        kind="denied",
        title="Denied",
        detail='quotes " and \u202e',
        hint="ask",
        request_id="id",
        verdict=verdict,
    )
    body = refusal.body()
    assert body.isascii()
    assert json.loads(body) == {
        "type": "https://tameflare.dev/problems/denied",
        "title": "Denied",
        "status": 403,
        "detail": 'quotes " and \u202e',
        "decision": "deny",
        "action": "a.d",
        "risk": "high",
        "rule": {"kind": "permission", "id": "r", "pattern": "a.d"},
        "approval_id": None,
        "request_id": "id",
        "hint": "ask",
    }
    fields = dict(refusal.fields())
    assert fields["content-type"] == "application/problem+json"
    assert fields["cache-control"] == "no-store"
    assert fields["x-tameflare-request-id"] == "id"
