"""`tf logs`: what is in the traffic log, and what comes into it."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tameflare_core.config.document import GatewayConfig
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.record import TrafficRecord
from tameflare_core.request import OutboundRequest
from tameflare_core.traffic_log import TrafficLog
from tests.cli.harness import CONFIG, TF, Run


@pytest.fixture
def path(environment: dict[str, str]) -> Path:
    return Path(environment["XDG_STATE_HOME"], "tameflare", "traffic.jsonl")


def record(number: int) -> TrafficRecord:
    """A record as a gateway makes it; its path holds `number`."""
    point = DecisionPoint(GatewayConfig.from_text(CONFIG, folder=Path()).bind())
    url = f"https://api.github.com/repos/o/r/issues/{number}"
    request, now = OutboundRequest.from_url("GET", url), datetime.now(UTC)
    return TrafficRecord(
        id=str(number),
        time=now,
        gateway="prod-agent",
        request=request,
        shown_path=request.path,
        verdict=point.decide(request, now),
        outcome="forwarded",
        status=200,
    )


def test_no_traffic_is_no_error(tf: Run) -> None:
    done = tf("logs")
    assert (done.returncode, done.stdout) == (0, "")
    assert "no traffic yet" in done.stderr


def test_line_tells_what_was_done_and_why(tf: Run, path: Path) -> None:
    TrafficLog(path).record(record(1))
    (line,) = tf("logs").stdout.splitlines()
    assert "  forwarded  200  prod-agent    GET api.github.com/repos/o/r/issues/1" in line
    assert "github.issue.get" in line
    assert "permissions[0]" in line


def test_last_lines_come_from_both_files(tf: Run, path: Path) -> None:
    log = TrafficLog(path, max_size=1)  # each record sets the file before it aside
    for number in range(4):
        log.record(record(number))
    done = tf("logs", "--json", "-n", "2")
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["2", "3"]
    assert tf("logs", "-n", "0").stdout == ""


def test_json_lines_are_as_they_were_written(tf: Run, path: Path) -> None:
    TrafficLog(path).record(record(1))
    assert tf("logs", "--json").stdout == path.read_text()


def test_controls_are_escaped(tf: Run, path: Path) -> None:
    document = json.loads(record(1).to_json()) | {"reason": "\x1b[2J\u202e", "gateway": "\x07"}
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(document) + "\n\x1b[2Jnonsense\n")
    first, second = tf("logs").stdout.splitlines()
    assert "\\x1b[2J\\u202e" in first
    assert "\\x07" in first
    assert second == "unreadable record: \\x1b[2Jnonsense"


def test_rejected_request_has_a_line(tf: Run, path: Path) -> None:
    rejected = TrafficRecord(
        id="1",
        time=datetime.now(UTC),
        gateway="prod-agent",
        request=None,
        verdict=None,
        outcome="rejected",
        status=400,
        error="dot segment in path",
    )
    TrafficLog(path).record(rejected)
    assert "rejected   400" in tf("logs").stdout


def test_following_goes_on_across_rotation(
    environment: dict[str, str], folder: Path, path: Path
) -> None:
    log = TrafficLog(path, max_size=1)
    log.record(record(0))
    with subprocess.Popen(
        [*TF, "logs", "-f", "--json"],
        stdout=subprocess.PIPE,
        cwd=folder,
        env=environment,
    ) as following:
        try:
            assert following.stdout is not None
            for number in range(4):
                if number:
                    log.record(record(number))
                assert json.loads(following.stdout.readline())["id"] == str(number)
            with path.open("ab") as file:
                line = record(4).to_json().encode()
                file.write(line[:20])
                file.flush()
                file.write(line[20:] + b"\n")
            assert json.loads(following.stdout.readline())["id"] == "4"
        finally:
            following.terminate()


def test_following_waits_for_the_first_record(
    environment: dict[str, str], folder: Path, path: Path
) -> None:
    with subprocess.Popen(
        [*TF, "logs", "-f", "--json"], stdout=subprocess.PIPE, cwd=folder, env=environment
    ) as following:
        try:
            TrafficLog(path).record(record(7))
            assert following.stdout is not None
            assert json.loads(following.stdout.readline())["id"] == "7"
        finally:
            following.terminate()
