"""`tf replay`: recorded traffic under another configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tameflare_core.decision_point import DecisionPoint
from tameflare_core.testing import gateway_from
from tests.cli.harness import Run
from tests.core.recording import GITHUB, record

HEAD = "version: 1\ngateway: agent\nconnectors: [{type: github}]\n"
READS = '{connector: github, action: "github.*", access: read, decision: allow}'
OLD = f"{HEAD}permissions: [{READS}]\n"


@pytest.fixture
def recorded(folder: Path) -> Path:
    point = DecisionPoint(gateway_from(OLD))
    lines = [
        record(point, "GET", f"{GITHUB}/user"),
        record(point, "PUT", f"{GITHUB}/repos/o/r/pulls/1/merge", body=b"{}"),
        record(point, "DELETE", f"{GITHUB}/repos/o/r/contents/%E2%80%AEx", body=b"{}"),
    ]
    (folder / "records.jsonl").write_bytes(b"".join(lines))
    (folder / "new.yaml").write_text(
        f"{HEAD}permissions:\n  - {{connector: github, action: github.pr.merge, decision: allow}}\n"
    )
    return folder


COMMAND = ("replay", "--records", "records.jsonl", "--config", "new.yaml")


def test_changes_are_told_with_the_newly_allowed_first(tf: Run, recorded: Path) -> None:
    done = tf(*COMMAND)
    assert done.returncode == 0
    assert done.stdout == (
        "newly allowed\n"
        "  1x github.pr.merge: deny → allow\n"
        "      github.pr.merge is allowed by permission `github.pr.merge` (permissions[0])\n"
        "      like PUT https://api.github.com/repos/o/r/pulls/1/merge\n"
        "      on owner=o repo=r number=1\n"
        "newly denied\n"
        "  1x github.user.get_self: allow → deny\n"
        "      no permission of connector `github` matches github.user.get_self\n"
        "      like GET https://api.github.com/user\n"
        "3 of 3 records judged: 2 would change, 1 would not\n"
    )


def test_json_has_the_same(tf: Run, recorded: Path) -> None:
    document = json.loads(tf(*COMMAND, "--json").stdout)
    assert [change["kind"] for change in document["changes"]] == ["newly allowed", "newly denied"]
    assert (document["read"], document["judged"], document["unchanged"]) == (3, 3, 1)


@pytest.mark.parametrize(
    ("fail_on", "config", "code"),
    [
        ("nothing", "new.yaml", 0),
        ("newly-allowed", "new.yaml", 1),
        ("any", "new.yaml", 1),
        ("any", "old.yaml", 0),
        ("newly-allowed", "closed.yaml", 0),
        ("any", "closed.yaml", 1),
    ],
)
def test_exit_status_is_for_ci(
    tf: Run, recorded: Path, fail_on: str, config: str, code: int
) -> None:
    (recorded / "old.yaml").write_text(OLD)
    (recorded / "closed.yaml").write_text(HEAD)
    done = tf(*COMMAND[:3], "--config", config, "--fail-on", fail_on)
    assert done.returncode == code


def test_records_of_one_gateway(tf: Run, recorded: Path) -> None:
    assert "0 of 0 records judged" in tf(*COMMAND, "--gateway", "other").stdout
    assert "3 of 3 records judged" in tf(*COMMAND, "--gateway", "agent").stdout


def test_records_come_from_standard_input(tf: Run, recorded: Path) -> None:
    data = (recorded / "records.jsonl").read_bytes() + b"nonsense\n"
    done = tf("replay", "--records", "-", "--config", "new.yaml", stdin=data)
    assert "3 of 4 records judged" in done.stdout
    assert "line 4: not a traffic record" in done.stderr


def test_nothing_of_a_record_moves_the_cursor(tf: Run, recorded: Path) -> None:
    done = tf("replay", "--records", "records.jsonl", "--config", "all.yaml")
    assert done.returncode == 5
    (recorded / "all.yaml").write_text(
        f'{HEAD}permissions: [{{connector: github, action: "github.*", decision: allow}}]\n'
    )
    done = tf("replay", "--records", "records.jsonl", "--config", "all.yaml")
    assert "\u202e" not in done.stdout
    assert "github.file.delete: deny → allow" in done.stdout
