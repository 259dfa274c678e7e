"""The refusals: for each case its status, its words, and what the agent can do next."""

from __future__ import annotations

from tameflare_core.approval import Answer, Approval, ApprovalState
from tameflare_core.decision import Refusal, RuleKind, Verdict
from tameflare_core.errors import CredentialError, RequestRejected, UpstreamError

__all__ = [
    "approval_unavailable",
    "credential_failed",
    "denied",
    "internal_error",
    "not_approved",
    "rejected",
    "upstream_failed",
]

# Several vendors' clients retry 408 and 5xx on their own, which would ask the human again.
_DO_NOT_RETRY = (("x-should-retry", "false"),)


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
    action = verdict.determining
    if verdict.rule.kind is RuleKind.NO_CONNECTOR:
        hint = (
            f"Gateway `{gateway}` has no connector for this host. Do not retry. If the task needs"
            " it, ask the gateway's owner to add a connector for the host."
        )
    elif action is not None:
        hint = (
            f"Do not retry: the answer will be the same. Go on without {action.name}, or ask the"
            f" owner of gateway `{gateway}` for a permission that allows {action.name}."
        )
    else:
        hint = f"Do not retry. Ask the owner of gateway `{gateway}` to look at this request's id."
    return Refusal(
        status=403,
        kind="denied",
        title="Denied",
        detail=verdict.reason,
        hint=hint,
        request_id=request_id,
        verdict=verdict,
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
    expired = answer.state is ApprovalState.EXPIRED
    return Refusal(
        status=408 if expired else 403,
        kind=kind,
        title=title,
        detail=detail,
        hint="Do not send it again on your own: tell the user that it waits for their approval."
        if expired
        else "Do not retry. Go on without it, or ask the user how to proceed.",
        request_id=request_id,
        verdict=approval.verdict,
        approval_id=approval.id,
        headers=_DO_NOT_RETRY,
    )


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
