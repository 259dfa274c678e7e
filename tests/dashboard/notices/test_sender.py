"""Approvals are told where people are, in their order, and edited when they end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tameflare_core.vault.secret import Secret
from tameflare_dashboard.notices.wording import signature
from tests.dashboard.conftest import ControlPlane, document
from tests.dashboard.gateway_api.asking import approval
from tests.dashboard.notices.standins import Http, Mail, until

POST, UPDATE = "/api/chat.postMessage", "/api/chat.update"


@pytest.fixture
def http() -> Iterator[Http]:
    with Http() as server:
        yield server


@pytest.fixture
def mail() -> Iterator[Mail]:
    with Mail() as server:
        yield server


@pytest.fixture
def gateway(control_plane: ControlPlane) -> httpx.Client:
    return control_plane.as_gateway(control_plane.owner.gateway()["token"])


def configure(plane: ControlPlane, **settings: Any) -> None:
    answer = plane.owner.put("/api/v1/settings/notices", settings)
    assert answer.status_code == 200, answer.text


def slack(http: Http, **more: Any) -> dict[str, Any]:
    return {
        "slack": {"channel": "C012AB3CD", "api_url": f"{http.url}/api"},
        "slack_token": "xoxb-secret",
        "slack_signing_secret": "signing",
        "steps": [{"channel": "slack"}],
        **more,
    }


def test_slack_is_told_and_its_message_edited(
    control_plane: ControlPlane, gateway: httpx.Client, http: Http
) -> None:
    configure(control_plane, **slack(http))
    asked = approval("apv_1", reason="<!channel> *merge* `now`")
    gateway.post("/api/gateway/approvals", json=asked)
    (sent,) = until(lambda: http.bodies(POST))
    assert sent["channel"] == "C012AB3CD"
    section, actions = sent["blocks"]
    text = section["text"]["text"]
    assert "github.pr.merge" in text
    assert "risk *high*" in text
    assert "<!channel>" not in text
    assert [each["action_id"] for each in actions["elements"]] == ["approve", "deny", "open"]
    assert http.calls[0][1]["authorization"] == "Bearer xoxb-secret"
    control_plane.owner.post("/api/v1/approvals/apv_1/deny", {"note": "no"})
    (edited,) = until(lambda: http.bodies(UPDATE))
    assert edited["ts"] == "1700000000.0001"
    assert "denied" in edited["blocks"][-1]["elements"][0]["text"]
    assert not any(block["type"] == "actions" for block in edited["blocks"])


def test_webhook_is_signed(control_plane: ControlPlane, gateway: httpx.Client, http: Http) -> None:
    configure(
        control_plane,
        webhook={"url": f"{http.url}/hook"},
        webhook_secret="w3bhook",
        steps=[{"channel": "webhook"}],
    )
    gateway.post("/api/gateway/approvals", json=approval("apv_1"))
    until(lambda: http.calls)
    _, headers, body = http.calls[0]
    expected = signature(Secret("w3bhook"), headers["x-tameflare-timestamp"], body)
    assert headers["x-tameflare-signature"] == expected
    assert http.bodies("/hook")[0]["event"] == "approval.pending"
    control_plane.owner.post("/api/v1/approvals/apv_1/approve")
    ended = until(lambda: http.bodies("/hook")[1:])
    assert (ended[0]["event"], ended[0]["state"]) == ("approval.ended", "approved")


def test_mail_goes_out(control_plane: ControlPlane, gateway: httpx.Client, mail: Mail) -> None:
    configure(
        control_plane,
        email={
            "host": "127.0.0.1",
            "port": mail.port,
            "security": "none",
            "sender": "tameflare@example.com",
            "to": ["ops@example.com"],
        },
        steps=[{"channel": "email"}],
    )
    gateway.post("/api/gateway/approvals", json=approval("apv_1"))
    (sent,) = until(lambda: mail.mails)
    assert "Subject: prod-agent: github.pr.merge (pending)" in sent
    assert "/approvals/apv_1" in sent


def test_next_channel_is_told_when_nobody_answers(
    control_plane: ControlPlane, gateway: httpx.Client, http: Http
) -> None:
    later = slack(http, webhook={"url": f"{http.url}/hook"}, webhook_secret="w")
    later["steps"] = [{"channel": "slack"}, {"channel": "webhook", "after": 1}]
    configure(control_plane, **later)
    gateway.post("/api/gateway/approvals", json=approval("apv_1"))
    until(lambda: http.bodies(POST))
    assert http.bodies("/hook") == []
    until(lambda: http.bodies("/hook"))


def test_what_was_answered_in_time_is_told_nobody_else(
    control_plane: ControlPlane, gateway: httpx.Client, http: Http
) -> None:
    later = slack(http, webhook={"url": f"{http.url}/hook"}, webhook_secret="w")
    later["steps"] = [{"channel": "slack"}, {"channel": "webhook", "after": 1}]
    configure(control_plane, **later)
    gateway.post("/api/gateway/approvals", json=approval("apv_1"))
    until(lambda: http.bodies(POST))
    control_plane.owner.post("/api/v1/approvals/apv_1/approve")
    until(lambda: http.bodies(UPDATE))
    gateway.post("/api/gateway/approvals", json=approval("apv_2"))
    until(lambda: [one for one in http.bodies("/hook") if one["id"] == "apv_2"])
    assert [one["id"] for one in http.bodies("/hook")] == ["apv_2"]


def test_channel_that_fails_is_tried_again(
    control_plane: ControlPlane, gateway: httpx.Client, http: Http
) -> None:
    configure(control_plane, **slack(http))
    http.failures = 1
    gateway.post("/api/gateway/approvals", json=approval("apv_1"))
    until(lambda: http.bodies(POST))


def test_secrets_are_told_to_nobody(control_plane: ControlPlane, http: Http) -> None:
    configure(control_plane, **slack(http))
    read = control_plane.owner.get("/api/v1/settings/notices")
    assert read.json()["secrets"] == ["slack_token", "slack_signing_secret"]
    assert "xoxb" not in read.text
    assert "xoxb" not in control_plane.owner.get("/api/v1/audit/export").text
    assert control_plane.owner.get("/api/v1/credentials").json() == []
    named = document().replace("github\n", "github\n    credential: vault:org.slack-token\n", 1)
    refused = control_plane.owner.post("/api/v1/gateways", {"document": named})
    assert refused.status_code == 422
    taken = control_plane.owner.put("/api/v1/credentials/org.x", {"value": "x"})
    assert taken.status_code == 409


def test_each_channel_can_be_tried(control_plane: ControlPlane, http: Http, mail: Mail) -> None:
    path = "/api/v1/settings/notices/test"
    owner = control_plane.owner
    for channel in ("slack", "webhook", "email"):
        missing = owner.post(path, {"channel": channel})
        assert (missing.status_code, "is not set up" in missing.text) == (409, True)
    configure(
        control_plane,
        **slack(http),
        webhook={"url": f"{http.url}/hook"},
        webhook_secret="shh",
        email={
            "host": "127.0.0.1",
            "port": mail.port,
            "security": "none",
            "sender": "tf@example.com",
            "to": ["ana@example.com"],
        },
    )
    for channel in ("slack", "webhook", "email"):
        assert owner.post(path, {"channel": channel}).status_code == 204, channel
    assert "test" in http.bodies(POST)[0]["text"]
    assert http.bodies("/hook")[0]["event"] == "test"
    (message,) = until(lambda: mail.mails)
    assert "Subject: A test from TameFlare" in message
    http.failures = 1
    failed = owner.post(path, {"channel": "webhook"})
    assert (failed.status_code, "status 500" in failed.text) == (502, True)
