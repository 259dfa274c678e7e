"""Whether a process lives, can work, and what it counts."""

from __future__ import annotations

from tests.dashboard.conftest import ControlPlane


def test_process_is_ready_and_counts(control_plane: ControlPlane) -> None:
    client = control_plane.client()
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ok"}
    control_plane.owner.post("/api/v1/kill-switches", {"scope": "org", "reason": "drill"})
    text = client.get("/metrics").text
    assert "tameflare_dashboard_kill_switches 1.0" in text
    assert 'route="api.kill_switches.activate"' in text
    assert "ks_" not in text
