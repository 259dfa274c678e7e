"""The enforcement point: one generator that every frontend drives.

`enforce` does no I/O. It yields commands and is sent the replies, the way an httpx auth flow does;
a frontend (a transport, a proxy lane) carries them out and never decides anything. A driver sends
the reply of each command with `send`, reports a failure with `throw`, and runs the generator to its
end. `tameflare_core.commands` has the commands and what each is answered with.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from datetime import datetime

from tameflare_core.approval import Approval, ApprovalState, fingerprint
from tameflare_core.body import MAX_INSPECTED
from tameflare_core.commands import (
    AskStatus,
    Command,
    Enforcement,
    Forward,
    PrepareRecord,
    ReadBody,
    Record,
    Refuse,
    Reply,
    ResolveCredential,
)
from tameflare_core.decision import Decision, Refusal, Verdict
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.errors import (
    ApprovalNotUsable,
    ApprovalUnavailable,
    ClientGone,
    CredentialError,
    ExchangeKilled,
    RequestRejected,
    UpstreamError,
)
from tameflare_core.headers import Headers
from tameflare_core.holding import Hold
from tameflare_core.injection.forwarding import forwardable
from tameflare_core.metering import Metering
from tameflare_core.record import TrafficRecord
from tameflare_core.refusals import (
    approval_not_usable,
    approval_status,
    approval_unavailable,
    approval_waits,
    credential_failed,
    denied,
    internal_error,
    not_approved,
    rejected,
    upstream_failed,
)
from tameflare_core.request import Body, BodyState, OutboundRequest
from tameflare_core.respond_async import STATUS_HOST, prefers_not_to_wait, status_asked
from tameflare_core.surroundings import Surroundings
from tameflare_core.vault.secret import Secret

__all__ = ["enforce"]


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
    except ExchangeKilled as error:
        # There is nobody to tell: its connection is cut.
        exchange.outcome, exchange.error = "killed", str(error)
    except Exception as error:  # noqa: BLE001  # INVARIANT: whatever goes wrong ends in a refusal
        yield from exchange.fail(error)
    yield from exchange.metering.close()
    yield Record(exchange.record())


@dataclass(slots=True)
class _Exchange:
    """The state of one `enforce`, as far as its record needs it."""

    point: Callable[[], DecisionPoint]
    surroundings: Surroundings
    id: str = field(init=False)
    time: datetime = field(init=False)
    metering: Metering = field(init=False)
    request: OutboundRequest | None = None
    shown_path: str | None = None
    verdict: Verdict | None = None
    hold: Hold | None = None
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
        self.metering = Metering(self.id)

    def carry(self, read: Callable[[], OutboundRequest]) -> Enforcement:
        started = self.surroundings.monotonic()
        point = self.point()
        self.gateway = point.gateway.name
        received = read()
        self.request = request = forwardable(received)
        if request.host == STATUS_HOST:
            yield from self._tell_status(request)
            return
        self.shown_path = point.shown_path(request)
        needs_body = point.needs_body(request)
        self.judged = self.surroundings.monotonic() - started
        if needs_body:
            request = yield from self._read_body(request)
        verdict = yield from self._judge(point, request)
        if verdict.applied is Decision.REQUIRE_APPROVAL and request.body.state is BodyState.UNREAD:
            # INVARIANT: who approves has seen the body, and the approval is good for no other.
            yield from self.metering.close()
            request = yield from self._read_body(request)
            verdict = yield from self._judge(point, request)
        if verdict.applied is Decision.REQUIRE_APPROVAL:
            if not (yield from self._hold(point, verdict, received.headers)):
                return
            point = self.point()
            self.verdict = verdict = self._judged_again(point, verdict)
        if verdict.applied is Decision.DENY:
            gateway = point.gateway.name
            yield from self.refuse(denied(verdict, gateway, self.id), "denied")
            return
        yield from self._forward(point, verdict)

    def _tell_status(self, request: OutboundRequest) -> Enforcement:
        approval_id = status_asked(request)
        status = None
        if approval_id is not None:
            reply = yield AskStatus(approval_id)
            status = reply if isinstance(reply, dict) else None
        yield from self.refuse(approval_status(status, self.id), "answered")

    def _read_body(self, request: OutboundRequest) -> Generator[Command, Reply, OutboundRequest]:
        body = yield ReadBody(MAX_INSPECTED)
        if not isinstance(body, Body):
            raise TypeError("ReadBody is answered with a Body")
        self.request = request = request.with_body(body)
        return request

    def _judge(
        self, point: DecisionPoint, request: OutboundRequest
    ) -> Generator[Command, Reply, Verdict]:
        started = self.surroundings.monotonic()
        self.verdict = verdict = point.decide(request, self.time)
        self.judged += self.surroundings.monotonic() - started
        self.verdict = verdict = yield from self.metering.reserve(point, verdict, self.time)
        return verdict

    def _hold(
        self, point: DecisionPoint, verdict: Verdict, headers: Headers
    ) -> Generator[Command, Reply, bool]:
        gateway = point.gateway.name
        self.hold = hold = Hold(
            self._approval(point, verdict),
            ticket=headers.get("x-tameflare-approval") or None,
            detached=prefers_not_to_wait(headers),
        )
        started = self.surroundings.monotonic()
        try:
            if verdict.terms.roles == frozenset():
                raise ApprovalUnavailable("the policies that ask name no role in common")
            yield from hold.run()
        except ApprovalUnavailable as error:
            refusal = approval_unavailable(verdict, gateway, self.id, str(error))
            yield from self.refuse(refusal, "denied", str(error))
            return False
        except ApprovalNotUsable as error:
            refusal = approval_not_usable(verdict, self.id, str(error))
            yield from self.refuse(refusal, "denied", str(error))
            return False
        except ClientGone:
            self.outcome = ApprovalState.CANCELLED.value
            raise
        finally:
            self.held = self.surroundings.monotonic() - started
        answer = hold.answer
        if answer is None:
            yield from self.refuse(approval_waits(hold.approval, self.id), "pending")
        elif answer.state is ApprovalState.APPROVED:
            return True
        else:
            refusal = not_approved(hold.approval, answer, self.id)
            yield from self.refuse(refusal, answer.state.value)
        return False

    def _approval(self, point: DecisionPoint, verdict: Verdict) -> Approval:
        assert self.request is not None
        gateway, terms = point.gateway, verdict.terms
        return Approval(
            id=f"apv_{self.id.replace('-', '')}",
            gateway=gateway.name,
            request=self.request,
            shown_url=point.shown_url(self.request),
            verdict=verdict,
            fingerprint=fingerprint(gateway.name, self.request),
            created=self.surroundings.now(),
            timeout=gateway.approval_timeout if terms.timeout is None else terms.timeout,
            roles=terms.roles,
            revision=gateway.revision,
        )

    def _judged_again(self, point: DecisionPoint, held: Verdict) -> Verdict:
        assert self.request is not None
        verdict = point.decide(self.request, self.surroundings.now())
        if verdict.applied is Decision.DENY:
            return verdict
        return replace(held, applied=Decision.ALLOW)

    def _forward(self, point: DecisionPoint, verdict: Verdict) -> Enforcement:
        request = self.request
        assert request is not None
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
        yield from self.metering.take(verdict, self.time)
        # INVARIANT: whoever activates a kill switch after this finds the request by its `Forward`.
        now = self.point()
        if now.stopped_by(verdict) is not None:
            self.verdict = stopped = now.decide(request, self.surroundings.now())
            yield from self.refuse(denied(stopped, now.gateway.name, self.id), "denied")
            return
        self.metering.left = True
        started = self.surroundings.monotonic()
        try:
            status = yield Forward(outbound, bound, self.id, verdict)
        finally:
            self.upstream = self.surroundings.monotonic() - started
        approved = self.hold is not None and verdict.decision is Decision.REQUIRE_APPROVAL
        self.outcome = "forwarded" if approved else _PASSED[verdict.decision]
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
        hold = self.hold if self.hold is not None and self.hold.opened else None
        return TrafficRecord(
            id=self.id,
            time=self.time,
            gateway=self.gateway,
            request=self.request,
            shown_path=self.shown_path,
            verdict=self.verdict,
            outcome=self.outcome,
            status=self.status,
            approval=hold.approval if hold else None,
            answer=hold.answer if hold else None,
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
