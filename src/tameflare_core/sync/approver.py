"""Approvals that are answered at the control plane."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import anyio

from tameflare_core.approval import Answer, Approval, ApprovalState, preview, preview_line
from tameflare_core.errors import (
    ApprovalUnavailable,
    ControlPlaneRefused,
    ControlPlaneUnreachable,
)
from tameflare_core.policy.fields import risk_score
from tameflare_core.sync.backoff import Backoff
from tameflare_core.sync.client import ControlPlane
from tameflare_core.vault.secret import Secret

__all__ = ["Answers", "ControlPlaneApprover", "approval_document"]

_WAIT_SECONDS = 25.0
_WITHDRAW_SECONDS = 3.0
_POLLS_AT_ONCE = 64
_logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Waiting:
    nudged: anyio.Event = field(default_factory=anyio.Event)
    answer: Answer | None = None


class Answers:
    """What this process waits for, whichever gateway asks: answers come in on one stream.

    Args:
        streaming: whether changes are heard at once.
    """

    def __init__(self, streaming: Callable[[], bool]) -> None:
        self.streaming = streaming
        self.polls = anyio.Semaphore(_POLLS_AT_ONCE)
        self._waiting: dict[str, _Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, approval_id: str) -> bool:
        return approval_id in self._waiting

    def expect(self, approval_id: str) -> _Waiting:
        """Take note of the answer to an approval, from before it is asked."""
        return self._waiting.setdefault(approval_id, _Waiting())

    def forget(self, approval_id: str) -> None:
        """The answer is of no use any more."""
        self._waiting.pop(approval_id, None)

    def take(self, approval_id: str, values: dict[str, Any]) -> None:
        """Take an answer that was heard."""
        waiting = self._waiting.get(approval_id)
        answer = _answer(values)
        if waiting is not None and answer is not None:
            waiting.answer = answer
            waiting.nudged.set()

    def stream_changed(self) -> None:
        """The stream came or went: an answer may have been missed, so all are asked about."""
        for waiting in self._waiting.values():
            waiting.nudged.set()


class ControlPlaneApprover:
    """Asks people through the control plane.

    Args:
        control_plane: where they answer.
        token: the gateway's.
        answers: where they come in.
    """

    def __init__(self, control_plane: ControlPlane, token: Secret, answers: Answers) -> None:
        self._plane = control_plane
        self._token = token
        self._answers = answers

    async def open(self, approval: Approval) -> None:
        """Put the question.

        Raises:
            ApprovalUnavailable: the control plane cannot be reached, or refuses it.
        """
        self._answers.expect(approval.id)
        try:
            await self._plane.open_approval(self._token, approval_document(approval))
        except ControlPlaneUnreachable:
            self._answers.forget(approval.id)
            raise ApprovalUnavailable(
                "the control plane cannot be reached, and nobody else can approve"
            ) from None
        except ControlPlaneRefused as error:
            self._answers.forget(approval.id)
            raise ApprovalUnavailable(str(error)) from None
        except BaseException:
            self._answers.forget(approval.id)
            raise

    async def wait(self, approval: Approval) -> Answer:
        """Wait for the answer, as it is heard or else asked for."""
        # An answer that came while nobody waited was heard by nobody.
        missed = approval.id not in self._answers
        waiting = self._answers.expect(approval.id)
        backoff = Backoff()
        try:
            while waiting.answer is None:
                if self._answers.streaming() and not missed:
                    await waiting.nudged.wait()
                waiting.nudged, missed = anyio.Event(), False
                if waiting.answer is None:
                    await self._ask(approval.id, waiting, backoff)
            return waiting.answer
        finally:
            self._answers.forget(approval.id)

    async def withdraw(self, approval: Approval) -> None:
        """Take the question back; the control plane ends by itself what it is not told about."""
        self._answers.forget(approval.id)
        with anyio.move_on_after(_WITHDRAW_SECONDS, shield=True):
            with suppress(ControlPlaneUnreachable, ControlPlaneRefused):
                await self._plane.withdraw_approval(self._token, approval.id)

    async def _ask(self, approval_id: str, waiting: _Waiting, backoff: Backoff) -> None:
        seconds = 0.0 if self._answers.streaming() else _WAIT_SECONDS
        try:
            async with self._answers.polls:
                if waiting.answer is not None:
                    return
                values = await self._plane.approval(self._token, approval_id, seconds)
        except ControlPlaneUnreachable:
            await anyio.sleep(backoff.next())
            return
        except ControlPlaneRefused as error:
            # It is unknown there, or the gateway is: nobody will ever answer.
            _logger.warning("approval %s: %s", approval_id, error)
            waiting.answer = Answer(state=ApprovalState.CANCELLED)
            return
        backoff.reset()
        waiting.answer = waiting.answer or _answer(values)


def _answer(values: dict[str, Any]) -> Answer | None:
    match values:
        case {"state": str(state), "by": str(by), "note": str(note), "widened": widened}:
            if state in ApprovalState and state != ApprovalState.PENDING:
                seconds = float(widened) if isinstance(widened, int | float) else None
                return Answer(state=ApprovalState(state), by=by, note=note, widened=seconds)
    return None


def approval_document(approval: Approval) -> dict[str, Any]:
    """An approval as the control plane takes it; what comes from the agent is made harmless."""
    request, verdict = approval.request, approval.verdict
    subjects = approval.subjects
    return {
        "id": approval.id,
        "revision": approval.revision,
        "fingerprint": approval.fingerprint,
        "created": approval.created.isoformat(),
        "timeout": approval.timeout,
        "roles": None if approval.roles is None else sorted(approval.roles),
        "method": preview_line(request.method, limit=32),
        "url": preview_line(approval.shown_url, limit=1500),
        "body": preview(request.body.data) if request.body.data else "",
        "connector": verdict.connector or "",
        "reason": preview_line(verdict.reason, limit=1000),
        "rule": verdict.rule.document(),
        "actions": [
            {
                "name": judgement.action.name,
                "access": judgement.action.access.value,
                "risk": judgement.action.risk.value,
                "risk_score": risk_score(judgement.action),
                "categories": sorted(judgement.action.categories),
                "resource": _shown(judgement.action.resource),
                "params": _shown(judgement.action.params),
                "decision": judgement.decision.value,
            }
            for judgement in verdict.judgements
        ],
        "subjects": None
        if subjects is None
        else [
            {
                "connector": subject.connector,
                "action": subject.action,
                "resource": [
                    [preview_line(key), preview_line(value)] for key, value in subject.resource
                ],
                "rule": subject.rule,
            }
            for subject in subjects
        ],
    }


def _shown(values: Any) -> dict[str, str]:
    return {preview_line(str(key)): preview_line(str(value)) for key, value in values.items()}
