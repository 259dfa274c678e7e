"""`tf up` and its parts as processes, on addresses that stay the same when they start again."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.cli.harness import DEADLINE, TF, Run
from tests.dashboard.conftest import PASSWORD
from tests.standin import Standin

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


@contextmanager
def stacked(tf: Run, environment: dict[str, str], folder: Path) -> Iterator[Stack]:
    """Nothing runs at first; what was started is ended with the context."""
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
