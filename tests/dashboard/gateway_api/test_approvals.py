"""Approvals: opened, waited for, answered, ended once."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from tameflare_dashboard.settings import Settings
from tests.dashboard.conftest import ControlPlane, serving
from tests.dashboard.gateway_api.asking import approval

PATH = "/api/gateway/approvals"


def test_answer_wakes_who_waits(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    client = control_plane.as_gateway(owner.gateway()["token"])
    assert client.post(PATH, json=approval("apv_1")).status_code == 201
    assert client.post(PATH, json=approval("apv_1")).status_code == 200
    answers: list[tuple[float, dict[str, object]]] = []

    def wait() -> None:
        answer = client.get(f"{PATH}/apv_1", params={"wait": 25})
        answers.append((time.perf_counter(), answer.json()))

    waiting = threading.Thread(target=wait)
    waiting.start()
    listed = owner.get("/api/v1/approvals", params={"state": "pending"}).json()["items"]
    assert listed[0]["actions"][0]["name"] == "github.pr.merge"
    answered = owner.post("/api/v1/approvals/apv_1/approve", {"note": "ok", "for_seconds": 60})
    at = time.perf_counter()
    assert answered.status_code == 200
    waiting.join(10)
    assert answers[0][1] == {
        "id": "apv_1",
        "state": "approved",
        "by": "owner@example.com",
        "note": "ok",
        "widened": 60.0,
    }
    assert answers[0][0] - at < 1


def test_wait_is_over_after_its_time(control_plane: ControlPlane) -> None:
    client = control_plane.as_gateway(control_plane.owner.gateway()["token"])
    client.post(PATH, json=approval("apv_1"))
    assert client.get(f"{PATH}/apv_1", params={"wait": 0.05}).json()["state"] == "pending"


def test_first_of_many_answers_stands(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    client = control_plane.as_gateway(owner.gateway()["token"])
    client.post(PATH, json=approval("apv_1"))

    def answer(verb: str) -> int:
        return owner.post(f"/api/v1/approvals/apv_1/{verb}").status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(answer, ["approve", "deny"] * 4))
    assert sorted(statuses) == [200] + [409] * 7
    events = owner.get("/api/v1/audit", params={"object": "approval:apv_1"}).json()["items"]
    assert len([e for e in events if e["verb"] in {"approval.approve", "approval.deny"}]) == 1


def test_approval_of_another_gateway_is_none_of_mine(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    mine = control_plane.as_gateway(owner.gateway("mine")["token"])
    other = control_plane.as_gateway(owner.gateway("other")["token"])
    mine.post(PATH, json=approval("apv_1"))
    assert other.get(f"{PATH}/apv_1").status_code == 404
    assert other.delete(f"{PATH}/apv_1").status_code == 404
    assert other.post(PATH, json=approval("apv_1")).status_code == 409
    assert mine.get(f"{PATH}/apv_1").json()["state"] == "pending"


def test_gateway_takes_its_question_back(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    client = control_plane.as_gateway(owner.gateway()["token"])
    client.post(PATH, json=approval("apv_1"))
    assert client.delete(f"{PATH}/apv_1").status_code == 204
    assert client.get(f"{PATH}/apv_1").json()["state"] == "cancelled"
    refused = owner.post("/api/v1/approvals/apv_1/approve")
    assert refused.status_code == 409
    assert "cancelled" in refused.json()["detail"]


def test_nobody_answers_what_has_expired(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    client = control_plane.as_gateway(owner.gateway()["token"])
    client.post(PATH, json=approval("apv_1", timeout=60))
    clock = control_plane.backend.clock
    control_plane.backend.clock = lambda: clock() + timedelta(seconds=61)
    assert owner.post("/api/v1/approvals/apv_1/approve").status_code == 409
    answer = client.get(f"{PATH}/apv_1", params={"wait": 10})
    assert answer.json()["state"] == "expired"


def test_roles_narrow_who_may_answer(control_plane: ControlPlane) -> None:
    owner, member = control_plane.owner, control_plane.user("member")
    client = control_plane.as_gateway(owner.gateway()["token"])
    client.post(PATH, json=approval("apv_1", roles=["owner", "admin"]))
    assert member.post("/api/v1/approvals/apv_1/approve").status_code == 403
    assert owner.post("/api/v1/approvals/apv_1/approve").status_code == 200


def test_one_request_cannot_be_widened(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    client = control_plane.as_gateway(owner.gateway()["token"])
    client.post(PATH, json=approval("apv_1", subjects=None))
    refused = owner.post("/api/v1/approvals/apv_1/approve", {"for_seconds": 60})
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (
        409,
        "cannot-be-widened",
    )
    assert owner.post("/api/v1/approvals/apv_1/approve").status_code == 200


def test_kill_switch_ends_what_it_stops(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    client = control_plane.as_gateway(owner.gateway()["token"])
    client.post(PATH, json=approval("apv_1"))
    other = approval("apv_2")
    other["actions"][0]["name"] = "github.issue.create"
    client.post(PATH, json=other)
    owner.post("/api/v1/kill-switches", {"scope": "action:github.pr.*", "reason": "drill"})
    assert client.get(f"{PATH}/apv_1").json()["state"] == "killed"
    assert client.get(f"{PATH}/apv_2").json()["state"] == "pending"
    owner.post("/api/v1/kill-switches", {"scope": "connector:github", "reason": "drill"})
    assert client.get(f"{PATH}/apv_2").json()["state"] == "killed"
    assert owner.post("/api/v1/approvals/apv_1/approve").status_code == 409


def test_restart_of_the_control_plane_keeps_what_waits(settings: Settings) -> None:
    with serving(settings) as plane:
        token = plane.owner.gateway()["token"]
        plane.as_gateway(token).post(PATH, json=approval("apv_1"))
        cookies = dict(plane.owner.client.cookies)
    with serving(settings) as plane:
        client = plane.as_gateway(token)
        assert client.get(f"{PATH}/apv_1").json()["state"] == "pending"
        owner = plane.client(cookies=cookies)
        csrf = owner.get("/api/v1/session").json()["csrf"]
        answer = owner.post(
            "/api/v1/approvals/apv_1/approve", json={}, headers={"X-CSRF-Token": csrf}
        )
        assert answer.status_code == 200
        assert client.get(f"{PATH}/apv_1").json()["state"] == "approved"


def test_restart_of_the_gateway_ends_what_it_held(control_plane: ControlPlane) -> None:
    token = control_plane.owner.gateway()["token"]
    proxy = {"X-TameFlare-Proxy": "pxy_1"}
    first = control_plane.as_gateway(token, **{"X-TameFlare-Instance": "pxi_1"}, **proxy)
    second = control_plane.as_gateway(token, **{"X-TameFlare-Instance": "pxi_2"}, **proxy)
    first.post(PATH, json=approval("apv_1"))
    second.post(PATH, json=approval("apv_2"))
    assert first.get(f"{PATH}/apv_1").json()["state"] == "cancelled"
    assert first.get(f"{PATH}/apv_2").json()["state"] == "pending"


def test_what_is_no_approval_is_refused(control_plane: ControlPlane) -> None:
    client = control_plane.as_gateway(control_plane.owner.gateway()["token"])
    for wrong in ({"id": "x"}, {"actions": []}, {"timeout": 0}, {"roles": ["viewer"]}):
        assert client.post(PATH, json=approval("apv_1", **wrong)).status_code == 422
