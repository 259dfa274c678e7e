"""What a process does by itself: nothing of it waits for a request."""

from __future__ import annotations

import time
from datetime import timedelta

from tameflare_dashboard.upkeep import Upkeep
from tests.dashboard.conftest import ControlPlane
from tests.dashboard.gateway_api.asking import approval


def test_unanswered_approval_expires_by_itself(control_plane: ControlPlane) -> None:
    client = control_plane.as_gateway(control_plane.owner.gateway()["token"])
    client.post("/api/gateway/approvals", json=approval("apv_1", timeout=0.5))
    answer = client.get("/api/gateway/approvals/apv_1", params={"wait": 10})
    assert answer.json()["state"] == "expired"


def test_what_a_dead_proxy_held_is_ended(control_plane: ControlPlane) -> None:
    token = control_plane.owner.gateway()["token"]
    client = control_plane.as_gateway(token, **{"X-TameFlare-Instance": "pxi_1"})
    client.post("/api/gateway/approvals", json=approval("apv_1", timeout=3600))
    control_plane.run(Upkeep(control_plane.backend, grace=0)._sweep())
    assert client.get("/api/gateway/approvals/apv_1").json()["state"] == "pending"
    clock = control_plane.backend.clock
    control_plane.backend.clock = lambda: clock() + timedelta(seconds=61)
    # One that has just started does not know yet who will come again.
    control_plane.run(Upkeep(control_plane.backend)._sweep())
    assert client.get("/api/gateway/approvals/apv_1").json()["state"] == "pending"
    control_plane.run(Upkeep(control_plane.backend, grace=0)._sweep())
    assert client.get("/api/gateway/approvals/apv_1").json()["state"] == "cancelled"


def test_clock_that_is_set_forward_makes_nobody_dead(control_plane: ControlPlane) -> None:
    token = control_plane.owner.gateway()["token"]
    client = control_plane.as_gateway(token, **{"X-TameFlare-Instance": "pxi_1"})
    client.post("/api/gateway/approvals", json=approval("apv_1", timeout=86_400))
    sweeper = Upkeep(control_plane.backend, grace=0.5)
    sweeper._trusted_from = 0
    clock = control_plane.backend.clock
    control_plane.backend.clock = lambda: clock() + timedelta(hours=5)
    control_plane.run(sweeper._sweep())
    assert client.get("/api/gateway/approvals/apv_1").json()["state"] == "pending"
    control_plane.backend.clock = lambda: clock() - timedelta(hours=5)
    control_plane.run(sweeper._sweep())
    answer = control_plane.owner.post("/api/v1/approvals/apv_1/approve")
    assert answer.status_code in {200, 401}  # the session may begin after now
    assert client.get("/api/gateway/approvals/apv_1").json()["state"] != "cancelled"


def test_log_is_signed_without_being_asked(control_plane: ControlPlane) -> None:
    deadline = time.monotonic() + 15
    while control_plane.owner.get("/api/v1/audit/verify").json()["signed"] == 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)
