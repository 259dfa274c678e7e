"""Approvals of one gateway: who is asked, and how requests wait for the answer.

Of several identical requests one asks at a time, and the others wait for their turn: should it go
away, the next one takes over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

import anyio

from tameflare_core.approval import Answer, Approval, ApprovalState
from tameflare_core.approval_book import ApprovalBook, Question
from tameflare_core.commands import AwaitApproval, OpenApproval, Opened
from tameflare_core.decision import Verdict
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.errors import ApprovalUnavailable
from tameflare_core.kill_switch import NO_KILL_SWITCHES, KillSwitch

__all__ = [
    "WATCH_SECONDS",
    "Approvals",
    "Approver",
    "AsyncApprovals",
    "AsyncApprover",
    "AsyncNobodyToAsk",
    "NobodyToAsk",
    "Spawn",
    "kill_held",
]

_NOBODY = "this gateway has no terminal and no control plane"
_LIMIT = 1000

WATCH_SECONDS = 0.25
"""How often kill switches are looked at on behalf of what is under way."""

type Spawn = Callable[[Callable[[], Awaitable[None]]], None]
"""Runs a coroutine function in the background, until it ends or the gateway does."""


class Approver(Protocol):
    """Asks a human, and blocks while they think."""

    def open(self, approval: Approval) -> None:
        """Put the question; raise `ApprovalUnavailable` when nobody can be asked."""

    def wait(self, approval: Approval) -> Answer:
        """Block until the answer, `approval.timeout` seconds at the most."""

    def withdraw(self, approval: Approval) -> None:
        """Take the question back."""


class AsyncApprover(Protocol):
    """Asks a human; `wait` may be cancelled."""

    async def open(self, approval: Approval) -> None:
        """Put the question; raise `ApprovalUnavailable` when nobody can be asked."""

    async def wait(self, approval: Approval) -> Answer:
        """Wait for the answer; the caller sees to the timeout."""

    async def withdraw(self, approval: Approval) -> None:
        """Take the question back."""


class NobodyToAsk:
    """The approver of a frontend that has none: every question is refused.

    Args:
        why: the reason, for the agent.
    """

    def __init__(self, why: str = _NOBODY) -> None:
        self._why = why

    def open(self, approval: Approval) -> None:
        raise ApprovalUnavailable(self._why)

    def wait(self, approval: Approval) -> Answer:
        raise ApprovalUnavailable(self._why)

    def withdraw(self, approval: Approval) -> None:
        pass


class AsyncNobodyToAsk:
    """`NobodyToAsk` for an event loop.

    Args:
        why: the reason, for the agent.
    """

    def __init__(self, why: str = _NOBODY) -> None:
        self._why = why

    async def open(self, approval: Approval) -> None:
        raise ApprovalUnavailable(self._why)

    async def wait(self, approval: Approval) -> Answer:
        raise ApprovalUnavailable(self._why)

    async def withdraw(self, approval: Approval) -> None:
        pass


class Approvals:
    """The approvals of one gateway for callers that block. Every request is held until its answer.

    Args:
        approver: whom to ask.
        limit: how many approvals may be open at once.
        clock: seconds that never go backwards.
    """

    def __init__(
        self,
        approver: Approver,
        *,
        limit: int = _LIMIT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._approver = approver
        self._clock = clock
        self._book = ApprovalBook(threading.Lock, clock, limit)

    def open(self, command: OpenApproval) -> Opened:
        """Carry out `OpenApproval`."""
        approval = command.approval
        grant = None if command.ticket else self._book.grant_for(approval)
        if grant is not None:
            return Opened(approval, grant=grant)
        question, _ = self._book.enter(approval, ticket=command.ticket)
        try:
            if not question.asked:
                with question.turn:
                    if question.answer is None and not question.asked:
                        self._approver.open(question.approval)
                        question.asked = True
        except BaseException:
            self._book.leave(question)
            raise
        return Opened(question.approval)

    def wait(self, command: AwaitApproval) -> Answer:
        """Carry out `AwaitApproval`."""
        question = _known(self._book, command.approval)
        if question.turn.acquire(timeout=max(self._left(question), 0.0)):
            try:
                if question.answer is None:
                    approval = replace(question.approval, timeout=max(self._left(question), 0.0))
                    self._book.settle(question, self._approver.wait(approval))
            finally:
                question.turn.release()
        if self._book.settle(question, Answer(state=ApprovalState.EXPIRED)):
            self._approver.withdraw(question.approval)
        return self._book.claim(question)

    def withdraw(self, approval: Approval) -> None:
        """Carry out `WithdrawApproval`."""
        question = self._book.find(approval.id)
        if question is not None and self._book.leave(question):
            self._approver.withdraw(question.approval)

    def _left(self, question: Question[threading.Lock]) -> float:
        return question.deadline - self._clock()


class AsyncApprovals:
    """The approvals of one gateway on an event loop.

    Args:
        approver: whom to ask.
        limit: how many approvals may be open, or answered and not used.
        clock: seconds that never go backwards.
        spawn: waits for answers in place of clients that do not wait; without it all are held.
    """

    def __init__(
        self,
        approver: AsyncApprover,
        *,
        limit: int = _LIMIT,
        clock: Callable[[], float] = time.monotonic,
        spawn: Spawn | None = None,
    ) -> None:
        self._approver = approver
        self._clock = clock
        self._spawn = spawn
        self._book = ApprovalBook(anyio.Lock, clock, limit)
        self._asking: dict[str, anyio.CancelScope] = {}

    async def open(self, command: OpenApproval) -> Opened:
        """Carry out `OpenApproval`."""
        approval = command.approval
        grant = None if command.ticket else self._book.grant_for(approval)
        if grant is not None:
            return Opened(approval, grant=grant)
        question, detached = self._book.enter(
            approval,
            ticket=command.ticket,
            detached=command.detached and self._spawn is not None,
        )
        try:
            if not question.asked:
                async with question.turn:
                    if question.answer is None and not question.asked:
                        await self._approver.open(question.approval)
                        question.asked = True
        except BaseException:
            question.detached = question.tended
            self._book.leave(question)
            raise
        if detached:
            self._tend(question)
            self._book.leave(question)
        return Opened(question.approval, detached=detached)

    async def wait(self, command: AwaitApproval) -> Answer:
        """Carry out `AwaitApproval`."""
        question = _known(self._book, command.approval)
        await self._settled(question)
        return self._book.claim(question)

    async def withdraw(self, approval: Approval) -> None:
        """Carry out `WithdrawApproval`."""
        question = self._book.find(approval.id)
        if question is not None and self._book.leave(question):
            await self._approver.withdraw(question.approval)

    async def kill(self, stopped_by: Callable[[Verdict], KillSwitch | None]) -> None:
        """End the open approvals of requests that a kill switch stops.

        Args:
            stopped_by: the kill switch that stops what was judged so; None for none.
        """
        for question in self._book.pending():
            switch = stopped_by(question.approval.verdict)
            if switch is None:
                continue
            answer = Answer(state=ApprovalState.KILLED, by=switch.by, note=switch.reason)
            if self._book.settle(question, answer):
                scope = self._asking.get(question.approval.id)
                if scope is not None:
                    scope.cancel()
                with suppress(Exception):  # the question is closed whether or not they are told
                    await self._approver.withdraw(question.approval)

    def status(self, approval_id: str) -> dict[str, object] | None:
        """How an approval stands, for the client that does not wait for it; None if unknown."""
        question = self._book.find(approval_id)
        if question is None:
            return None
        answer = question.answer
        return {
            "id": approval_id,
            "state": (ApprovalState.PENDING if answer is None else answer.state).value,
            "created": question.approval.created.isoformat(),
            "note": "" if answer is None else answer.note,
        }

    def _tend(self, question: Question[anyio.Lock]) -> None:
        assert self._spawn is not None
        if not question.tended:
            question.tended = True
            self._spawn(lambda: self._tended(question))

    async def _tended(self, question: Question[anyio.Lock]) -> None:
        try:
            await self._settled(question)
        finally:
            # Nobody else would end it, and what has not ended can be joined.
            self._book.settle(question, Answer(state=ApprovalState.CANCELLED))

    async def _settled(self, question: Question[anyio.Lock]) -> None:
        """Wait until `question` has its answer."""
        with anyio.move_on_after(max(question.deadline - self._clock(), 0.0)):
            async with question.turn:
                if question.answer is None:
                    await self._ask(question)
        if self._book.settle(question, Answer(state=ApprovalState.EXPIRED)):
            await self._approver.withdraw(question.approval)

    async def _ask(self, question: Question[anyio.Lock]) -> None:
        approval = question.approval
        with anyio.CancelScope() as self._asking[approval.id]:
            try:
                self._book.settle(question, await self._approver.wait(approval))
            finally:
                del self._asking[approval.id]


async def kill_held(point: Callable[[], DecisionPoint], approvals: AsyncApprovals) -> None:
    """End what is held as soon as a kill switch stops it; runs until it is cancelled.

    Args:
        point: the decision point in force.
        approvals: of its gateway.
    """
    seen = NO_KILL_SWITCHES
    while True:
        await anyio.sleep(WATCH_SECONDS)
        current = point()
        if current.kill_switches is not seen:
            seen = current.kill_switches
            await approvals.kill(current.stopped_by)


def _known[Turn](book: ApprovalBook[Turn], approval: Approval) -> Question[Turn]:
    question = book.find(approval.id)
    if question is None:
        raise LookupError("an approval is waited for that was not opened")
    return question
