from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tameflare_core.approval import Answer, Approval, ApprovalState
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.errors import ApprovalUnavailable
from tameflare_core.request import OutboundRequest
from tameflare_core.testing import FIXED_TIME, AsyncScriptedApprover, gateway_from
from tameflare_proxy.bounds import BoundedApprover, too_many_connections

APPROVED = Answer(state=ApprovalState.APPROVED)


def approval(name: str) -> Approval:
    request = OutboundRequest.from_url("GET", "https://a.example/")
    point = DecisionPoint(gateway_from("version: 1\ngateway: agent\n", folder=Path("/")))
    return Approval(
        id=name,
        gateway="agent",
        request=request,
        shown_url=request.url,
        verdict=point.decide(request, FIXED_TIME),
        fingerprint="",
        created=FIXED_TIME,
        timeout=1,
    )


def test_answered_question_makes_room() -> None:
    async def steps() -> None:
        bounded = BoundedApprover(AsyncScriptedApprover(APPROVED, APPROVED), 1)
        await bounded.open(approval("a"))
        with pytest.raises(ApprovalUnavailable, match="1 requests are waiting"):
            await bounded.open(approval("b"))
        assert await bounded.wait(approval("a")) is APPROVED
        await bounded.open(approval("b"))

    asyncio.run(steps())


def test_withdrawn_question_makes_room() -> None:
    async def steps() -> None:
        human = AsyncScriptedApprover()
        bounded = BoundedApprover(human, 1)
        await bounded.open(approval("a"))
        await bounded.withdraw(approval("a"))
        await bounded.open(approval("b"))
        assert [own.id for own in human.withdrawn] == ["a"]

    asyncio.run(steps())


def test_question_that_was_never_put_takes_no_room() -> None:
    class Down(AsyncScriptedApprover):
        async def open(self, approval: Approval) -> None:
            raise RuntimeError("down")

    async def steps() -> None:
        bounded = BoundedApprover(Down(), 1)
        for _ in range(2):
            with pytest.raises(RuntimeError, match="down"):
                await bounded.open(approval("a"))

    asyncio.run(steps())


def test_failed_wait_makes_room() -> None:
    async def steps() -> None:
        bounded = BoundedApprover(AsyncScriptedApprover(), 1)
        for name in "ab":
            await bounded.open(approval(name))
            with pytest.raises(IndexError):
                await bounded.wait(approval(name))

    asyncio.run(steps())


def test_full_gateway_says_when_to_come_again() -> None:
    refusal = too_many_connections(7, "1")
    assert refusal.status == 503
    assert "7 connections" in refusal.detail
    assert ("retry-after", "1") in refusal.fields()
