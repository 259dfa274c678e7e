"""The enforcement point: one generator that every frontend drives.

`enforce` does no I/O. It yields commands and is sent the replies, the way an httpx auth flow does;
a frontend (a transport, a proxy lane) carries them out and never decides anything. A driver sends
the reply of each command with `send`, reports a failure with `throw`, and runs the generator to its
end::

    ReadBody -> Body                only when the connector or an approver has to see it
    OpenApproval -> None            throws ApprovalUnavailable
    AwaitApproval -> Answer         throws ClientGone
    PrepareRecord -> None           throws whatever keeps a record from being written
    ResolveCredential -> Secret     throws CredentialError
    Forward -> int                  the status; throws UpstreamError, ClientGone
    Refuse -> None
    Record -> None                  always the last one
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from tameflare_core.approval import Answer, Approval, ApprovalState, fingerprint
from tameflare_core.body import MAX_INSPECTED
from tameflare_core.decision import Decision, Refusal, Verdict
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.errors import (
    ApprovalUnavailable,
    ClientGone,
    CredentialError,
    RequestRejected,
    UpstreamError,
)
from tameflare_core.gateway import BoundConnector
from tameflare_core.injection.forwarding import forwardable
from tameflare_core.record import TrafficRecord
from tameflare_core.refusals import (
    approval_unavailable,
    credential_failed,
    denied,
    internal_error,
    not_approved,
    rejected,
    upstream_failed,
)
from tameflare_core.request import Body, BodyState, OutboundRequest
from tameflare_core.surroundings import Surroundings
from tameflare_core.vault.references import CredentialReference
from tameflare_core.vault.secret import Secret

__all__ = [
    "AwaitApproval",
    "Command",
    "Enforcement",
    "Forward",
    "OpenApproval",
    "PrepareRecord",
    "ReadBody",
    "Record",
    "Refuse",
    "Reply",
    "ResolveCredential",
    "WithdrawApproval",
    "enforce",
]


@dataclass(frozen=True, slots=True)
class ReadBody:
    """Read the body, `limit` bytes at the most; reply with what is then known of it."""

    limit: int


@dataclass(frozen=True, slots=True)
class OpenApproval:
    """Ask a human; throw `ApprovalUnavailable` when there is none to ask."""

    approval: Approval


@dataclass(frozen=True, slots=True)
class AwaitApproval:
    """Hold the request until the answer; throw `ClientGone` when the client goes away first."""

    approval: Approval


@dataclass(frozen=True, slots=True)
class WithdrawApproval:
    """Tell those who were asked that the question is void."""

    approval: Approval


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
    """

    request: OutboundRequest
    connector: BoundConnector | None
    request_id: str


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
    | OpenApproval
    | AwaitApproval
    | WithdrawApproval
    | PrepareRecord
    | ResolveCredential
    | Forward
    | Refuse
    | Record
)
type Reply = Body | Answer | Secret | int | None
type Enforcement = Generator[Command, Reply, None]


def enforce(
    read: Callable[[], OutboundRequest],
    point: Callable[[], DecisionPoint],
    surroundings: Surroundings | None = None,
) -> Enforcement:
    """Take one request from its arrival to its answer and its record.

    Args:
        read: canonicalises the request; may raise `RequestRejected`.
        point: the decision point in force; asked again after a hold, because rules may have changed
            while a human was thinking.
        surroundings: clock and ids.
    """
    exchange = _Exchange(point, surroundings or Surroundings())
    try:
        yield from exchange.carry(read)
    except ClientGone:
        exchange.outcome = exchange.outcome or "abandoned"
    except Exception as error:  # noqa: BLE001  # INVARIANT: whatever goes wrong ends in a refusal
        yield from exchange.fail(error)
    yield Record(exchange.record())


