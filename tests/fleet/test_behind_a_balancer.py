"""Two control planes, three gateways and one PostgreSQL behind HAProxy; one of each is killed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.harness import TF
from tests.dashboard.conftest import PASSWORD
from tests.postgres import Postgres
from tests.standin import Standin

DEADLINE = 60.0
CLIENTS = 4

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

BALANCER = """\
global
  maxconn 500
defaults
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  default-server inter 200ms fall 1 rise 1
  option redispatch
  retries 3
frontend control_plane
  mode http
  bind 127.0.0.1:{plane}
  default_backend dashboards
backend dashboards
  mode http
  option httpchk GET /readyz
  http-check send hdr Host 127.0.0.1
  retry-on conn-failure empty-response
{dashboards}
frontend proxy
  mode tcp
  bind 127.0.0.1:{proxy}
  default_backend gateways
backend gateways
  mode tcp
{gateways}
"""


def until[Result](condition: Callable[[], Result], what: str) -> Result:
    deadline = time.monotonic() + DEADLINE
    while not (result := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return result


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        servers = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [int(server.getsockname()[1]) for server in servers]


class Fleet:
    """The processes, each of which can be killed and started again."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder = folder
        self.database = database
        self.plane, self.proxy, *ports = free_ports(7)
        self.dashboards, self.gateways = ports[:2], ports[2:]
        self.url = f"http://127.0.0.1:{self.plane}"
        home = folder / "home"
        home.mkdir()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_STATE_HOME": str(home / "state"),
            "TAMEFLARE_PUBLIC_URL": self.url,
        }
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str, says: str = "") -> None:
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            self.running[name] = subprocess.Popen(
                command, stdout=output, stderr=output, env=self.environment, start_new_session=True
            )
        if says:
            until(lambda: says in log.read_text(), f"{name} started: {log.read_text()}")

    def dashboard(self, number: int) -> None:
        port = self.dashboards[number]
        self.start(
            f"dashboard-{number}",
            *(*TF, "dashboard", "--listen", f"127.0.0.1:{port}", "--database", self.database),
            says="control plane  ",
        )

    def gateway(self, number: int) -> None:
        port = self.gateways[number]
        self.start(
            f"gateway-{number}",
            *(*TF, "gateway", "--control-plane", self.url, "--listen", f"127.0.0.1:{port}"),
            says="CA file",
        )

    def balancer(self) -> None:
        def servers(ports: list[int]) -> str:
            return "\n".join(
                f"  server s{n} 127.0.0.1:{port} check" for n, port in enumerate(ports)
            )

        config = self.folder / "haproxy.cfg"
        config.write_text(
            BALANCER.format(
                plane=self.plane,
                proxy=self.proxy,
                dashboards=servers(self.dashboards),
                gateways=servers(self.gateways),
            )
        )
        self.start("haproxy", "haproxy", "-db", "-f", str(config))

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(DEADLINE)
        # Started again, it says the same once more.
        (self.folder / f"{name}.log").rename(self.folder / f"{name}.before.log")

    def stop(self) -> None:
        for process in self.running.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.running.values():
            process.wait(DEADLINE)


@pytest.fixture
def fleet(tmp_path: Path, postgres: Postgres) -> Iterator[Fleet]:
    if shutil.which("haproxy") is None:
        if os.environ.get("CI"):
            pytest.fail("haproxy is not installed: `.ci/run` does so")
        pytest.skip("haproxy is not installed")
    made = Fleet(tmp_path, postgres.database())
    try:
        yield made
    finally:
        made.stop()


class Owner:
    """The owner, by way of the balancer: any control plane may answer."""

    def __init__(self, fleet: Fleet) -> None:
        log = (fleet.folder / "dashboard-0.log").read_text()
        token = re.search(r"--setup (\S+)", log)
        assert token is not None, log
        self.client = httpx.Client(base_url=fleet.url, trust_env=False, timeout=20)
        body = {
            "token": token[1],
            "organization": "Acme",
            "email": "ana@example.com",
            "name": "Ana",
            "password": PASSWORD,
        }
        answer = self.client.post("/api/v1/setup", json=body)
        assert answer.status_code == 201, answer.text
        self.client.headers["X-CSRF-Token"] = answer.json()["csrf"]

    def call(self, method: str, path: str, **options: Any) -> Any:
        """What a call answers; a control plane that is killed meanwhile is asked no more."""

        def tried() -> httpx.Response | None:
            try:
                answer = self.client.request(method, path, **options)
            except httpx.TransportError:
                return None
            return None if answer.status_code >= 502 else answer

        answer = until(tried, f"{method} {path}")
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def paths(self) -> Counter[str]:
        """How often each path was recorded."""
        found: Counter[str] = Counter()
        cursor = None
        while True:
            params = {"limit": 500, **({"cursor": cursor} if cursor else {})}
            page = self.call("GET", "/api/v1/traffic", params=params)
            found.update(item["path"] for item in page["items"])
            cursor = page["next"]
            if cursor is None:
                return found


