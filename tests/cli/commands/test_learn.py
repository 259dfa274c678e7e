"""`tf learn`: from what was seen to a configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from tameflare_core.config.document import GatewayConfig
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.testing import gateway_from
from tests.cli.harness import Run
from tests.core.recording import GITHUB, record

CURRENT = """\
version: 1
gateway: agent
enforcement: monitor
connectors:
  - {type: github, credential: "env:GITHUB_TOKEN"}
permissions: []
policies:
  - name: p
    rules: [{name: r, decision: deny, when: {field: resource.owner, op: equals, value: evil}}]
"""


@pytest.fixture
def recorded(folder: Path) -> Path:
    (folder / "tameflare.yaml").write_text(CURRENT)
    point = DecisionPoint(gateway_from(CURRENT))
    urls = [f"{GITHUB}/user", *(f"{GITHUB}/repos/o/r/issues/{number}" for number in range(4))]
    (folder / "records.jsonl").write_bytes(b"".join(record(point, "GET", url) for url in urls))
    return folder


COMMAND = ("learn", "--records", "records.jsonl")


def test_configuration_is_the_current_one_with_learned_permissions(tf: Run, recorded: Path) -> None:
    done = tf(*COMMAND, "-o", "learned.yaml")
    assert (done.returncode, done.stdout) == (0, "")
    assert "checked: 5 of 5 kinds of requests" in done.stderr
    gateway = GatewayConfig.from_file(recorded / "learned.yaml").bind()
    assert gateway.name == "agent"
    assert gateway.enforcement == "monitor"
    assert str(gateway.connectors[0].credential) == "env:GITHUB_TOKEN"
    assert [rule.name for rule in gateway.policies] == ["p/r"]
    assert len(gateway.permissions) == 5
    told = (recorded / "learned.yaml").read_text()
    assert "# `--any number` would leave 2 of them, about any number." in told


def test_what_is_learned_allows_what_was_seen(tf: Run, recorded: Path) -> None:
    tf(*COMMAND, "-o", "learned.yaml")
    done = tf("replay", "--records", "records.jsonl", "--config", "learned.yaml")
    assert "5 of 5 records judged: 0 would change" in done.stdout


def test_fields_are_widened_only_when_asked(tf: Run, recorded: Path) -> None:
    done = tf(*COMMAND, "--any", "number")
    assert done.stdout.count("  - {connector: github") == 2
    assert 'resource: {owner: "o", repo: "r"}, decision: allow}' in done.stdout


def test_without_a_configuration_connectors_are_as_seen(tf: Run, recorded: Path) -> None:
    (recorded / "tameflare.yaml").unlink()
    done = tf(*COMMAND)
    assert done.returncode == 0
    assert "gateway: agent\nconnectors:\n- type: github\n" in done.stdout
    assert "# Say for each connector where its `credential` is kept." in done.stdout


def test_existing_file_is_not_replaced(tf: Run, recorded: Path) -> None:
    done = tf(*COMMAND, "-o", "tameflare.yaml")
    assert done.returncode == 4
    assert (recorded / "tameflare.yaml").read_text() == CURRENT


def test_nothing_to_learn_from_is_told(tf: Run, recorded: Path) -> None:
    done = tf("learn", "--records", "-", stdin=b"")
    assert done.returncode == 4
    assert "nothing to learn from" in done.stderr
    assert "enforcement: monitor" in done.stderr
