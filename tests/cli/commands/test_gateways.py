"""`tf gateways`: listed, rotated, revoked, removed."""

from __future__ import annotations

import json

from tests.cli.planes import LoggedIn


def test_gateways_are_managed(logged_in: LoggedIn) -> None:
    assert "tf apply" in logged_in.tf("gateways", "list").stderr
    made = logged_in.plane.owner.gateway()
    assert "prod-agent" in logged_in.tf("gateways", "list").stdout
    (listed,) = json.loads(logged_in.tf("gateways", "list", "--json").stdout)
    assert listed["id"] == made["id"]
    assert "github.*" in logged_in.tf("gateways", "show", "prod-agent").stdout
    fresh = logged_in.tf("gateways", "rotate", "prod-agent", "--overlap", "60").stdout.strip()
    assert fresh.startswith("gwtk_")
    known = json.loads(logged_in.tf("gateways", "show", "prod-agent", "--json").stdout)["tokens"]
    assert len(known) == 2
    for token in known:
        assert logged_in.tf("gateways", "revoke", "prod-agent", token["id"]).returncode == 0
    assert logged_in.plane.as_gateway(fresh).get("/api/gateway/config").status_code == 401
    assert logged_in.tf("gateways", "remove", "prod-agent").returncode == 0
    assert logged_in.tf("gateways", "show", "prod-agent").returncode == 4