class Load:
    """Clients that each send one request after another, on connections of their own."""

    def __init__(self, fleet: Fleet, token: str, port: int) -> None:
        ca = fleet.folder / "home" / "data" / "tameflare" / "authority" / "ca.pem"
        self._context = ssl.create_default_context(cafile=ca)
        self._proxy = httpx.Proxy(f"http://127.0.0.1:{fleet.proxy}", auth=(token, ""))
        self._port = port
        self._ending = threading.Event()
        self.done: list[str] = []
        self.refused: list[str] = []
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(CLIENTS)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(DEADLINE)

    def send(self, method: str, path: str) -> httpx.Response:
        with httpx.Client(
            proxy=self._proxy, verify=self._context, trust_env=False, timeout=30
        ) as client:
            return client.request(method, f"https://localhost:{self._port}{path}")

    def _run(self, number: int) -> None:
        count = 0
        while not self._ending.is_set():
            count += 1
            path = f"/{number}/{count}"
            try:
                answer = self.send("GET", path)
            except httpx.TransportError:
                continue  # the gateway that had it was killed
            if answer.status_code == 200:
                self.done.append(path)
            else:
                self.refused.append(f"{answer.status_code}: {answer.text[:200]}")


def test_everything_goes_on_when_one_of_each_is_killed(fleet: Fleet, standin: Standin) -> None:
    fleet.dashboard(0)
    fleet.dashboard(1)
    fleet.balancer()
    until(lambda: _ready(fleet), "the balancer knows the control planes")
    owner = Owner(fleet)
    owner.call("PUT", "/api/v1/credentials/key", json={"value": "k3y"})
    document = DOCUMENT.format(port=standin.port, ca_file=standin.ca_file)
    token = owner.call("POST", "/api/v1/gateways", json={"document": document})["token"]
    for number in range(3):
        fleet.gateway(number)
    with Load(fleet, token, standin.port) as load:
        until(lambda: len(load.done) > 30, f"requests pass: {load.refused[:3]}")
        fleet.kill("dashboard-0")
        mark = len(load.done)
        until(lambda: len(load.done) > mark + 30, "requests pass without one control plane")
        fleet.kill("gateway-1")
        mark = len(load.done)
        until(lambda: len(load.done) > mark + 30, "requests pass without one gateway")
        _hold_and_approve(owner, load)
        fleet.dashboard(0)
        fleet.gateway(1)
        mark = len(load.done)
        until(lambda: len(load.done) > mark + 30, "requests pass when all are back")
    assert load.refused == []
    assert {received.header("authorization") for received in standin.requests} == {"Bearer k3y"}
    # The gateway that was killed sends what it had when its token is presented to it again.
    until(lambda: _all_recorded(owner, load), "every request is recorded")
    counted = owner.paths()
    assert {path: counted[path] for path in load.done} == dict.fromkeys(load.done, 1)
    assert owner.call("GET", "/api/v1/audit/verify")["whole"] is True
    switch = owner.call("POST", "/api/v1/kill-switches", json={"scope": "org", "reason": "drill"})
    until(
        lambda: {load.send("GET", "/killed").status_code for _ in range(6)} == {403},
        "every gateway has stopped",
    )
    owner.call("DELETE", f"/api/v1/kill-switches/{switch['id']}")
    owner.client.close()


def _ready(fleet: Fleet) -> bool:
    try:
        return httpx.get(f"{fleet.url}/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _hold_and_approve(owner: Owner, load: Load) -> None:
    answers: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: answers.append(load.send("POST", "/held")))
    asking.start()
    (asked,) = until(
        lambda: owner.call("GET", "/api/v1/approvals", params={"state": "pending"})["items"],
        "the request is held",
    )
    owner.call("POST", f"/api/v1/approvals/{asked['id']}/approve", json={})
    asking.join(DEADLINE)
    assert [answer.status_code for answer in answers] == [200]


def _all_recorded(owner: Owner, load: Load) -> bool:
    load.send("GET", "/again")
    counted = owner.paths()
    return all(counted[path] for path in load.done)
