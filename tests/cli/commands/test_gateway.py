"""`tf gateway`: what it prints is what `tf run` needs."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.harness import TF, Open, Run
from tests.standin import Standin

GET = "import urllib.request as r; print(r.urlopen('https://localhost:{port}/').status)"

CONFIG = """\
version: 1
gateway: service
connectors:
  - {{type: generic, hosts: ["localhost:{port}"], allow_private_network: true, ca_file: {ca_file}}}
permissions:
  - {{connector: generic, action: "http.*", access: read, decision: allow}}
  - {{connector: generic, action: "http.*", decision: require_approval}}
"""

SAID = ("gateway  ", "proxy    ", "CA file  ", "run with ")


@pytest.fixture
def configured(folder: Path, standin: Standin) -> Path:
    config = folder / "service.yaml"
    config.write_text(CONFIG.format(port=standin.port, ca_file=standin.ca_file))
    return config


@pytest.fixture
def gateway(
    environment: dict[str, str], folder: Path, configured: Path
) -> Iterator[Callable[..., tuple[subprocess.Popen[str], list[str]]]]:
    """Starts a gateway; returns its process and the four values that it prints."""
    with ExitStack() as running:

        def start(**variables: str) -> tuple[subprocess.Popen[str], list[str]]:
            process = subprocess.Popen(
                [*TF, "gateway", "--config", configured, "--listen", "127.0.0.1:0"],
                stdout=subprocess.PIPE,
                text=True,
                cwd=folder,
                env=environment | variables,
                start_new_session=True,
            )
            running.enter_context(process)
            running.callback(process.kill)
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in SAID]
            assert all(map(str.startswith, lines, SAID)), lines
            return process, [line[9:].strip() for line in lines]

        yield start


def test_printed_command_reaches_it(
    gateway: Callable[..., tuple[subprocess.Popen[str], list[str]]], tf: Run, standin: Standin
) -> None:
    _, (name, proxy, ca_file, command) = gateway()
    assert name == "service"
    assert Path(ca_file).is_file()
    port = proxy.rpartition(":")[2]
    program, *arguments, placeholder = shlex.split(command)
    assert (program, placeholder) == ("tf", "COMMAND")
    assert f"127.0.0.1:{port}" in " ".join(arguments)
    done = tf(*arguments, sys.executable, "-c", GET.format(port=standin.port))
    assert done.stdout == "200\n", done.stderr


def test_given_token_is_used_and_not_shown(
    gateway: Callable[..., tuple[subprocess.Popen[str], list[str]]], tf: Run, standin: Standin
) -> None:
    from tameflare_core.tokens import new_gateway_token

    token = new_gateway_token()
    _, printed = gateway(TAMEFLARE_GATEWAY_TOKEN=token)
    assert token not in " ".join(printed)
    _, *arguments, _ = shlex.split(printed[3])
    program = (sys.executable, "-c", GET.format(port=standin.port))
    assert tf(*arguments, *program, env={"TAMEFLARE_GATEWAY_TOKEN": token}).stdout == "200\n"


def test_given_token_that_can_be_guessed_exits_5(tf: Run) -> None:
    done = tf("gateway", env={"TAMEFLARE_GATEWAY_TOKEN": "gwtk_secret"})
    assert done.returncode == 5
    assert "unset it to have one made" in done.stderr
    assert "gwtk_secret" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_it_with_0(
    gateway: Callable[..., tuple[subprocess.Popen[str], list[str]]], number: signal.Signals
) -> None:
    process, _ = gateway()
    process.send_signal(number)
    assert process.wait(30) == 0


def test_taken_address_exits_5(tf: Run, configured: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        done = tf("gateway", "--config", str(configured), "--listen", address)
    assert done.returncode == 5
    assert f"{address} cannot be listened on" in done.stderr
    assert "--listen" in done.stderr


@pytest.mark.parametrize("listen", ["8899", "127.0.0.1:", "127.0.0.1:70000", "127.0.0.1:x"])
def test_wrong_address_exits_2(tf: Run, listen: str) -> None:
    assert tf("gateway", "--listen", listen).returncode == 2


def test_it_asks_on_its_own_terminal(
    screen: Open,
    environment: dict[str, str],
    folder: Path,
    configured: Path,
    standin: Standin,
) -> None:
    shown = screen(*TF, "gateway", "--config", str(configured), "--listen", "127.0.0.1:0")
    shown.wait_for("run with ")
    _, *arguments, _ = shlex.split(shown.wait_for("COMMAND"))
    delete = (
        "import urllib.request as r;"
        f"print(r.urlopen(r.Request('https://localhost:{standin.port}/', method='DELETE')).status)"
    )
    with subprocess.Popen(
        [*TF, *arguments, sys.executable, "-c", delete],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=environment,
        start_new_session=True,
    ) as client:
        question = shown.wait_for("[d]eny?")
        assert re.search(r"http\.delete", question)
        shown.type("a\n")
        output, _ = client.communicate(timeout=30)
    assert output == b"200\n"
    os.kill(shown.pid, signal.SIGINT)
    assert shown.exit_status() == 0
