from __future__ import annotations

import asyncio

import pytest

from tameflare_core.approval import Answer, Approval, ApprovalState
from tameflare_core.commands import Enforcement, PrepareRecord, ReadBody, Refuse
from tameflare_core.decision import Decision, Refusal, Rule, RuleKind, Verdict
from tameflare_core.errors import ConfigError
from tameflare_core.request import Body, OutboundRequest
from tameflare_core.testing import (
    END,
    FIXED_TIME,
    AsyncScriptedApprover,
    ScriptedApprover,
    Transcript,
    fixed_surroundings,
    gateway_from,
)

REFUSAL = Refusal(status=403, kind="k", title="t", detail="d", hint="h", request_id="r")


def reading_until_empty() -> Enforcement:
    try:
        while (yield ReadBody(1)) != Body.absent():
            pass
    except LookupError:
        yield Refuse(REFUSAL)


def test_replies_reach_the_generator() -> None:
    (
        Transcript(reading_until_empty())
        << ReadBody(1)
        >> Body.complete(b"x")
        << ReadBody
        >> Body.absent()
        << END
    )


def test_exceptions_are_thrown_into_the_generator() -> None:
    transcript = Transcript(reading_until_empty()) << ReadBody >> LookupError() << Refuse << END
    assert transcript.only(Refuse).refusal is REFUSAL


def test_step_without_reply_is_answered_with_nothing() -> None:
    Transcript(reading_until_empty()) << ReadBody << ReadBody >> Body.absent() << END


def test_mismatch_tells_the_transcript_so_far() -> None:
    transcript = Transcript(reading_until_empty()) << ReadBody >> Body.complete(b"x")
    with pytest.raises(AssertionError) as mismatch:
        transcript << PrepareRecord
    assert str(mismatch.value).splitlines() == [
        "expected PrepareRecord, got ReadBody(limit=1) after:",
        "  << ReadBody(limit=1)",
        "  >> Body(COMPLETE, 1 bytes)",
    ]


def test_other_value_of_the_same_kind_is_a_mismatch() -> None:
    with pytest.raises(AssertionError, match=r"expected ReadBody\(limit=2\), got ReadBody"):
        Transcript(reading_until_empty()) << ReadBody(2)


def test_early_end_is_a_mismatch() -> None:
    transcript = Transcript(reading_until_empty()) << ReadBody >> Body.absent()
    with pytest.raises(AssertionError, match="expected ReadBody, got END"):
        transcript << ReadBody


def test_late_end_is_a_mismatch() -> None:
    with pytest.raises(AssertionError, match="expected END, got ReadBody"):
        Transcript(reading_until_empty()) << END


def test_only_wants_exactly_one() -> None:
    transcript = Transcript(reading_until_empty()) << ReadBody << ReadBody
    with pytest.raises(AssertionError, match="2 of ReadBody"):
        transcript.only(ReadBody)
    with pytest.raises(AssertionError, match="0 of Refuse"):
        transcript.only(Refuse)


def test_fixed_surroundings_repeat_themselves() -> None:
    first, second = fixed_surroundings(), fixed_surroundings()
    assert first.now() == second.now() == FIXED_TIME
    assert [first.new_id(), first.new_id()] == [second.new_id(), second.new_id()]
    assert first.monotonic() == first.monotonic()


def test_gateway_comes_from_indented_text() -> None:
    gateway = gateway_from(
        """
        version: 1
        gateway: agent
        """
    )
    assert gateway.name == "agent"


def test_gateway_with_a_mistake_is_not_made() -> None:
    with pytest.raises(ConfigError, match="gateway: missing"):
        gateway_from("version: 1")


def test_scripted_approvers_answer_in_order() -> None:
    verdict = Verdict(
        decision=Decision.REQUIRE_APPROVAL,
        applied=Decision.REQUIRE_APPROVAL,
        rule=Rule(kind=RuleKind.DEFAULT, id="default"),
        reason="r",
    )
    approval = Approval(
        id="apv_1",
        gateway="agent",
        request=OutboundRequest.from_url("GET", "https://api.example/"),
        shown_url="https://api.example/",
        verdict=verdict,
        fingerprint="f",
        created=FIXED_TIME,
        timeout=1,
    )
    script = [Answer(state=ApprovalState.DENIED), Answer(state=ApprovalState.APPROVED)]
    approver = ScriptedApprover(*script)
    approver.open(approval)
    assert [approver.wait(approval), approver.wait(approval)] == script
    approver.withdraw(approval)
    assert approver.asked == approver.withdrawn == [approval]

    async def ask() -> list[Answer]:
        await in_a_loop.open(approval)
        answers = [await in_a_loop.wait(approval), await in_a_loop.wait(approval)]
        await in_a_loop.withdraw(approval)
        return answers

    in_a_loop = AsyncScriptedApprover(*script)
    assert asyncio.run(ask()) == script
    assert in_a_loop.asked == in_a_loop.withdrawn == [approval]
