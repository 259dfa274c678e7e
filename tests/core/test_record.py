"""The traffic record: metadata on one line, and never a body, a query value or a header value."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tameflare_core.approval import Answer, Approval, ApprovalState, Grant
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.record import TrafficRecord
from tameflare_core.request import Body, OutboundRequest
from tameflare_core.testing import FIXED_TIME, gateway_from


@pytest.fixture
def point() -> DecisionPoint:
    return DecisionPoint(
        gateway_from("""
            version: 1
            gateway: agent
            connectors: [{type: github}]
            permissions: [{connector: github, action: "github.issue.*", decision: require_approval}]
        """)
    )


def test_record_says_what_was_judged_and_done(point: DecisionPoint) -> None:
    request = OutboundRequest.from_url(
        "POST",
        "https://api.github.com/repos/O/r/issues?key=query-secret",
        headers=[("Content-Type", "application/json"), ("Authorization", "Bearer header-secret")],
        body=Body.complete(b'{"title": "body-secret"}'),
    )
    approval = Approval(
        id="apv_1",
        gateway="agent",
        request=request,
        shown_url="",
        verdict=point.decide(request, FIXED_TIME),
        fingerprint="",
        created=FIXED_TIME,
        timeout=60,
    )
    grant = Grant(
        id="grt_1",
        approval_id="apv_0",
        gateway="agent",
        revision="",
        subjects=frozenset(),
        by="ada",
        created=FIXED_TIME,
        expires=FIXED_TIME + timedelta(hours=1),
    )
    line = TrafficRecord(
        id="0190",
        time=FIXED_TIME,
        gateway="agent",
        request=request,
        shown_path="/repos/O/r/issues",
        verdict=point.decide(request, FIXED_TIME),
        outcome="forwarded",
        status=201,
        approval=approval,
        answer=Answer(state=ApprovalState.APPROVED, by="ada", grant=grant),
        judge_seconds=0.0000254,
        hold_seconds=12.34,
        upstream_seconds=0.1234567,
    ).to_json()
    assert "secret" not in line
    assert "\n" not in line
    assert json.loads(line) == {
        "id": "0190",
        "time": "2026-01-01T12:00:00.000+00:00",
        "gateway": "agent",
        "method": "POST",
        "scheme": "https",
        "host": "api.github.com",
        "port": 443,
        "path": "/repos/O/r/issues",
        "connector": "github",
        "actions": [
            {
                "name": "github.issue.create",
                "access": "write",
                "risk": "medium",
                "risk_score": 40,
                "categories": ["messaging"],
                "resource": {"owner": "o", "repo": "r"},
                "resource_complete": True,
                "decision": "require_approval",
            }
        ],
        "decision": "require_approval",
        "applied": "require_approval",
        "rule": {"kind": "permission", "id": "permissions[0]", "pattern": "github.issue.*"},
        "reason": "github.issue.create needs approval by permission `github.issue.*`"
        " (permissions[0])",
        "outcome": "forwarded",
        "status": 201,
        "approval_id": "apv_0",
        "approval_state": "approved",
        "approval_by": "ada",
        "grant_id": "grt_1",
        "grant_expires": "2026-01-01T13:00:00.000+00:00",
        "judge_ms": 0.025,
        "hold_ms": 12340.0,
        "upstream_ms": 123.457,
        "error": None,
    }


def test_record_keeps_the_path_as_it_may_be_shown() -> None:
    line = TrafficRecord(
        id="0190",
        time=FIXED_TIME,
        gateway="agent",
        request=OutboundRequest.from_url("POST", "https://hooks.example/x/secret"),
        shown_path="/x/…",
        verdict=None,
        outcome="rejected",
        status=400,
    ).to_json()
    assert json.loads(line)["path"] == "/x/…"
    assert "secret" not in line


def test_record_of_what_could_not_be_read_has_no_request() -> None:
    document = json.loads(
        TrafficRecord(
            id="0190",
            time=FIXED_TIME,
            gateway="agent",
            request=None,
            verdict=None,
            outcome="rejected",
            status=400,
            error="dot segment in path",
        ).to_json()
    )
    assert document["outcome"] == "rejected"
    assert document["error"] == "dot segment in path"
    for key in ("method", "host", "path", "connector", "decision", "applied", "rule", "reason"):
        assert document[key] is None
    assert document["actions"] == []
