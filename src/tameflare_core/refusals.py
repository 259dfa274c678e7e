"""The refusals: for each case its status, its words, and what the agent can do next."""

from __future__ import annotations

import json

from tameflare_core.approval import Answer, Approval, ApprovalState
from tameflare_core.decision import Refusal, RewordedRefusal, RuleKind, Verdict
from tameflare_core.errors import CredentialError, RequestRejected, UpstreamError
from tameflare_core.respond_async import status_url

__all__ = [
    "approval_not_usable",
    "approval_status",
    "approval_unavailable",
    "approval_waits",
    "credential_failed",
    "denied",
    "internal_error",
    "not_approved",
    "rejected",
    "upstream_failed",
]

# Several vendors' clients retry 408 and 5xx on their own, which would ask the human again.
_DO_NOT_RETRY = (("x-should-retry", "false"),)
_KILL_SWITCH = (("x-tameflare-kill-switch", "active"),)
_POLL_SECONDS = 5
_STOPPED = (
    "Stop: a person has stopped this. Do not retry, and do not look for another way. Tell the user."
)


def rejected(error: RequestRejected, request_id: str) -> Refusal:
    """400: the request cannot be read in exactly one way."""
    return Refusal(
        status=400,
        kind="rejected",
        title="Request rejected",
        detail=str(error),
        hint="Send the request in its plain form: no dot segments, no double or encoded slashes,"
        " one Host, a known method in upper case. Nothing was sent upstream.",
        request_id=request_id,
        headers=(("connection", "close"),),
    )


def denied(verdict: Verdict, gateway: str, request_id: str) -> Refusal:
    """403: the rules deny it."""
    stopped = verdict.rule.kind is RuleKind.KILL_SWITCH
    return Refusal(
        status=403,
        kind="denied",
        title="Stopped by a kill switch" if stopped else "Denied",
        detail=verdict.reason,
        hint=_hint(verdict, gateway),
        request_id=request_id,
        verdict=verdict,
        headers=_KILL_SWITCH if stopped else (),
    )


def _hint(verdict: Verdict, gateway: str) -> str:
    action = verdict.determining
    what = action.name if action else "this request"
    match verdict.rule.kind:
        case RuleKind.KILL_SWITCH:
            return _STOPPED
        case RuleKind.NO_CONNECTOR:
            return (
                f"Gateway `{gateway}` has no connector for this host. Do not retry. If the task"
                " needs it, ask the gateway's owner to add a connector for the host."
            )
        case RuleKind.BLOCKED_CATEGORY:
            return (
                "Do not retry: no permission can allow what is blocked as"
                f" `{verdict.rule.pattern}`. Go on without {what}."
            )
        case RuleKind.POLICY:
            return (
                f"Do not retry as it is. Go on without {what}, or ask the owner of gateway"
                f" `{gateway}` about policy `{verdict.rule.pattern}`."
            )
        case _ if action is not None:
            return (
                f"Do not retry: the answer will be the same. Go on without {what}, or ask the"
                f" owner of gateway `{gateway}` for a permission that allows {what}."
            )
        case _:
            return (
                f"Do not retry. Ask the owner of gateway `{gateway}` to look at this request's id."
            )


def approval_unavailable(verdict: Verdict, gateway: str, request_id: str, why: str) -> Refusal:
    """403: it needs an approval and nobody can be asked."""
    return Refusal(
        status=403,
        kind="approval-unavailable",
        title="Nobody can approve",
        detail=f"{verdict.reason}, and nobody can be asked: {why}",
        hint=f"Do not retry. Tell the user that gateway `{gateway}` wants an approval for this and"
        " that it has to run where somebody can give one.",
        request_id=request_id,
        verdict=verdict,
    )


_ENDINGS = {
    ApprovalState.DENIED: ("approval-denied", "Approval denied", "a human refused this request"),
    ApprovalState.EXPIRED: ("approval-expired", "Approval expired", "nobody answered in time"),
    ApprovalState.CANCELLED: (
        "approval-cancelled",
        "Approval cancelled",
        "the question was withdrawn",
    ),
    ApprovalState.KILLED: (
        "approval-killed",
        "Approval killed",
        "a kill switch ended the question",
    ),
}


