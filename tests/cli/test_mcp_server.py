"""An MCP server as a child of `tf mcp`: its pipes, its signals, its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.harness import DEADLINE, TF, Run

CONFIG = """\
version: 1
gateway: desk
connectors:
  - {type: mcp, id: files, stdio: true}
permissions:
  - {connector: files, action: "mcp.*", decision: allow}
  - {connector: files, action: mcp.tools.call.delete, decision: deny}
"""

PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}\n'
DELETE = '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"delete"}}\n'


@pytest.fixture(autouse=True)
def config(folder: Path) -> None:
    (folder / "tameflare.yaml").write_text(CONFIG)


type Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(environment: dict[str, str], folder: Path) -> Iterator[Start]:
    """Starts a server that is some lines of Python under `tf mcp`."""
    started: list[subprocess.Popen[bytes]] = []

    def run(program: str) -> subprocess.Popen[bytes]:
        one = subprocess.Popen(
            [*TF, "mcp", "--", sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
        started.append(one)
        return one

    yield run
    for one in started:
        if one.poll() is None:
            os.killpg(one.pid, signal.SIGKILL)
        one.communicate()


def served(tf: Run, program: str, stdin: str | bytes = b"") -> subprocess.CompletedProcess[str]:
    return tf("mcp", "--", sys.executable, "-c", program, stdin=stdin)


ECHO = "import sys\nfor line in sys.stdin.buffer: sys.stdout.buffer.write(line)"


def test_server_gets_what_is_allowed_and_nothing_else(tf: Run) -> None:
    done = served(tf, ECHO, PING + DELETE + PING.replace(":1,", ": 3 ,"))
    told = done.stdout.splitlines(keepends=True)
    assert [line for line in told if "-32043" not in line] == [PING, PING.replace(":1,", ": 3 ,")]
    assert len(told) == 3
    assert done.returncode == 0


def test_last_line_without_an_end_is_judged(tf: Run) -> None:
    assert served(tf, ECHO, PING.rstrip()).stdout == PING.rstrip()
    assert "-32043" in served(tf, ECHO, DELETE.rstrip()).stdout


def test_everything_that_the_server_says_passes(tf: Run) -> None:
    program = (
        "import os, sys\n"
        "sys.stdin.read()\n"
        "os.write(2, b'a complaint')\n"
        "sys.stdout.write('no JSON\\n' + 'x' * 3_000_000)"
    )
    done = served(tf, program)
    assert done.stdout == "no JSON\n" + "x" * 3_000_000
    assert done.stderr == "a complaint"


def test_server_has_the_environment_and_folder_of_the_client(tf: Run, folder: Path) -> None:
    program = "import os; print(os.environ['API_KEY'], os.getcwd())"
    done = tf("mcp", "--", sys.executable, "-c", program, env={"API_KEY": "sk_real"})
    assert done.stdout == f"sk_real {folder}\n"


@pytest.mark.parametrize(
    ("program", "status"),
    [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)],
)
def test_status_is_the_servers(tf: Run, program: str, status: int) -> None:
    assert served(tf, program).returncode == status


def test_server_that_ends_does_not_wait_for_its_client(start: Start) -> None:
    one = start("print('bye')")
    assert one.stdout is not None
    assert one.wait(DEADLINE) == 0
    assert one.stdout.read() == b"bye\n"


def test_program_left_behind_does_not_keep_it_running(start: Start) -> None:
    one = start(
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])"
    )
    assert one.wait(DEADLINE) == 0
    # It has the pipes of its server still.
    os.killpg(one.pid, signal.SIGKILL)


def test_client_that_reads_no_more_ends_the_server(start: Start) -> None:
    one = start("import sys\nwhile True: print('x', flush=True)")
    assert one.stdout is not None
    one.stdout.readline()
    one.stdout.close()
    assert one.wait(DEADLINE) != 0
    one.stdout = None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_reaches_the_server(start: Start, number: signal.Signals) -> None:
    one = start(
        "import signal, sys\n"
        f"signal.signal({int(number)}, lambda *_: sys.exit(40))\n"
        "print('ready', flush=True)\n"
        "while True: signal.pause()"
    )
    assert one.stdout is not None
    assert one.stdout.readline() == b"ready\n"
    one.send_signal(number)
    assert one.wait(DEADLINE) == 40


def test_missing_server_is_told(tf: Run) -> None:
    done = tf("mcp", "--", "no-such-server")
    assert done.returncode == 127
    assert done.stderr == "tf: `no-such-server` is not found\n    check the name and PATH\n"


def test_server_that_cannot_be_executed_is_told(tf: Run, folder: Path) -> None:
    (folder / "server").write_text("")
    done = tf("mcp", "--", "./server")
    assert done.returncode == 126
    assert "`./server` cannot be executed" in done.stderr
