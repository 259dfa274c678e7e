"""Which approvals of one gateway are open, who waits for them, and what each answer is good for.

Pure bookkeeping: nothing here waits. An answer is taken once, the first one stands, and what was
approved leaves once.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from tameflare_core.approval import (
    LONGEST_GRANT,
    Answer,
    Approval,
    ApprovalState,
    Grant,
    Subject,
)
from tameflare_core.errors import ApprovalNotUsable, ApprovalUnavailable

__all__ = ["ApprovalBook", "Question"]

_MAX_GRANTS = 10_000


@dataclass(slots=True, eq=False)
class Question[Turn]:
    """One approval, and everything that waits for it.

    Attributes:
        approval: as it was asked.
        turn: whose it is to ask, of those that wait.
        deadline: when it expires, on the book's clock.
        asked: whether the approver was told.
        waiting: how many requests wait for the answer.
        detached: whether the answer is kept for a client that does not wait.
        tended: whether somebody sees to the answer although no request may wait.
        answer: how it ended; None while it is open.
        usable_until: until when a kept answer can be used, on the book's clock.
        used: whether the one request that it is good for has had it.
    """

    approval: Approval
    turn: Turn
    deadline: float
    asked: bool = False
    waiting: int = 0
    detached: bool = False
    tended: bool = False
    answer: Answer | None = None
    usable_until: float = 0.0
    used: bool = False


@dataclass(slots=True)
class _Covered:
    grant: Grant
    until: float


@dataclass(slots=True)
class ApprovalBook[Turn]:
    """The approvals of one gateway in this process; safe to use from several threads.

    Args:
        new_turn: makes what those that wait take turns by, like a lock.
        clock: seconds that never go backwards.
        limit: how many approvals may be open, or answered and not used.
    """

    new_turn: Callable[[], Turn]
    clock: Callable[[], float]
    limit: int
    _by_id: dict[str, Question[Turn]] = field(default_factory=dict)
    _open: dict[tuple[str, str], Question[Turn]] = field(default_factory=dict)
    _kept: dict[str, Question[Turn]] = field(default_factory=dict)
    _granted: dict[tuple[str, Subject], _Covered] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def grant_for(self, approval: Approval) -> Grant | None:
        """The grant that covers everything that `approval` would ask about; None without one."""
        subjects = approval.subjects
        if subjects is None:
            return None
        now = self.clock()
        grant = None
        with self._lock:
            for subject in subjects:
                covered = self._granted.get((approval.revision, subject))
                if covered is None or covered.until <= now:
                    self._granted.pop((approval.revision, subject), None)
                    return None
                grant = covered.grant
        return grant

    def enter(
        self, approval: Approval, *, ticket: str | None = None, detached: bool = False
    ) -> tuple[Question[Turn], bool]:
        """The question that a request waits for: a new one, or the same one that is open already.

        A question that has its answer is waited for all the same, and not for long.

        Args:
            approval: what the request would ask.
            ticket: the id of an approval that its client says it has.
            detached: whether the client would rather not wait.

        Returns:
            The question, and whether its answer is kept for a client that does not wait.

        Raises:
            ApprovalNotUsable: there is no such ticket for this request.
            ApprovalUnavailable: too much is open.
        """
        with self._lock:
            self._forget_expired()
            question = self._same(approval, ticket)
            if question is None:
                question = self._new(approval)
            question.waiting += 1
            kept = detached and question.answer is None
            question.detached = question.detached or kept
            return question, kept

    def find(self, approval_id: str) -> Question[Turn] | None:
        """The question with an id, while anything waits for it or may use its answer."""
        with self._lock:
            self._forget_expired()
            return self._by_id.get(approval_id)

    def settle(self, question: Question[Turn], answer: Answer) -> bool:
        """Take an answer; False when there was one already, which stands."""
        with self._lock:
            if question.answer is not None:
                return False
            if answer.state is ApprovalState.PENDING:
                raise ValueError("an answer is final")
            question.answer = self._with_grant(question.approval, answer)
            question.usable_until = self.clock() + question.approval.timeout
            if question.detached:
                self._kept[question.approval.id] = question
            self._open.pop(_key(question.approval), None)
            return True

    def claim(self, question: Question[Turn]) -> Answer:
        """The answer, for one of the requests that wait; an approval goes to the first alone.

        Raises:
            ApprovalNotUsable: an identical request has had it, or it came too long ago.
        """
        with self._lock:
            answer = question.answer
            assert answer is not None, "there is an answer when it is claimed"
            question.waiting -= 1
            approved = answer.state is ApprovalState.APPROVED
            used = question.used
            question.used = used or approved
            self._drop_if_done(question)
            if approved and used:
                raise ApprovalNotUsable(
                    f"approval `{question.approval.id}` is good for one request, and an identical"
                    " one has used it"
                )
            return answer

    def leave(self, question: Question[Turn]) -> bool:
        """A request waits no more; True when nothing does, so that the question is void."""
        with self._lock:
            question.waiting -= 1
            void = question.waiting <= 0 and not question.detached and question.answer is None
            if void:
                question.answer = Answer(state=ApprovalState.CANCELLED)
                self._open.pop(_key(question.approval), None)
            self._drop_if_done(question)
            return void

    def pending(self) -> list[Question[Turn]]:
        """Everything that is open."""
        with self._lock:
            return list(self._open.values())

    def _same(self, approval: Approval, ticket: str | None) -> Question[Turn] | None:
        if ticket is None:
            return self._open.get(_key(approval))
        question = self._by_id.get(ticket)
        # One message for what is unknown and what is another's, so that ids cannot be probed.
        if question is None or question.approval.fingerprint != approval.fingerprint:
            raise ApprovalNotUsable("there is no approval with this id for this very request")
        return question

    def _new(self, approval: Approval) -> Question[Turn]:
        if len(self._by_id) >= self.limit:
            raise ApprovalUnavailable(f"{self.limit} approvals are open already")
        question = Question(
            approval=approval, turn=self.new_turn(), deadline=self.clock() + approval.timeout
        )
        self._by_id[approval.id] = self._open[_key(approval)] = question
        return question

    def _with_grant(self, approval: Approval, answer: Answer) -> Answer:
        subjects = approval.subjects
        if answer.state is not ApprovalState.APPROVED or not answer.widened or subjects is None:
            return replace(answer, widened=None, grant=None)
        now = self.clock()
        if len(self._granted) + len(subjects) > _MAX_GRANTS:
            self._granted = {key: one for key, one in self._granted.items() if one.until > now}
        if len(self._granted) + len(subjects) > _MAX_GRANTS:
            return replace(answer, widened=None, grant=None)
        seconds = min(answer.widened, LONGEST_GRANT)
        # Its own times are told to people; what counts is the clock that nobody can set.
        begins = approval.created + timedelta(seconds=max(0.0, now - self._opened_at(approval)))
        grant = Grant(
            id=f"grt_{secrets.token_hex(8)}",
            approval_id=approval.id,
            gateway=approval.gateway,
            revision=approval.revision,
            subjects=subjects,
            by=answer.by,
            created=begins,
            expires=begins + timedelta(seconds=seconds),
        )
        for subject in subjects:
            self._granted[approval.revision, subject] = _Covered(grant, now + seconds)
        return replace(answer, widened=seconds, grant=grant)

    def _opened_at(self, approval: Approval) -> float:
        return self._by_id[approval.id].deadline - approval.timeout

    def _drop_if_done(self, question: Question[Turn]) -> None:
        kept = question.detached and not question.used
        if question.answer is not None and question.waiting <= 0 and not kept:
            self._by_id.pop(question.approval.id, None)
            self._kept.pop(question.approval.id, None)

    def _forget_expired(self) -> None:
        now = self.clock()
        for question in tuple(self._kept.values()):
            if question.usable_until <= now and question.waiting <= 0:
                del self._by_id[question.approval.id]
                del self._kept[question.approval.id]


def _key(approval: Approval) -> tuple[str, str]:
    return approval.fingerprint, approval.revision
