"""`tf up`, and `tf run` behind a gateway of the control plane, with real processes."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.cli.harness import TF, Run
from tests.dashboard.conftest import PASSWORD
from tests.standin import Standin

DEADLINE = 30.0
DOCUMENT = """\
version: 1
gateway: agent
connectors:
  - {{type: generic, hosts: ["localhost:{port}"], allow_private_network: true,
     auth: {{type: bearer}}, credential: "vault:key", ca_file: {ca_file}}}
permissions:
  - {{connector: generic, action: "http.*", access: read, decision: allow}}
  - {{connector: generic, action: "http.*", decision: require_approval}}
"""
GET = "import urllib.request as r; print(r.urlopen('https://localhost:{port}/').status)"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


class Stack:
    """Processes of `tf`, whose addresses stay the same when they are started again."""

    def __init__(self, tf: Run, environment: dict[str, str], folder: Path) -> None:
        self.tf, self.environment, self.folder = tf, environment, folder
        self.proxy, self.dashboard = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.dashboard}"
        self.running: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str, says: str) -> tuple[subprocess.Popen[str], str]:
        log = self.folder / f"{len(self.running)}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [*TF, *arguments],
                stdout=output,
                stderr=output,
                cwd=self.folder,
                env=self.environment,
                text=True,
                start_new_session=True,
            )
        self.running.append(process)
        until(lambda: says in log.read_text() or process.poll() is not None, f"{arguments} started")
        assert process.poll() is None, log.read_text()
        return process, log.read_text()

    def up(self) -> tuple[subprocess.Popen[str], str]:
        return self.start(
            *("up", "--listen", f"127.0.0.1:{self.proxy}"),
            *("--dashboard", f"127.0.0.1:{self.dashboard}"),
            says="CA file",
        )

    def plane(self) -> subprocess.Popen[str]:
        where = f"127.0.0.1:{self.dashboard}"
        return self.start("dashboard", "--listen", where, says="control plane  ")[0]

    def gateway(self) -> subprocess.Popen[str]:
        return self.start(
            *("gateway", "--control-plane", self.url, "--listen", f"127.0.0.1:{self.proxy}"),
            says="CA file",
        )[0]

    def log_in(self) -> None:
        said = (self.folder / "0.log").read_text()
        token = re.search(r"--setup (\S+)", said)
        assert token is not None, said
        done = self.tf(
            *("login", "--url", self.url, "--setup", token[1], "--email", "a@example.com"),
            stdin=f"Acme\nAna\n{PASSWORD}\n",
        )
        assert done.returncode == 0, done.stderr

    def choose(self, standin: Standin) -> None:
        assert self.tf("credentials", "add", "key", "--control-plane", stdin="k3y").returncode == 0
        config = self.folder / "tameflare.yaml"
        config.write_text(DOCUMENT.format(port=standin.port, ca_file=standin.ca_file))
        assert self.tf("apply").returncode == 0
        chosen = self.tf("init", "--gateway", "agent", "--proxy", f"http://127.0.0.1:{self.proxy}")
        assert chosen.returncode == 0, chosen.stderr

    def get(self, standin: Standin) -> subprocess.CompletedProcess[str]:
        import sys

        return self.tf("run", "-q", "--", sys.executable, "-c", GET.format(port=standin.port))

    def status(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.tf("status", "--json").stdout)
        return found

    def proxy_status(self) -> dict[str, Any]:
        """What the one gateway process says about itself."""
        (found,) = json.loads(self.tf("status", "--json").stdout)["proxies"]
        return dict(found)

    def records(self) -> list[dict[str, object]]:
        from tameflare_cli.remote import Remote

        login = json.loads(
            (Path(self.environment["XDG_DATA_HOME"]) / "tameflare" / "login.json").read_text()
        )
        with closing(Remote(login["url"], login["token"])) as remote:
            items: list[dict[str, object]] = remote.get("/api/v1/traffic", limit=500)["items"]
        return items


@pytest.fixture
def stack(tf: Run, environment: dict[str, str], folder: Path) -> Iterator[Stack]:
    made = Stack(tf, environment, folder)
    yield made
    for process in made.running:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
    for process in made.running:
        process.wait(DEADLINE)
    for status in made.status()["proxies"]:  # type: ignore[attr-defined]  # one in the background
        os.kill(status["pid"], signal.SIGTERM)
    until(lambda: not made.status()["proxies"], "everything has ended")


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
