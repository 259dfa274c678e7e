"""What processes say about themselves, and what dead ones left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tameflare_core.sync.status import forget_status, read_statuses, write_status


def test_living_process_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "gateways"
    assert read_statuses(folder) == []
    write_status(folder, "pxi_1", {"reachable": True})
    assert read_statuses(folder) == [{"instance": "pxi_1", "pid": os.getpid(), "reachable": True}]
    forget_status(folder, "pxi_1")
    assert read_statuses(folder) == []


def test_dead_process_is_forgotten(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    path = tmp_path / "pxi_2.json"
    path.write_text(json.dumps({"pid": dead.pid}))
    path.chmod(0o600)
    (tmp_path / "damaged.json").write_text("{")
    assert read_statuses(tmp_path) == []
    assert not path.exists()
