"""Buttons in Slack: signed, fresh, once, and only for whoever may answer."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.dashboard.conftest import ControlPlane
from tests.dashboard.gateway_api.asking import approval

SECRET = "signing"


@pytest.fixture
def gateway(control_plane: ControlPlane) -> httpx.Client:
    owner = control_plane.owner
    client = control_plane.as_gateway(owner.gateway()["token"])
    owner.put("/api/v1/settings/notices", {"slack_signing_secret": SECRET})
    slack = {"slack_user": "U0OWNER"}
    owner.write("PATCH", f"/api/v1/users/{owner.email}", json=slack, headers={"If-Match": "*"})
    client.post("/api/gateway/approvals", json=approval("apv_1"))
    return client


def press(
    plane: ControlPlane,
    *,
    user: str = "U0OWNER",
    action: str = "approve",
    at: float | None = None,
    secret: str = SECRET,
    **headers: str,
) -> httpx.Response:
    payload = {
        "type": "block_actions",
        "user": {"id": user},
        "actions": [{"action_id": action, "value": "apv_1"}],
    }
    body = urlencode({"payload": json.dumps(payload)}).encode()
    timestamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256)
    given = {
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": f"v0={digest.hexdigest()}",
        "Content-Type": "application/x-www-form-urlencoded",
        **headers,
    }
    return plane.client().post("/api/slack/actions", content=body, headers=given)


def state(gateway: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = gateway.get("/api/gateway/approvals/apv_1").json()
    return found


def test_button_answers_as_its_user(control_plane: ControlPlane, gateway: httpx.Client) -> None:
    assert press(control_plane).json() == {}
    assert (state(gateway)["state"], state(gateway)["by"]) == ("approved", "owner@example.com")
    late = press(control_plane, action="deny")
    assert "approved" in late.json()["text"]


def test_same_call_does_not_come_twice(control_plane: ControlPlane, gateway: httpx.Client) -> None:
    now = time.time()
    assert press(control_plane, at=now, action="open").status_code == 200
    assert press(control_plane, at=now, action="open").status_code == 409


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": "other"},
        {"at": 1_700_000_000.0},
        {"at": 4_000_000_000.0},
        {"X-Slack-Signature": ""},
        {"X-Slack-Signature": "v0=" + "0" * 64},
        {"X-Slack-Request-Timestamp": "x"},
    ],
)
def test_what_slack_did_not_sign_just_now_is_refused(
    control_plane: ControlPlane, gateway: httpx.Client, wrong: dict[str, Any]
) -> None:
    assert press(control_plane, **wrong).status_code == 401
    assert state(gateway)["state"] == "pending"


def test_without_a_secret_nothing_is_right(control_plane: ControlPlane) -> None:
    assert press(control_plane, secret="-").status_code == 401


def test_only_who_may_answer_does(control_plane: ControlPlane, gateway: httpx.Client) -> None:
    viewer = control_plane.user("viewer")
    slack = {"slack_user": "U0VIEWER"}
    control_plane.owner.write(
        "PATCH", f"/api/v1/users/{viewer.email}", json=slack, headers={"If-Match": "*"}
    )
    for user in ("U0VIEWER", "U0NOBODY"):
        assert "no user" in press(control_plane, user=user).json()["text"]
    assert state(gateway)["state"] == "pending"
