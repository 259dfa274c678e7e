"""The refusals: each case has its status, and tells an agent what it can do next."""

from __future__ import annotations

import pytest

from tameflare_core.approval import Answer, Approval, ApprovalState, fingerprint
from tameflare_core.decision import Refusal, Verdict
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.errors import CredentialError, RequestRejected, UpstreamError
from tameflare_core.refusals import (
    approval_unavailable,
    credential_failed,
    denied,
    internal_error,
    not_approved,
    rejected,
    upstream_failed,
)
from tameflare_core.request import OutboundRequest
from tameflare_core.testing import FIXED_TIME, gateway_from


def judged(url: str) -> Verdict:
    gateway = gateway_from("""
        version: 1
        gateway: agent
        connectors: [{type: github}]
        permissions: [{connector: github, action: "github.*", decision: deny}]
    """)
    request = OutboundRequest.from_url("GET", url)
    return DecisionPoint(gateway).decide(request, FIXED_TIME)


VERDICT = judged("https://api.github.com/repos/o/r")
UNKNOWN = judged("https://other.example/")
REQUEST = OutboundRequest.from_url("GET", "https://api.github.com/repos/o/r")
APPROVAL = Approval(
    id="apv_1",
    gateway="agent",
    request=REQUEST,
    shown_url=REQUEST.url,
    verdict=VERDICT,
    fingerprint=fingerprint("agent", REQUEST),
    created=FIXED_TIME,
    timeout=60,
)


def ended(state: ApprovalState, by: str = "", note: str = "") -> Refusal:
    return not_approved(APPROVAL, Answer(state=state, by=by, note=note), "id")


@pytest.mark.parametrize(
    ("refusal", "status", "kind"),
    [
        (rejected(RequestRejected("why"), "id"), 400, "rejected"),
        (denied(VERDICT, "agent", "id"), 403, "denied"),
        (denied(UNKNOWN, "agent", "id"), 403, "denied"),
        (approval_unavailable(VERDICT, "agent", "id", "no terminal"), 403, "approval-unavailable"),
        (ended(ApprovalState.DENIED), 403, "approval-denied"),
        (ended(ApprovalState.EXPIRED), 408, "approval-expired"),
        (ended(ApprovalState.CANCELLED), 403, "approval-cancelled"),
        (ended(ApprovalState.KILLED), 403, "approval-killed"),
        (upstream_failed(UpstreamError("why"), "id", VERDICT), 502, "upstream"),
        (credential_failed(CredentialError("why"), "id", VERDICT), 502, "credential"),
        (internal_error("id"), 403, "internal"),
    ],
)
def test_each_case_has_its_status_and_a_hint(refusal: Refusal, status: int, kind: str) -> None:
    assert (refusal.status, refusal.kind, refusal.request_id) == (status, kind, "id")
    assert refusal.title
    assert refusal.detail
    assert refusal.hint.endswith(".")


def test_rejection_closes_the_connection() -> None:
    assert ("connection", "close") in rejected(RequestRejected("why"), "id").headers


@pytest.mark.parametrize(
    "state",
    [
        state
        for state in ApprovalState
        if state.value in {"denied", "expired", "cancelled", "killed"}
    ],
)
def test_ended_approval_is_not_retried_by_clients(state: ApprovalState) -> None:
    assert ("x-should-retry", "false") in ended(state).headers
    assert ended(state).approval_id == "apv_1"


def test_answer_of_a_human_is_passed_on() -> None:
    assert ended(ApprovalState.DENIED, by="ana", note="too late").detail == (
        "a human refused this request (ana): too late"
    )


def test_denial_names_the_action_to_ask_for() -> None:
    assert "github.repo.get" in denied(VERDICT, "agent", "id").hint


def test_denial_of_an_unknown_host_asks_for_a_connector() -> None:
    assert "no connector for this host" in denied(UNKNOWN, "agent", "id").hint


def test_denial_without_an_action_points_to_the_record() -> None:
    failed = Verdict(
        decision=VERDICT.decision, applied=VERDICT.applied, rule=VERDICT.rule, reason="x"
    )
    assert "request's id" in denied(failed, "agent", "id").hint
