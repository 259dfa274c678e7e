"""What the enforcement point asks of the frontend that drives it, and what it is answered with.

::

    ReadBody -> Body                only when the connector or an approver has to see it
    ReserveUsage -> frozenset       the charges over their limits; empty when all are counted
    TakeUsage -> None               throws whatever keeps them from being counted
    GiveBackUsage -> None           the request did not leave
    OpenApproval -> Opened          throws ApprovalUnavailable, ApprovalNotUsable
    AwaitApproval -> Answer         throws ClientGone, ApprovalNotUsable
    WithdrawApproval -> None        the request does not wait any more
    AskStatus -> dict or None       of an approval of this gateway; None when it is unknown
    PrepareRecord -> None           throws whatever keeps a record from being written
    ResolveCredential -> Secret     throws CredentialError
    Forward -> int                  the status; throws UpstreamError, ClientGone, ExchangeKilled
    SettleUsage -> None             the request left
    Refuse -> None
    Record -> None                  always the last one
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime

from tameflare_core.approval import Answer, Approval, Grant
from tameflare_core.decision import Refusal, Verdict
from tameflare_core.gateway import BoundConnector
from tameflare_core.record import TrafficRecord
from tameflare_core.request import Body, OutboundRequest
from tameflare_core.usage import Charge
from tameflare_core.vault.references import CredentialReference
from tameflare_core.vault.secret import Secret

__all__ = [
    "AskStatus",
    "AwaitApproval",
    "Command",
    "Enforcement",
    "Forward",
    "GiveBackUsage",
    "OpenApproval",
    "Opened",
    "PrepareRecord",
    "ReadBody",
    "Record",
    "Refuse",
    "Reply",
    "ReserveUsage",
    "ResolveCredential",
    "SettleUsage",
    "TakeUsage",
    "WithdrawApproval",
]


@dataclass(frozen=True, slots=True)
class ReadBody:
    """Read the body, `limit` bytes at the most; reply with what is then known of it."""

    limit: int


@dataclass(frozen=True, slots=True)
class ReserveUsage:
    """Count all of `charges` or none; reply with those that go over their limits."""

    request_id: str
    charges: tuple[Charge, ...]
    now: datetime


@dataclass(frozen=True, slots=True)
class TakeUsage:
    """Count `charges` of a request that leaves, over their limits or not."""

    request_id: str
    charges: tuple[Charge, ...]
    now: datetime


@dataclass(frozen=True, slots=True)
class GiveBackUsage:
    """Void what a request had counted: it did not leave."""

    request_id: str


@dataclass(frozen=True, slots=True)
class SettleUsage:
    """Leave counted what a request had counted: it left."""

    request_id: str


@dataclass(frozen=True, slots=True)
class OpenApproval:
    """Ask a human, join the same question, or find out that nobody has to be asked.

    Attributes:
        approval: the question.
        ticket: the id of an approval that the client says it has; None when it says none.
        detached: whether the client would rather not wait.
    """

    approval: Approval
    ticket: str | None = None
    detached: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """What became of `OpenApproval`.

    Attributes:
        approval: the question that the request waits for: its own, or the one that it joined.
        grant: what covers the request already, so that there is no question.
        detached: whether the answer will be kept for a client that does not wait.
    """

    approval: Approval
    grant: Grant | None = None
    detached: bool = False


@dataclass(frozen=True, slots=True)
class AwaitApproval:
    """Hold the request until the answer; throw `ClientGone` when the client goes away first."""

    approval: Approval


@dataclass(frozen=True, slots=True)
class WithdrawApproval:
    """The request does not wait for the answer any more; the last one takes the question along."""

    approval: Approval


@dataclass(frozen=True, slots=True)
class AskStatus:
    """Say how an approval of this gateway stands; None for one that is not known."""

    approval_id: str


@dataclass(frozen=True, slots=True)
class PrepareRecord:
    """Make sure that a record can be written; nothing leaves unrecorded."""


@dataclass(frozen=True, slots=True)
class ResolveCredential:
    """Look up a credential; throw `CredentialError` when it cannot be had."""

    reference: CredentialReference


@dataclass(frozen=True, slots=True)
class Forward:
    """Send exactly this request upstream; reply with the status of the answer.

    Attributes:
        request: the judged request plus the credential.
        connector: whose upstream it is; None when nobody owns the destination and the gateway's
            enforcement level lets it pass.
        request_id: the id under which it is recorded.
        verdict: how it was judged, for whoever may have to end it later.
    """

    request: OutboundRequest
    connector: BoundConnector | None
    request_id: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer the client with this, and send nothing upstream."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Record:
    """Keep this record."""

    record: TrafficRecord


type Command = (
    ReadBody
    | ReserveUsage
    | TakeUsage
    | GiveBackUsage
    | SettleUsage
    | OpenApproval
    | AwaitApproval
    | WithdrawApproval
    | AskStatus
    | PrepareRecord
    | ResolveCredential
    | Forward
    | Refuse
    | Record
)
type Reply = Body | frozenset[Charge] | Opened | Answer | Secret | dict[str, object] | int | None
type Enforcement = Generator[Command, Reply, None]
