from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest

from tameflare_core.approval import Answer, Approval, ApprovalState
from tameflare_core.approvals import Approvals, AsyncApprovals, AsyncNobodyToAsk, kill_held
from tameflare_core.commands import AwaitApproval, OpenApproval
from tameflare_core.current_point import CurrentPoint
from tameflare_core.errors import ApprovalNotUsable, ApprovalUnavailable
from tameflare_core.kill_switch import NO_KILL_SWITCHES, KillScope, KillSwitch, KillSwitches
from tameflare_core.testing import FIXED_TIME, ScriptedApprover
from tests.core.approving import POINT, approval

pytestmark = pytest.mark.anyio

APPROVED = Answer(state=ApprovalState.APPROVED, by="ada")
DENIED = Answer(state=ApprovalState.DENIED, by="ada")
SWITCH = KillSwitch.new(KillScope.parse("org"), reason="an incident", by="ada", at=FIXED_TIME)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Human:
    """Answers when the test says so."""

    def __init__(self) -> None:
        self.asked: list[Approval] = []
        self.withdrawn: list[Approval] = []
        self.waits = 0
        self.answer = Answer(state=ApprovalState.DENIED)
        self.decided = anyio.Event()
        self.failing: Exception | None = None

    async def open(self, approval: Approval) -> None:
        await anyio.lowlevel.checkpoint()
        if self.failing is not None:
            raise self.failing
        self.asked.append(approval)

    async def wait(self, approval: Approval) -> Answer:
        self.waits += 1
        await self.decided.wait()
        return self.answer

    async def withdraw(self, approval: Approval) -> None:
        self.withdrawn.append(approval)

    def decide(self, answer: Answer) -> None:
        self.answer = answer
        self.decided.set()


@pytest.fixture
def human() -> Human:
    return Human()


async def request(
    approvals: AsyncApprovals, asked: Approval, results: list[object], **kind: object
) -> None:
    try:
        opened = await approvals.open(OpenApproval(asked, **kind))  # type: ignore[arg-type]
        if opened.grant is not None or opened.detached:
            results.append(opened)
            return
        try:
            results.append(await approvals.wait(AwaitApproval(opened.approval)))
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await approvals.withdraw(opened.approval)
            raise
    except (ApprovalNotUsable, ApprovalUnavailable) as error:
        results.append(error)


async def test_identical_requests_ask_once_and_one_leaves(human) -> None:
    approvals = AsyncApprovals(human)
    results: list[object] = []
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(request, approvals, approval(), results)
        await anyio.wait_all_tasks_blocked()
        assert (len(human.asked), human.waits) == (1, 1)
        human.decide(APPROVED)
    assert results.count(APPROVED) == 1
    assert sum(isinstance(result, ApprovalNotUsable) for result in results) == 4


async def test_next_one_takes_over_when_the_asking_one_goes_away(human) -> None:
    approvals = AsyncApprovals(human)
    results: list[object] = []
    async with anyio.create_task_group() as group:
        async with anyio.create_task_group() as first:
            first.start_soon(request, approvals, approval(), [])
            await anyio.wait_all_tasks_blocked()
            group.start_soon(request, approvals, approval(), results)
            await anyio.wait_all_tasks_blocked()
            first.cancel_scope.cancel()
        await anyio.wait_all_tasks_blocked()
        assert (len(human.asked), human.waits) == (1, 2)
        assert human.withdrawn == []
        human.decide(APPROVED)
    assert results == [APPROVED]


async def test_question_is_withdrawn_with_the_last_one(human) -> None:
    approvals = AsyncApprovals(human)
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(request, approvals, approval(), [])
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    assert human.withdrawn == human.asked
    assert len(human.asked) == 1


async def test_nobody_to_ask_is_told_to_all(human) -> None:
    approvals = AsyncApprovals(AsyncNobodyToAsk("because"))
    results: list[object] = []
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(request, approvals, approval(), results)
    assert [str(result) for result in results] == ["because"] * 3


async def test_unanswered_question_expires_for_all_at_its_own_time(human) -> None:
    approvals = AsyncApprovals(human)
    results: list[object] = []
    async with anyio.create_task_group() as group:
        group.start_soon(request, approvals, approval(timeout=0.3), results)
        await anyio.sleep(0.15)
        started = time.monotonic()
        await request(approvals, approval(timeout=0.3), results)
        assert time.monotonic() - started < 0.29, "who joins does not wait anew"
    assert results == [Answer(state=ApprovalState.EXPIRED)] * 2
    assert len(human.withdrawn) == 1


async def test_kill_switch_ends_what_it_stops(human) -> None:
    approvals = AsyncApprovals(human)
    results: list[object] = []
    async with anyio.create_task_group() as group:
        group.start_soon(request, approvals, approval(), results)
        await anyio.wait_all_tasks_blocked()
        await approvals.kill(lambda verdict: SWITCH)
    assert results == [Answer(state=ApprovalState.KILLED, by="ada", note="an incident")]
    assert human.withdrawn == human.asked


async def test_kill_switch_leaves_alone_what_it_does_not_stop(human) -> None:
    approvals = AsyncApprovals(human)
    results: list[object] = []
    async with anyio.create_task_group() as group:
        group.start_soon(request, approvals, approval(), results)
        await anyio.wait_all_tasks_blocked()
        await approvals.kill(lambda verdict: None)
        human.decide(APPROVED)
    assert results == [APPROVED]


