"""`tf status`: nothing runs, and nobody is logged in."""

from __future__ import annotations

import json

from tests.cli.harness import Run
from tests.cli.planes import LoggedIn


def test_nothing_runs(tf: Run) -> None:
    done = tf("status")
    assert done.returncode == 0
    assert "nobody is logged in" in done.stdout
    assert "tf up" in done.stderr


def test_control_plane_is_told(logged_in: LoggedIn) -> None:
    told = json.loads(logged_in.tf("status", "--json").stdout)
    assert told["control_plane"] == {"url": logged_in.plane.url, "reachable": True, "why": ""}
