"""`tf up`, and `tf run` behind a gateway of the control plane, with real processes."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.harness import DEADLINE, Run
from tests.cli.stack import Stack, stacked, until
from tests.standin import Standin


@pytest.fixture
def stack(tf: Run, environment: dict[str, str], folder: Path) -> Iterator[Stack]:
    with stacked(tf, environment, folder) as stack:
        yield stack


def test_program_runs_behind_a_gateway_of_the_control_plane(stack: Stack, standin: Standin) -> None:
    process, said = stack.up()
    assert stack.url in said
    stack.log_in()
    stack.choose(standin)
    done = stack.get(standin)
    assert (done.returncode, done.stdout) == (0, "200\n"), done.stderr
    assert standin.requests[-1].header("authorization") == "Bearer k3y"
    until(lambda: len(stack.records()) == 1, "the record arrived")
    until(lambda: stack.proxy_status()["gateways"], "the gateway says what it serves")
    status = stack.status()
    assert status["control_plane"]["reachable"] is True  # type: ignore[index]
    assert stack.proxy_status()["gateways"][0]["name"] == "agent"
    assert "agent" in stack.tf("status").stdout
    listed = stack.tf("init", "--list").stdout
    assert "prod-agent" in listed
    assert "\nagent" in listed
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE) == 0
    # What is not running any more is started when a program needs it.
    started = stack.tf("run", "--", "true")
    assert (started.returncode, "starting one" in started.stderr) == (0, True), started.stderr
    assert stack.get(standin).stdout == "200\n"


def test_everything_goes_on_when_a_process_is_killed(stack: Stack, standin: Standin) -> None:
    plane = stack.plane()
    gateway = stack.gateway()
    stack.log_in()
    stack.choose(standin)
    assert stack.get(standin).stdout == "200\n"
    until(lambda: len(stack.records()) == 1, "the first record arrived")
    plane.kill()
    plane.wait()
    for _ in range(2):
        assert stack.get(standin).stdout == "200\n"
    until(
        lambda: stack.proxy_status()["reachable"] is False, "the gateway says that nobody answers"
    )
    assert "the last rules stand" in stack.tf("status").stdout
    assert stack.proxy_status()["gateways"][0]["from_cache"] is False
    gateway.kill()
    gateway.wait()
    stack.gateway()
    # The gateway is new, the control plane is gone: what it said last is on disk.
    assert stack.get(standin).stdout == "200\n"
    stack.plane()
    until(lambda: len(stack.records()) == 4, "no record is lost")
    assert stack.get(standin).stdout == "200\n"
    until(lambda: len(stack.records()) == 5, "records go on")
    ids = [record["id"] for record in stack.records()]
    assert len(ids) == len(set(ids)) == 5
    assert stack.tf("audit", "verify").returncode == 0


def test_database_that_cannot_be_written_says_so(stack: Stack, standin: Standin) -> None:
    import sqlite3

    stack.up()
    stack.log_in()
    stack.choose(standin)
    assert stack.get(standin).stdout == "200\n"
    until(lambda: len(stack.records()) == 1, "the first record arrived")
    path = Path(stack.environment["XDG_DATA_HOME"]) / "tameflare" / "tameflare.db"
    lock = sqlite3.connect(path, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
        refused = stack.tf("kill", "--control-plane", "--reason", "drill")
        assert refused.returncode == 3
        assert "database is locked" in refused.stderr
        # What was decided before still holds; the record waits.
        assert stack.get(standin).stdout == "200\n"
    finally:
        lock.execute("ROLLBACK")
        lock.close()
    until(lambda: len(stack.records()) == 2, "the record arrived late")
    assert stack.tf("kill", "--control-plane", "--reason", "drill").returncode == 0
    assert stack.get(standin).returncode != 0
    assert stack.tf("unkill", "--control-plane").returncode == 0
    assert stack.get(standin).stdout == "200\n"


def test_full_disk_says_so_and_changes_nothing(stack: Stack, standin: Standin) -> None:
    plane = stack.plane()
    stack.gateway()
    stack.log_in()
    stack.choose(standin)
    assert stack.get(standin).stdout == "200\n"
    until(lambda: len(stack.records()) == 1, "the first record arrived")
    # No file of the process may grow any more, as on a disk that is full.
    soft, hard = resource.prlimit(plane.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(plane.pid, resource.RLIMIT_FSIZE, (0, hard))
    refused = stack.tf("kill", "--control-plane", "--reason", "drill")
    assert refused.returncode == 3, refused.stderr
    assert "nothing was changed" in refused.stderr
    assert stack.get(standin).stdout == "200\n"
    resource.prlimit(plane.pid, resource.RLIMIT_FSIZE, (soft, hard))
    until(lambda: len(stack.records()) == 2, "the record arrived late")
    assert stack.tf("kill", "--list", "--control-plane", "--json").stdout.strip() == "[]"
    assert stack.tf("audit", "verify").returncode == 0
