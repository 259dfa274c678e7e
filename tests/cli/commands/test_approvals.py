"""`tf approvals`: seen and answered."""

from __future__ import annotations

import json

from tests.cli.planes import LoggedIn
from tests.dashboard.gateway_api.asking import approval


def test_approvals_are_listed_shown_and_answered(logged_in: LoggedIn) -> None:
    gateway = logged_in.plane.as_gateway(logged_in.plane.owner.gateway()["token"])
    for name in ("apv_1", "apv_2"):
        asked = approval(name, body="a\x1b[2Kb" if name == "apv_1" else "")
        gateway.post("/api/gateway/approvals", json=asked)
    listed = logged_in.tf("approvals", "list")
    assert "apv_1" in listed.stdout
    assert "github.pr.merge" in listed.stdout
    shown = logged_in.tf("approvals", "show", "apv_1").stdout
    assert "merging needs a human" in shown
    assert "\x1b" not in shown
    approved = logged_in.tf("approvals", "approve", "apv_1", "--for", "60")
    assert approved.stdout.startswith("approved: PUT ")
    denied = logged_in.tf("approvals", "deny", "apv_2", "--note", "no", "--json")
    assert json.loads(denied.stdout)["state"] == "denied"
    assert gateway.get("/api/gateway/approvals/apv_1").json()["widened"] == 60
    late = logged_in.tf("approvals", "deny", "apv_1")
    assert (late.returncode, "approved" in late.stderr) == (4, True)
    assert "nothing waits" in logged_in.tf("approvals", "list").stderr
    everything = json.loads(logged_in.tf("approvals", "list", "--state", "all", "--json").stdout)
    assert len(everything) == 2
