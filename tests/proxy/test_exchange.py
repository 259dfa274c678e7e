from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tameflare_core.approval import Answer, Approval, ApprovalState
from tameflare_core.approvals import AsyncApprovals
from tameflare_core.commands import Forward, ReadBody
from tameflare_core.current_point import CurrentPoint
from tameflare_core.errors import RequestRejected, UpstreamError
from tameflare_core.frontend import AsyncServices, Credentials
from tameflare_core.request import Body, OutboundRequest
from tameflare_core.testing import (
    AsyncScriptedApprover,
    MemoryRecorder,
    fixed_surroundings,
    gateway_from,
)
from tameflare_proxy.exchange import Exchange
from tameflare_proxy.served import ServedGateway

DOCUMENT = """
    version: 1
    gateway: agent
    connectors:
      - {type: github}
    permissions:
      - {connector: github, action: "github.*", access: read, decision: allow}
      - {connector: github, action: "github.*", decision: require_approval}
      - {connector: github, action: github.repo.delete, decision: deny}
"""
APPROVED = Answer(state=ApprovalState.APPROVED)


class Never(AsyncScriptedApprover):
    """A human who does not answer."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = asyncio.Event()

    async def wait(self, approval: Approval) -> Answer:
        self.waiting.set()
        return await asyncio.get_running_loop().create_future()


@pytest.fixture
def recorder() -> MemoryRecorder:
    return MemoryRecorder()


@pytest.fixture
def exchange(recorder, tmp_path: Path) -> Callable[..., Exchange]:
    def begin(method: str, path: str, approver: Any = None, body: Body | None = None) -> Exchange:
        services = AsyncServices(
            approvals=AsyncApprovals(approver or AsyncScriptedApprover(APPROVED)),
            recorder=recorder,
            credentials=Credentials({}, tmp_path),
        )
        served = ServedGateway(
            point=CurrentPoint(gateway_from(DOCUMENT, folder=tmp_path)),
            services=services,
            token_digest=b"",
            surroundings=fixed_surroundings(),
        )
        url = f"https://api.github.com/repos/o/r{path}"
        return Exchange(
            served, lambda: OutboundRequest.from_url(method, url, body=body or Body.absent())
        )

    return begin


def run(steps: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(steps, 10))


def outcomes(recorder: MemoryRecorder) -> list[str]:
    return [record.outcome for record in recorder.records]


def test_allowed_request_is_forwarded_then_recorded(exchange, recorder) -> None:
    async def steps() -> None:
        own = exchange("GET", "")
        await own.start()
        assert isinstance(own.command, Forward)
        assert recorder.records == []
        await own.resume(204)
        assert own.command is None

    run(steps())
    assert [(r.outcome, r.status) for r in recorder.records] == [("forwarded", 204)]


def test_denied_request_ends_at_once(exchange, recorder) -> None:
    async def steps() -> None:
        own = exchange("DELETE", "")
        await own.start()
        assert own.command is None
        assert own.refusal.status == 403

    run(steps())
    assert outcomes(recorder) == ["denied"]


def test_body_is_asked_for(exchange, recorder) -> None:
    async def steps() -> None:
        own = exchange("PATCH", "/issues/1", body=Body.unread())
        await own.start()
        assert isinstance(own.command, ReadBody)
        await own.resume(Body.complete(b"{}"))
        assert isinstance(own.command, Forward)
        assert own.command.request.body.data == b"{}"
        await own.resume(200)

    run(steps())
    assert outcomes(recorder) == ["forwarded"]


def test_failed_upstream_is_refused(exchange, recorder) -> None:
    async def steps() -> None:
        own = exchange("GET", "")
        await own.start()
        await own.fail(UpstreamError("`x` cannot be reached"))
        assert (own.command, own.refusal.status) == (None, 502)

    run(steps())
    assert outcomes(recorder) == ["failed"]


def test_unreadable_request_is_refused(exchange, recorder) -> None:
    async def steps() -> None:
        own = exchange("get", "")
        await own.start()
        assert own.refusal.status == 400

    run(steps())
    assert outcomes(recorder) == ["rejected"]


def test_client_gone_ends_the_hold(exchange, recorder) -> None:
    async def steps() -> None:
        human = Never()
        own = exchange("PUT", "/pulls/1/merge", human)
        running = asyncio.create_task(own.start())
        await human.waiting.wait()
        own.client_gone()
        await running
        assert (own.command, own.refusal) == (None, None)
        assert human.withdrawn == human.asked

    run(steps())
    assert outcomes(recorder) == ["cancelled"]


def test_client_gone_before_the_hold_asks_nobody(exchange, recorder) -> None:
    async def steps() -> None:
        human = Never()
        own = exchange("PUT", "/pulls/1/merge", human)
        own.client_gone()
        await own.start()
        assert human.asked == []

    run(steps())
    assert outcomes(recorder) == ["cancelled"]


def test_client_gone_while_asking_is_withdrawn(exchange, recorder) -> None:
    async def steps() -> None:
        own: Exchange

        class Leaving(AsyncScriptedApprover):
            async def open(self, approval: Approval) -> None:
                await super().open(approval)
                own.client_gone()

        human = Leaving(APPROVED)
        own = exchange("PUT", "/pulls/1/merge", human)
        await own.start()
        assert own.command is None
        assert human.withdrawn == human.asked != []

    run(steps())
    assert outcomes(recorder) == ["cancelled"]


def test_answer_that_comes_with_the_end_forwards_nothing(exchange, recorder) -> None:
    async def steps() -> None:
        own: Exchange

        class Crossing(AsyncScriptedApprover):
            async def wait(self, approval: Approval) -> Answer:
                own.client_gone()
                return APPROVED

        own = exchange("PUT", "/pulls/1/merge", Crossing())
        await own.start()
        assert own.command is None

    run(steps())
    assert outcomes(recorder) == ["cancelled"]


def test_abandon_waits_for_the_step_under_way(exchange, recorder) -> None:
    async def steps() -> None:
        human = Never()
        own = exchange("PUT", "/pulls/1/merge", human)
        running = asyncio.create_task(own.start())
        await human.waiting.wait()
        await own.abandon()
        # Whoever has abandoned it may rely on its record.
        assert outcomes(recorder) == ["cancelled"]
        await running

    run(steps())


@pytest.mark.parametrize("body", [None, Body.unread()])
def test_abandon_ends_what_the_lane_was_doing(exchange, recorder, body) -> None:
    async def steps() -> None:
        own = exchange("PATCH" if body else "GET", "/issues/1", body=body)
        await own.start()
        assert own.command is not None
        await own.abandon()
        assert own.command is None
        await own.abandon()

    run(steps())
    assert outcomes(recorder) == ["abandoned"]


@pytest.mark.parametrize("failing", ["open", "wait"])
def test_failing_approver_refuses(exchange, recorder, failing) -> None:
    async def steps() -> None:
        human = AsyncScriptedApprover(APPROVED)

        async def fail(approval: Approval) -> Answer:
            raise RuntimeError("down")

        setattr(human, failing, fail)
        own = exchange("PUT", "/pulls/1/merge", human)
        await own.start()
        assert own.command is None
        assert own.refusal.status == 403

    run(steps())
    assert len(recorder.records) == 1


def test_failing_recorder_forwards_nothing(exchange, recorder) -> None:
    def full() -> None:
        raise OSError("disk full")

    async def steps() -> None:
        recorder.prepare = full
        own = exchange("GET", "")
        await own.start()
        assert own.command is None
        assert own.refusal.status == 403

    run(steps())


def test_failed_record_is_not_hidden(exchange, recorder) -> None:
    def full(_: object) -> None:
        raise OSError("disk full")

    async def steps() -> None:
        recorder.record = full
        own = exchange("GET", "")
        await own.start()
        with pytest.raises(OSError, match="disk full"):
            await own.resume(200)
        assert own.command is None

    run(steps())


def test_rejection_while_waiting_is_told(exchange, recorder) -> None:
    async def steps() -> None:
        own = exchange("PATCH", "/issues/1", body=Body.unread())
        await own.start()
        await own.fail(RequestRejected("cut off"))
        assert own.refusal.status == 400

    run(steps())
