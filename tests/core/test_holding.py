"""Transcripts of requests that need an approval, and of clients that would rather not wait."""

from __future__ import annotations

import json

import pytest

from tameflare_core.approval import Answer, Approval, ApprovalState, Grant
from tameflare_core.commands import (
    AskStatus,
    AwaitApproval,
    Forward,
    OpenApproval,
    Opened,
    PrepareRecord,
    Record,
    Refuse,
)
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.enforcement import enforce
from tameflare_core.errors import ApprovalNotUsable
from tameflare_core.kill_switch import KillScope, KillSwitch, KillSwitches
from tameflare_core.request import OutboundRequest
from tameflare_core.testing import (
    END,
    FIXED_TIME,
    Transcript,
    fixed_surroundings,
    gateway_from,
    opened,
)

CONFIG = """
    version: 1
    gateway: agent
    connectors:
      - {type: github}
    permissions:
      - {connector: github, action: "github.*", decision: require_approval}
      - {connector: github, action: "github.*", access: read, decision: allow}
      - {connector: github, action: github.repo.delete, decision: deny}
    policies:
      - name: merges
        scope: {actions: [github.pr.merge]}
        rules:
          - {name: owners, decision: require_approval, approval: {timeout: 900, roles: [owner]}}
      - name: releases
        scope: {actions: [github.release.create]}
        rules:
          - {name: one, decision: require_approval, approval: {roles: [owner]}}
          - {name: two, decision: require_approval, approval: {roles: [admin]}}
"""
MERGE = ("PUT", "https://api.github.com/repos/o/r/pulls/1/merge")
COMMENT = ("POST", "https://api.github.com/repos/o/r/issues/1/comments")
APPROVED = Answer(state=ApprovalState.APPROVED, by="ada")


@pytest.fixture(scope="module")
def point() -> DecisionPoint:
    return DecisionPoint(gateway_from(CONFIG))


def transcript(point: DecisionPoint, asked: tuple[str, str], **headers: str) -> Transcript:
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    request = OutboundRequest.from_url(*asked, headers=fields)
    return Transcript(enforce(lambda: request, lambda: point, fixed_surroundings()))


def document(finished: Transcript) -> dict[str, object]:
    parsed: dict[str, object] = json.loads(finished.only(Record).record.to_json())
    return parsed


def grant_of(approval: Approval) -> Grant:
    assert approval.subjects is not None
    return Grant(
        id="grt_1",
        approval_id="apv_earlier",
        gateway="agent",
        revision="",
        subjects=approval.subjects,
        by="ada",
        created=FIXED_TIME,
        expires=FIXED_TIME,
    )


def test_question_says_what_the_policies_ask(point: DecisionPoint) -> None:
    asked = (transcript(point, MERGE) << OpenApproval).only(OpenApproval).approval
    assert (asked.timeout, asked.roles) == (900, frozenset({"owner"}))
    asked = (transcript(point, COMMENT) << OpenApproval).only(OpenApproval).approval
    assert (asked.timeout, asked.roles) == (300, None)


def test_policies_that_no_role_satisfies_refuse(point: DecisionPoint) -> None:
    release = ("POST", "https://api.github.com/repos/o/r/releases")
    finished = transcript(point, release) << Refuse << Record << END
    refusal = finished.only(Refuse).refusal
    assert refusal.kind == "approval-unavailable"
    assert "no role in common" in refusal.detail


def test_request_that_joined_is_recorded_with_the_question_it_joined(point: DecisionPoint) -> None:
    other = (transcript(point, MERGE) << OpenApproval).only(OpenApproval).approval
    finished = (
        transcript(point, COMMENT)
        << OpenApproval
        >> Opened(other)
        << AwaitApproval(other)
        >> APPROVED
        << PrepareRecord
        << Forward
        >> 201
        << Record
        << END
    )
    assert document(finished)["approval_id"] == other.id


def test_grant_lets_pass_without_a_question(point: DecisionPoint) -> None:
    finished = (
        transcript(point, MERGE)
        << OpenApproval
        >> (lambda command: Opened(command.approval, grant=grant_of(command.approval)))
        << PrepareRecord
        << Forward
        >> 200
        << Record
        << END
    )
    told = document(finished)
    assert (told["decision"], told["outcome"]) == ("require_approval", "forwarded")
    assert (told["grant_id"], told["approval_id"]) == ("grt_1", "apv_earlier")
    assert told["approval_by"] == "ada"


def test_client_that_does_not_wait_is_told_where_to_ask(point: DecisionPoint) -> None:
    finished = (
        transcript(point, MERGE, prefer="respond-async")
        << OpenApproval
        >> (lambda command: Opened(command.approval, detached=True))
        << Refuse
        << Record
        << END
    )
    assert finished.only(OpenApproval).detached
    approval = finished.only(OpenApproval).approval
    refusal = finished.only(Refuse).refusal
    fields = dict(refusal.fields())
    assert refusal.status == 202
    assert fields["location"] == f"https://gateway.tameflare.invalid/approvals/{approval.id}"
    assert fields["preference-applied"] == "respond-async"
    assert fields["retry-after"].isdigit()
    body = json.loads(refusal.body())
    assert body["approval_id"] == approval.id
    assert f"X-TameFlare-Approval: {approval.id}" in body["hint"]
    told = document(finished)
    assert (told["outcome"], told["status"]) == ("pending", 202)
    assert (told["approval_id"], told["approval_state"]) == (approval.id, "pending")


