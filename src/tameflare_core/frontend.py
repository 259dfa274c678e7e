"""What a frontend brings along, and the commands of `enforce` that every driver carries out alike.

A driver keeps for itself only what its engine does: `ReadBody`, `Forward` and `Refuse`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import anyio

from tameflare_core.approval import Answer, Approval, ApprovalState
from tameflare_core.enforcement import (
    AwaitApproval,
    Command,
    OpenApproval,
    PrepareRecord,
    Record,
    Reply,
    ResolveCredential,
    WithdrawApproval,
)
from tameflare_core.errors import ApprovalUnavailable, CredentialError
from tameflare_core.record import TrafficRecord
from tameflare_core.vault.references import CredentialReference, CredentialSource
from tameflare_core.vault.secret import Secret

__all__ = [
    "Approver",
    "AsyncApprover",
    "AsyncNobodyToAsk",
    "AsyncServices",
    "Credentials",
    "NobodyToAsk",
    "Recorder",
    "Services",
]

_NOBODY = "this gateway has no terminal and no control plane"


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


class Recorder(Protocol):
    """Keeps traffic records."""

    def prepare(self) -> None:
        """Raise when a record could not be kept now."""

    def record(self, record: TrafficRecord) -> None:
        """Keep a record."""


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


@dataclass(frozen=True, slots=True)
class Credentials:
    """Looks up credential references.

    Attributes:
        sources: by scheme.
        folder: where relative names start.
    """

    sources: Mapping[str, CredentialSource]
    folder: Path

    def resolve(self, reference: CredentialReference) -> Secret:
        """The credential that `reference` stands for.

        Raises:
            CredentialError: it cannot be had.
        """
        source = self.sources.get(reference.scheme)
        if source is None:
            raise CredentialError(f"no credential source `{reference.scheme}:` is installed")
        return source.resolve(reference.name, self.folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Carries out the common commands, blocking."""

    approver: Approver
    recorder: Recorder
    credentials: Credentials

    def carry_out(self, command: Command) -> Reply:
        """Do what `command` says and return its reply.

        Raises:
            Exception: whatever the service raises; the driver throws it into the generator.
        """
        match command:
            case OpenApproval(approval):
                self.approver.open(approval)
            case AwaitApproval(approval):
                return self.approver.wait(approval)
            case WithdrawApproval(approval):
                self.approver.withdraw(approval)
            case _:
                return _carry_out_at_once(command, self.recorder, self.credentials)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class AsyncServices:
    """Carries out the common commands without blocking the event loop."""

    approver: AsyncApprover
    recorder: Recorder
    credentials: Credentials

    async def carry_out(self, command: Command) -> Reply:
        """Do what `command` says and return its reply.

        Raises:
            Exception: whatever the service raises; the driver throws it into the generator.
        """
        match command:
            case OpenApproval(approval):
                await self.approver.open(approval)
            case AwaitApproval(approval):
                with anyio.move_on_after(approval.timeout):
                    return await self.approver.wait(approval)
                await self.approver.withdraw(approval)
                return Answer(state=ApprovalState.EXPIRED)
            case WithdrawApproval(approval):
                await self.approver.withdraw(approval)
            case _:
                return _carry_out_at_once(command, self.recorder, self.credentials)
        return None


def _carry_out_at_once(command: Command, recorder: Recorder, credentials: Credentials) -> Reply:
    match command:
        case PrepareRecord():
            recorder.prepare()
        case ResolveCredential(reference):
            return credentials.resolve(reference)
        case Record(record):
            recorder.record(record)
        case _:
            raise TypeError(f"`{type(command).__name__}` is the driver's own to carry out")
    return None
