"""A request that needs an approval: asked about, waited for, or covered already."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass

from tameflare_core.approval import Answer, Approval, ApprovalState
from tameflare_core.commands import (
    AwaitApproval,
    Command,
    OpenApproval,
    Opened,
    Reply,
    WithdrawApproval,
)
from tameflare_core.errors import ApprovalNotUsable, ApprovalUnavailable

__all__ = ["Hold"]


@dataclass(slots=True)
class Hold:
    """One request on its way through an approval.

    Attributes:
        approval: the question; once it is opened, the one that was joined if one was open.
        ticket: the id of an approval that the client says it has.
        detached: whether the client would rather not wait, and after `run` whether it does not.
        opened: whether the question was put, so that the approval is one.
        answer: how it ended; None while the answer is to come.
    """

    approval: Approval
    ticket: str | None
    detached: bool
    opened: bool = False
    answer: Answer | None = None

    def run(self) -> Generator[Command, Reply, None]:
        """Ask, and wait for the answer unless the client does not.

        Raises:
            ApprovalUnavailable: nobody can be asked.
            ApprovalNotUsable: the client's approval is not for this request, or has been used.
        """
        opened = yield from self._open()
        self.approval = opened.approval
        self.opened = True
        self.detached = opened.detached
        grant = opened.grant
        if grant is not None:
            self.answer = Answer(state=ApprovalState.APPROVED, by=grant.by, grant=grant)
        elif not opened.detached:
            self.answer = yield from self._await()

    def _open(self) -> Generator[Command, Reply, Opened]:
        try:
            opened = yield OpenApproval(self.approval, self.ticket, self.detached)
        except (ApprovalUnavailable, ApprovalNotUsable, GeneratorExit):
            raise
        except BaseException:
            # The question may have been put before that.
            yield from self._withdraw()
            raise
        if not isinstance(opened, Opened):
            raise TypeError("OpenApproval is answered with what was opened")
        return opened

    def _await(self) -> Generator[Command, Reply, Answer]:
        try:
            answer = yield AwaitApproval(self.approval)
            if not isinstance(answer, Answer):
                raise TypeError("AwaitApproval is answered with an Answer")
        except (ApprovalNotUsable, GeneratorExit):
            raise
        except BaseException:
            yield from self._withdraw()
            raise
        return answer

    def _withdraw(self) -> Generator[Command, Reply, None]:
        # INVARIANT: a question whose request is gone must not stay answerable.
        self.opened = True
        self.answer = Answer(state=ApprovalState.CANCELLED)
        # A withdrawal that fails must not hide why there was one.
        with suppress(Exception):
            yield WithdrawApproval(self.approval)