def test_client_whose_frontend_holds_everything_is_held(point: DecisionPoint) -> None:
    (
        transcript(point, MERGE, prefer="respond-async")
        << OpenApproval
        >> opened
        << AwaitApproval
        >> APPROVED
        << PrepareRecord
        << Forward
    )


def test_ticket_goes_to_the_frontend_and_not_upstream(point: DecisionPoint) -> None:
    finished = (
        transcript(point, MERGE, x_tameflare_approval="apv_1", accept="*/*")
        << OpenApproval
        >> opened
        << AwaitApproval
        >> APPROVED
        << PrepareRecord
        << Forward
        >> 200
        << Record
        << END
    )
    assert finished.only(OpenApproval).ticket == "apv_1"
    assert list(finished.only(Forward).request.headers) == [("accept", "*/*")]


def test_ticket_that_cannot_be_used_is_a_refusal(point: DecisionPoint) -> None:
    finished = (
        transcript(point, MERGE, x_tameflare_approval="apv_1")
        << OpenApproval
        >> ApprovalNotUsable("there is no approval with this id for this very request")
        << Refuse
        << Record
        << END
    )
    refusal = finished.only(Refuse).refusal
    assert (refusal.status, refusal.kind) == (403, "approval-not-usable")
    assert ("x-should-retry", "false") in refusal.headers
    assert document(finished)["outcome"] == "denied"


def test_approval_that_an_identical_request_has_used_is_a_refusal(point: DecisionPoint) -> None:
    finished = (
        transcript(point, MERGE)
        << OpenApproval
        >> opened
        << AwaitApproval
        >> ApprovalNotUsable("an identical one has used it")
        << Refuse
        << Record
        << END
    )
    assert finished.only(Refuse).refusal.kind == "approval-not-usable"


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        (("GET", "https://api.github.com/user"), PrepareRecord),
        (("DELETE", "https://api.github.com/repos/o/r"), Refuse),
    ],
)
def test_ticket_changes_nothing_where_no_approval_is_asked(
    point: DecisionPoint, asked: tuple[str, str], first: type[PrepareRecord | Refuse]
) -> None:
    transcript(point, asked, x_tameflare_approval="apv_1") << first


def test_kill_switch_while_held_denies_what_was_approved(point: DecisionPoint) -> None:
    switch = KillSwitch.new(KillScope.parse("org"), reason="why", by="ada", at=FIXED_TIME)
    points = iter([point, *[point.with_kill_switches(KillSwitches([switch]))] * 9])
    request = OutboundRequest.from_url(*MERGE)
    finished = (
        Transcript(enforce(lambda: request, lambda: next(points), fixed_surroundings()))
        << OpenApproval
        >> opened
        << AwaitApproval
        >> APPROVED
        << Refuse
        << Record
        << END
    )
    refusal = finished.only(Refuse).refusal
    assert ("x-tameflare-kill-switch", "active") in refusal.headers
    assert document(finished)["outcome"] == "denied"


# How an approval stands


def status(point: DecisionPoint, method: str, path: str) -> Transcript:
    return transcript(point, (method, f"https://gateway.tameflare.invalid{path}"))


IDENT = "apv_" + "0" * 32


def test_gateway_says_how_an_approval_stands(point: DecisionPoint) -> None:
    finished = (
        status(point, "GET", f"/approvals/{IDENT}")
        << AskStatus(IDENT)
        >> {"id": IDENT, "state": "pending"}
        << Refuse
        << Record
        << END
    )
    answer = finished.only(Refuse).refusal
    assert answer.status == 200
    assert json.loads(answer.body()) == {"id": IDENT, "state": "pending"}
    assert ("content-type", "application/json") in answer.fields()
    assert document(finished)["outcome"] == "answered"


def test_approval_that_is_not_known_is_not_found(point: DecisionPoint) -> None:
    finished = (
        status(point, "GET", f"/approvals/{IDENT}") << AskStatus(IDENT) << Refuse << Record << END
    )
    assert finished.only(Refuse).refusal.status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"/approvals/{IDENT}"),
        ("DELETE", f"/approvals/{IDENT}"),
        ("GET", "/approvals/apv_1"),
        ("GET", "/"),
        ("GET", "/anything"),
    ],
)
@pytest.mark.parametrize("level", ["enforce", "monitor"])
def test_nothing_leaves_for_the_gateways_own_name(level: str, method: str, path: str) -> None:
    point = DecisionPoint(gateway_from(CONFIG + f"    enforcement: {level}\n"))
    finished = status(point, method, path) << Refuse << Record << END
    assert finished.only(Refuse).refusal.status == 404