async def test_watch_applies_new_kill_switches(human) -> None:
    switches = NO_KILL_SWITCHES
    approvals = AsyncApprovals(human)
    results: list[object] = []
    async with anyio.create_task_group() as watch:
        point = CurrentPoint(POINT.gateway, lambda: switches)
        watch.start_soon(kill_held, point, approvals)
        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                group.start_soon(request, approvals, approval(), results)
                await anyio.wait_all_tasks_blocked()
                switches = KillSwitches([SWITCH])
        watch.cancel_scope.cancel()
    assert [result.state for result in results] == [ApprovalState.KILLED]


async def test_grant_covers_without_a_question(human) -> None:
    approvals = AsyncApprovals(human)
    human.decide(Answer(state=ApprovalState.APPROVED, by="ada", widened=3600))
    results: list[object] = []
    await request(approvals, approval(), results)
    await request(approvals, approval(body=b'{"merge_method":"squash"}'), results)
    answer, opened = results
    assert opened.grant is answer.grant
    assert len(human.asked) == 1


# Clients that do not wait


class Background:
    def __init__(self, group: anyio.abc.TaskGroup) -> None:
        self._group = group

    def __call__(self, run: Callable[[], Awaitable[None]]) -> None:
        self._group.start_soon(run)


async def test_client_that_does_not_wait_gets_its_approval_later(human) -> None:
    results: list[object] = []
    async with anyio.create_task_group() as group:
        approvals = AsyncApprovals(human, spawn=Background(group))
        await request(approvals, approval(), results, detached=True)
        (opened,) = results
        assert opened.detached
        ticket = opened.approval.id
        assert approvals.status(ticket)["state"] == "pending"
        human.decide(APPROVED)
        await anyio.wait_all_tasks_blocked()
        assert approvals.status(ticket)["state"] == "approved"
    await request(approvals, approval(), results, ticket=ticket)
    await request(approvals, approval(), results, ticket=ticket)
    assert results[1] == APPROVED
    assert isinstance(results[2], ApprovalNotUsable)
    assert approvals.status(ticket) is None


async def test_client_that_does_not_wait_asks_once(human) -> None:
    results: list[object] = []
    async with anyio.create_task_group() as group:
        approvals = AsyncApprovals(human, spawn=Background(group))
        for _ in range(3):
            await request(approvals, approval(), results, detached=True)
        assert len({opened.approval.id for opened in results}) == 1
        await anyio.wait_all_tasks_blocked()
        assert (len(human.asked), human.waits) == (1, 1)
        human.decide(DENIED)


async def test_frontend_without_background_holds_every_request(human) -> None:
    human.decide(APPROVED)
    results: list[object] = []
    await request(AsyncApprovals(human), approval(), results, detached=True)
    assert results == [APPROVED]


async def test_nobody_to_ask_keeps_no_question(human) -> None:
    human.failing = ApprovalUnavailable("nobody")
    results: list[object] = []
    async with anyio.create_task_group() as group:
        approvals = AsyncApprovals(human, limit=1, spawn=Background(group))
        await request(approvals, approval(), results, detached=True)
        human.failing = None
        human.decide(APPROVED)
        await request(approvals, approval("/pulls/2/merge"), results)
    assert str(results[0]) == "nobody"
    assert results[1] == APPROVED


async def test_killed_question_of_a_client_that_does_not_wait_stays_killed(human) -> None:
    results: list[object] = []
    async with anyio.create_task_group() as group:
        approvals = AsyncApprovals(human, spawn=Background(group))
        await request(approvals, approval(), results, detached=True)
        await anyio.wait_all_tasks_blocked()
        await approvals.kill(lambda verdict: SWITCH)
    await request(approvals, approval(), results, ticket=results[0].approval.id)
    assert results[1].state is ApprovalState.KILLED


# Callers that block


def test_blocking_caller_gets_the_answer() -> None:
    approver = ScriptedApprover(APPROVED)
    approvals = Approvals(approver)
    opened = approvals.open(OpenApproval(approval(), detached=True))
    assert not opened.detached
    assert approvals.wait(AwaitApproval(opened.approval)) == APPROVED


def test_blocking_callers_with_the_same_request_ask_once() -> None:
    joined = threading.Barrier(5)

    class Slow(ScriptedApprover):
        def wait(self, approval: Approval) -> Answer:
            time.sleep(0.1)
            return super().wait(approval)

    approver = Slow(APPROVED)
    approvals = Approvals(approver)

    def run(_: int) -> object:
        opened = approvals.open(OpenApproval(approval()))
        joined.wait(5)
        try:
            return approvals.wait(AwaitApproval(opened.approval))
        except ApprovalNotUsable as error:
            return error

    with ThreadPoolExecutor(5) as threads:
        results = list(threads.map(run, range(5)))
    assert len(approver.asked) == 1
    assert results.count(APPROVED) == 1
    assert sum(isinstance(result, ApprovalNotUsable) for result in results) == 4


def test_blocking_caller_that_leaves_withdraws() -> None:
    approver = ScriptedApprover()
    approvals = Approvals(approver)
    opened = approvals.open(OpenApproval(approval()))
    approvals.withdraw(opened.approval)
    assert approver.withdrawn == [opened.approval]