@dataclass(slots=True)
class _Exchange:
    """The state of one `enforce`, as far as its record needs it."""

    point: Callable[[], DecisionPoint]
    surroundings: Surroundings
    id: str = field(init=False)
    time: datetime = field(init=False)
    request: OutboundRequest | None = None
    shown_path: str | None = None
    verdict: Verdict | None = None
    approval: Approval | None = None
    answer: Answer | None = None
    gateway: str = ""
    outcome: str = ""
    status: int | None = None
    error: str | None = None
    judged: float = 0.0
    held: float = 0.0
    upstream: float = 0.0

    def __post_init__(self) -> None:
        self.id = self.surroundings.new_id()
        self.time = self.surroundings.now()

    def carry(self, read: Callable[[], OutboundRequest]) -> Enforcement:
        started = self.surroundings.monotonic()
        point = self.point()
        self.gateway = point.gateway.name
        self.request = request = forwardable(read())
        self.shown_path = point.shown_path(request)
        needs_body = point.needs_body(request)
        self.judged = self.surroundings.monotonic() - started
        if needs_body:
            request = yield from self._read_body(request)
        verdict = self._judge(point, request)
        if verdict.applied is Decision.REQUIRE_APPROVAL and request.body.state is BodyState.UNREAD:
            # INVARIANT: who approves has seen the body, and the approval is good for no other.
            request = yield from self._read_body(request)
            verdict = self._judge(point, request)
        if verdict.applied is Decision.REQUIRE_APPROVAL:
            if not (yield from self._hold(point, verdict)):
                return
            point = self.point()
            self.verdict = verdict = self._judged_again(point, verdict)
        if verdict.applied is Decision.DENY:
            gateway = point.gateway.name
            yield from self.refuse(denied(verdict, gateway, self.id), "denied")
            return
        yield from self._forward(point)

    def _read_body(self, request: OutboundRequest) -> Generator[Command, Reply, OutboundRequest]:
        body = yield ReadBody(MAX_INSPECTED)
        if not isinstance(body, Body):
            raise TypeError("ReadBody is answered with a Body")
        self.request = request = request.with_body(body)
        return request

    def _judge(self, point: DecisionPoint, request: OutboundRequest) -> Verdict:
        started = self.surroundings.monotonic()
        self.verdict = verdict = point.decide(request, self.time)
        self.judged += self.surroundings.monotonic() - started
        return verdict

    def _hold(self, point: DecisionPoint, verdict: Verdict) -> Generator[Command, Reply, bool]:
        assert self.request is not None
        gateway = point.gateway
        approval = Approval(
            id=f"apv_{self.id.replace('-', '')}",
            gateway=gateway.name,
            request=self.request,
            shown_url=point.shown_url(self.request),
            verdict=verdict,
            fingerprint=fingerprint(gateway.name, self.request),
            created=self.surroundings.now(),
            timeout=gateway.approval_timeout,
        )
        started = self.surroundings.monotonic()
        try:
            self.answer = answer = yield from self._ask(approval)
        except ApprovalUnavailable as error:
            refusal = approval_unavailable(verdict, gateway.name, self.id, str(error))
            yield from self.refuse(refusal, "denied", str(error))
            return False
        finally:
            self.held = self.surroundings.monotonic() - started
        if answer.state is ApprovalState.APPROVED:
            return True
        refusal = not_approved(approval, answer, self.id)
        yield from self.refuse(refusal, answer.state.value)
        return False

    def _ask(self, approval: Approval) -> Generator[Command, Reply, Answer]:
        try:
            yield OpenApproval(approval)
            self.approval = approval
            answer = yield AwaitApproval(approval)
            if not isinstance(answer, Answer):
                raise TypeError("AwaitApproval is answered with an Answer")
        except BaseException as error:
            nobody_was_asked = self.approval is None and isinstance(error, ApprovalUnavailable)
            if not (nobody_was_asked or isinstance(error, GeneratorExit)):
                # INVARIANT: a question whose request is gone must not stay answerable.
                self.approval = approval
                self.answer = Answer(state=ApprovalState.CANCELLED)
                self.outcome = ApprovalState.CANCELLED.value
                # A withdrawal that fails must not hide why there was one.
                with suppress(Exception):
                    yield WithdrawApproval(approval)
            raise
        return answer

    def _judged_again(self, point: DecisionPoint, held: Verdict) -> Verdict:
        assert self.request is not None
        verdict = point.decide(self.request, self.surroundings.now())
        if verdict.applied is Decision.DENY:
            return verdict
        return Verdict(
            decision=held.decision,
            applied=Decision.ALLOW,
            rule=held.rule,
            reason=held.reason,
            judgements=held.judgements,
            connector=held.connector,
        )

    def _forward(self, point: DecisionPoint) -> Enforcement:
        request = self.request
        assert request is not None
        assert self.verdict is not None
        yield PrepareRecord()
        bound = point.connector_for(request.scheme, request.host, request.port)
        outbound = request
        # Plain http shows a credential to everyone on the way; OPTIONS needs none.
        if bound is not None and bound.credential is not None:
            placement = bound.connector.placement_for(request, bound.placement)
            if placement is not None:
                outbound = placement.clear(request)
                if request.scheme == "https" and request.method != "OPTIONS":
                    secret = yield ResolveCredential(bound.credential)
                    if not isinstance(secret, Secret):
                        raise TypeError("ResolveCredential is answered with a Secret")
                    outbound = placement.fill(request, secret)
        started = self.surroundings.monotonic()
        try:
            status = yield Forward(outbound, bound, self.id)
        finally:
            self.upstream = self.surroundings.monotonic() - started
        decision = self.verdict.decision
        approved = self.approval is not None and decision is Decision.REQUIRE_APPROVAL
        self.outcome = "forwarded" if approved else _PASSED[decision]
        if isinstance(status, int):
            self.status = status

    def fail(self, error: Exception) -> Enforcement:
        match error:
            case RequestRejected():
                yield from self.refuse(rejected(error, self.id), "rejected", str(error))
            case UpstreamError():
                refusal = upstream_failed(error, self.id, self.verdict)
                yield from self.refuse(refusal, "failed", str(error))
            case CredentialError():
                refusal = credential_failed(error, self.id, self.verdict)
                yield from self.refuse(refusal, "failed", str(error))
            case _:
                # The message stays out of the answer: it may quote anything.
                why = f"internal error: {type(error).__name__}"
                yield from self.refuse(internal_error(self.id), "failed", why)

    def refuse(self, refusal: Refusal, outcome: str, error: str | None = None) -> Enforcement:
        refusal = self._reworded(refusal)
        self.outcome = self.outcome or outcome
        self.status = refusal.status
        self.error = error
        try:
            yield Refuse(refusal)
        except Exception as failure:  # noqa: BLE001  # it is recorded all the same
            self.status = None
            self.error = error or f"the refusal was not delivered: {type(failure).__name__}"

    def _reworded(self, refusal: Refusal) -> Refusal:
        request = self.request
        if request is None or refusal.verdict is None:
            return refusal
        try:
            bound = self.point().connector_for(request.scheme, request.host, request.port)
            return refusal if bound is None else bound.connector.reworded(request, refusal)
        except Exception:  # noqa: BLE001  # INVARIANT: what cannot be reworded is refused all the same
            return refusal

    def record(self) -> TrafficRecord:
        return TrafficRecord(
            id=self.id,
            time=self.time,
            gateway=self.gateway,
            request=self.request,
            shown_path=self.shown_path,
            verdict=self.verdict,
            outcome=self.outcome,
            status=self.status,
            approval_id=self.approval.id if self.approval else None,
            approval_state=self.answer.state if self.answer else None,
            judge_seconds=self.judged,
            hold_seconds=self.held,
            upstream_seconds=self.upstream,
            error=self.error,
        )


_PASSED = {
    Decision.ALLOW: "forwarded",
    # At the levels `soft` and `monitor` a request passes that the rules would have stopped.
    Decision.REQUIRE_APPROVAL: "would_hold",
    Decision.DENY: "would_deny",
}
