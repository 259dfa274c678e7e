"""What a frontend brings along, and the commands of `enforce` that every driver carries out alike.

A driver keeps for itself only what its engine does: `ReadBody`, `Forward` and `Refuse`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from anyio import to_thread

from tameflare_core.approvals import Approvals, AsyncApprovals
from tameflare_core.commands import (
    AskStatus,
    AwaitApproval,
    Command,
    GiveBackUsage,
    OpenApproval,
    PrepareRecord,
    Record,
    Reply,
    ReserveUsage,
    ResolveCredential,
    SettleUsage,
    TakeUsage,
    WithdrawApproval,
)
from tameflare_core.errors import CredentialError
from tameflare_core.record import TrafficRecord
from tameflare_core.usage import LocalUsage, UsageMeter
from tameflare_core.vault.references import CredentialReference, CredentialSource
from tameflare_core.vault.secret import Secret

__all__ = ["AsyncServices", "Credentials", "Recorder", "Services"]


class Recorder(Protocol):
    """Keeps traffic records."""

    def prepare(self) -> None:
        """Raise when a record could not be kept now."""

    def record(self, record: TrafficRecord) -> None:
        """Keep a record."""


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
    """Carries out the common commands, blocking.

    Attributes:
        approvals: who is asked.
        recorder: keeps traffic records.
        credentials: looks up what is injected.
        usage: counts what limits are about.
    """

    approvals: Approvals
    recorder: Recorder
    credentials: Credentials
    usage: UsageMeter = field(default_factory=LocalUsage)

    def carry_out(self, command: Command) -> Reply:
        """Do what `command` says and return its reply.

        Raises:
            Exception: whatever the service raises; the driver throws it into the generator.
        """
        match command:
            case OpenApproval():
                return self.approvals.open(command)
            case AwaitApproval():
                return self.approvals.wait(command)
            case WithdrawApproval(approval):
                self.approvals.withdraw(approval)
            case AskStatus():
                # Nobody is sent away with an approval here.
                return None
            case _:
                return _carry_out_at_once(command, self)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class AsyncServices:
    """Carries out the common commands without blocking the event loop.

    Attributes:
        approvals: who is asked.
        recorder: keeps traffic records.
        credentials: looks up what is injected.
        usage: counts what limits are about.
    """

    approvals: AsyncApprovals
    recorder: Recorder
    credentials: Credentials
    usage: UsageMeter = field(default_factory=LocalUsage)

    async def carry_out(self, command: Command) -> Reply:
        """Do what `command` says and return its reply.

        Raises:
            Exception: whatever the service raises; the driver throws it into the generator.
        """
        match command:
            case OpenApproval():
                return await self.approvals.open(command)
            case AwaitApproval():
                return await self.approvals.wait(command)
            case WithdrawApproval(approval):
                await self.approvals.withdraw(approval)
            case AskStatus(approval_id):
                return self.approvals.status(approval_id)
            case ReserveUsage() | TakeUsage() | GiveBackUsage() | SettleUsage() if (
                self.usage.blocks
            ):
                return await to_thread.run_sync(_count, command, self.usage)
            case _:
                return _carry_out_at_once(command, self)
        return None


def _carry_out_at_once(command: Command, services: Services | AsyncServices) -> Reply:
    match command:
        case PrepareRecord():
            services.recorder.prepare()
        case ResolveCredential(reference):
            return services.credentials.resolve(reference)
        case Record(record):
            services.recorder.record(record)
        case ReserveUsage() | TakeUsage() | GiveBackUsage() | SettleUsage():
            return _count(command, services.usage)
        case _:
            raise TypeError(f"`{type(command).__name__}` is the driver's own to carry out")
    return None


def _count(
    command: ReserveUsage | TakeUsage | GiveBackUsage | SettleUsage, usage: UsageMeter
) -> Reply:
    match command:
        case ReserveUsage(request_id, charges, now):
            return usage.reserve(request_id, charges, now)
        case TakeUsage(request_id, charges, now):
            usage.take(request_id, charges, now)
        case GiveBackUsage(request_id):
            usage.give_back(request_id)
        case SettleUsage(request_id):
            usage.settle(request_id)
    return None
