"""`tf audit`: listed, exported, proved."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.harness import Run
from tests.cli.planes import LoggedIn


def test_log_is_listed_exported_and_verified(logged_in: LoggedIn, folder: Path, tf: Run) -> None:
    logged_in.plane.owner.gateway()
    assert "gateway.create" in logged_in.tf("audit", "list").stdout
    only = json.loads(logged_in.tf("audit", "list", "--verb", "user.create", "--json").stdout)
    assert [event["verb"] for event in only] == ["user.create"]
    whole = logged_in.tf("audit", "verify")
    assert (whole.returncode, whole.stdout[:6]) == (0, "whole:")
    exported = logged_in.tf("audit", "export").stdout
    (folder / "audit.jsonl").write_text(exported)
    assert tf("audit", "verify", "audit.jsonl").returncode == 0
    key = json.loads(exported.splitlines()[0])["public_key"]
    known = tf("audit", "verify", "audit.jsonl", "--public-key", key, "--json")
    assert json.loads(known.stdout)["whole"] is True
    lines = exported.splitlines()
    del lines[2]
    (folder / "audit.jsonl").write_text("\n".join(lines) + "\n")
    wrong = tf("audit", "verify", "audit.jsonl")
    assert (wrong.returncode, "event 2" in wrong.stderr) == (4, True)
    (folder / "audit.jsonl").write_text("x")
    assert tf("audit", "verify", "audit.jsonl").returncode == 5
    assert logged_in.tf("audit", "export", "--format", "csv").stdout.startswith("seq,time,")