def not_approved(approval: Approval, answer: Answer, request_id: str) -> Refusal:
    """403, or 408 when nobody answered: the approval ended otherwise than approved."""
    kind, title, detail = _ENDINGS[answer.state]
    if answer.by:
        detail += f" ({answer.by})"
    if answer.note:
        detail += f": {answer.note}"
    headers: tuple[tuple[str, str], ...] = _DO_NOT_RETRY
    match answer.state:
        case ApprovalState.EXPIRED:
            hint = (
                "Do not send it again on your own: tell the user that it waits for their approval."
            )
        case ApprovalState.KILLED:
            hint = _STOPPED
            headers += _KILL_SWITCH
        case _:
            hint = "Do not retry. Go on without it, or ask the user how to proceed."
    return Refusal(
        status=408 if answer.state is ApprovalState.EXPIRED else 403,
        kind=kind,
        title=title,
        detail=detail,
        hint=hint,
        request_id=request_id,
        verdict=approval.verdict,
        approval_id=approval.id,
        headers=headers,
    )


def approval_waits(approval: Approval, request_id: str) -> Refusal:
    """202: a human is asked, and the client did not want to wait."""
    return Refusal(
        status=202,
        kind="approval-pending",
        title="Waiting for approval",
        detail=f"{approval.verdict.reason}; a human has been asked, and nothing was sent",
        hint="Ask the URL in `Location` how the approval stands. Once its `state` is `approved`,"
        f" send the same request again with the header `X-TameFlare-Approval: {approval.id}`; it is"
        " good for one request.",
        request_id=request_id,
        verdict=approval.verdict,
        approval_id=approval.id,
        headers=(
            ("location", status_url(approval.id)),
            ("preference-applied", "respond-async"),
            ("retry-after", str(_POLL_SECONDS)),
        ),
    )


def approval_not_usable(verdict: Verdict, request_id: str, why: str) -> Refusal:
    """403: the approval that the client names cannot be used for this request."""
    return Refusal(
        status=403,
        kind="approval-not-usable",
        title="Approval not usable",
        detail=f"nothing was sent: {why}",
        hint="An approval is good for one request, and for the one that was approved: same method,"
        " URL and body. Send the request without `X-TameFlare-Approval` to ask anew.",
        request_id=request_id,
        verdict=verdict,
        headers=_DO_NOT_RETRY,
    )


def approval_status(status: dict[str, object] | None, request_id: str) -> Refusal:
    """200: how an approval stands; 404 when this gateway knows none of that id."""
    if status is None:
        return Refusal(
            status=404,
            kind="approval-unknown",
            title="No such approval",
            detail="this gateway has no such approval, or it has ended",
            hint="Send the request again to ask anew.",
            request_id=request_id,
        )
    answer = Refusal(
        status=200, kind="approval", title="Approval", detail="", hint="", request_id=request_id
    )
    content = json.dumps(status, separators=(",", ":")).encode()
    return RewordedRefusal.of(answer, status=200, media_type="application/json", content=content)


def upstream_failed(error: UpstreamError, request_id: str, verdict: Verdict | None) -> Refusal:
    """502: the upstream could not be reached or verified, or gave no answer."""
    return Refusal(
        status=502,
        kind="upstream",
        title="Upstream failed",
        detail=str(error),
        hint="The request was allowed but the service could not be used. Try again later; if it"
        " stays so, tell the user what this says.",
        request_id=request_id,
        verdict=verdict,
    )


def credential_failed(error: CredentialError, request_id: str, verdict: Verdict | None) -> Refusal:
    """502: the credential to inject cannot be had; nothing was sent."""
    return Refusal(
        status=502,
        kind="credential",
        title="Credential unavailable",
        detail=f"nothing was sent: {error}",
        hint="Do not retry. Tell the user that the gateway's credential has to be set up.",
        request_id=request_id,
        verdict=verdict,
        headers=_DO_NOT_RETRY,
    )


def internal_error(request_id: str) -> Refusal:
    """403: something failed inside the gateway, and what fails is refused."""
    return Refusal(
        status=403,
        kind="internal",
        title="Refused after an error",
        detail="the gateway failed while handling this request and refused it",
        hint="Do not retry. Tell the user to look at the gateway's log for this request's id.",
        request_id=request_id,
    )
