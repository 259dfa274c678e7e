"""`tf run --proxy` on a machine without a gateway, against a gateway that runs elsewhere."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tameflare_core.tokens import new_gateway_token
from tests.packaging.conftest import Environment
from tests.packaging.repository import CommandFailed, tool

TOKEN_VARIABLE = "TAMEFLARE_GATEWAY_TOKEN"

SAID = ("gateway", "proxy", "CA file", "run with")
"""What the lines start with that `tf gateway` prints when it is ready."""

CONFIGURATION = """\
version: 1
gateway: laptop
connectors:
  - type: github
  - {{type: generic, base_url: "http://127.0.0.1:{port}", allow_private_network: true}}
permissions:
  - {{connector: github, action: "github.*", access: read, decision: allow}}
  - {{connector: generic, action: "http.get", decision: allow}}
"""

ASK = """
import json, sys
import httpx
with httpx.Client() as client:
    allowed = client.get(sys.argv[1])
    denied = client.delete("https://api.github.com/repos/o/r")
print(json.dumps([allowed.status_code, allowed.text, denied.status_code, denied.json()["action"]]))
"""

ASK_STATUS = """
import sys
import httpx
print(httpx.get(sys.argv[1]).status_code)
"""

FIND_GATEWAY = """
from importlib.util import find_spec
print(find_spec("tameflare_proxy"), find_spec("mitmproxy"))
"""


@dataclass(frozen=True)
class RunningGateway:
    proxy: str
    certificate: Path
    token: str


class Greeting(BaseHTTPRequestHandler):
    """A service that says hello."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Greeting) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def gateway(
    service: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningGateway]:
    """A gateway of the development environment, in a process of its own."""
    for name in ("XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    token = new_gateway_token()
    configuration = tmp_path / "tameflare.yaml"
    configuration.write_text(CONFIGURATION.format(port=service))
    monkeypatch.setenv(TOKEN_VARIABLE, token)
    process = subprocess.Popen(
        [tool("tf"), "gateway", "--config", configuration, "--listen", "127.0.0.1:0"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    monkeypatch.delenv(TOKEN_VARIABLE)
    deadline = threading.Timer(30, process.kill)
    deadline.start()
    try:
        assert process.stdout is not None
        said: dict[str, str] = {}
        while "run with" not in said:
            line = process.stdout.readline()
            assert line, f"the gateway ended with {process.wait()}"
            name = next(key for key in SAID if line.startswith(key))
            said[name] = line.removeprefix(name).strip()
        yield RunningGateway(said["proxy"], Path(said["CA file"]), token)
    finally:
        deadline.cancel()
        process.terminate()
        process.communicate()


def test_laptop_has_no_gateway_of_its_own(laptop: Environment, tmp_path: Path) -> None:
    assert laptop.run("python", "-c", FIND_GATEWAY, cwd=tmp_path).stdout.split() == ["None", "None"]


def through(
    gateway: RunningGateway, laptop: Environment, token: str, script: str, *arguments: str
) -> str:
    """What a Python script prints that `tf run --proxy` starts."""
    command = [laptop.python, "-c", script, *arguments]
    return laptop.run(
        *("tf", "run", "--proxy", gateway.proxy, "--ca", gateway.certificate, "--", *command),
        cwd=gateway.certificate.parent,
        env={TOKEN_VARIABLE: token},
    ).stdout


def test_program_reaches_the_world_through_the_gateway(
    laptop: Environment, gateway: RunningGateway, service: int
) -> None:
    said = through(gateway, laptop, gateway.token, ASK, f"http://127.0.0.1:{service}/")
    assert json.loads(said) == [200, "hello", 403, "github.repo.delete"]


def test_wrong_token_is_refused_by_the_gateway(
    laptop: Environment, gateway: RunningGateway, service: int
) -> None:
    wrong = f"{gateway.token[:-1]}!"
    assert through(gateway, laptop, wrong, ASK_STATUS, f"http://127.0.0.1:{service}/") == "407\n"


def test_gateway_here_is_said_to_be_missing(laptop: Environment, tmp_path: Path) -> None:
    (tmp_path / "tameflare.yaml").write_text("version: 1\ngateway: here\n")
    with pytest.raises(CommandFailed, match=r"install `tameflare-cli\[proxy\]`") as failure:
        laptop.run("tf", "run", "--", "true", cwd=tmp_path)
    assert "Traceback" not in str(failure.value)
