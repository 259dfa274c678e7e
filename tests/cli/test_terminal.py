"""Approvals asked on the terminal of `tf run`, while a child holds it."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.harness import TF, Open, Run, Screen
from tests.standin import Standin

PYTHON = sys.executable

CONFIG = """\
version: 1
gateway: asking
connectors:
  - type: generic
    id: service
    hosts: ["localhost:{port}"]
    allow_private_network: true
    ca_file: {ca_file}
permissions:
  - {{connector: service, action: "http.*", access: read, decision: allow}}
  - {{connector: service, action: "http.*", decision: require_approval}}
policies: {policies}
approval: {{timeout: {timeout}}}
"""

# An agent that asks, and then does what a program does with its terminal: reads from it.
AGENT = """
import json, os, sys, urllib.request, urllib.error
def ask(method, path, body=None, kind="application/json"):
    request = urllib.request.Request(
        f"https://localhost:{port}" + path, method=method, data=body,
        headers={{"Content-Type": kind}},
    )
    try:
        with urllib.request.urlopen(request) as answer:
            print("status", answer.status, flush=True)
    except urllib.error.HTTPError as error:
        print("status", error.status, json.load(error)["detail"], flush=True)
"""

ASKED = "[d]eny?"


@pytest.fixture
def agent(screen: Open, folder: Path, standin: Standin) -> Callable[..., Screen]:
    """Starts an agent that runs some lines of Python under `tf run` on a terminal."""

    def start(lines: str, *, timeout: int = 60, policies: str = "[]") -> Screen:
        config = CONFIG.format(
            port=standin.port, ca_file=standin.ca_file, timeout=timeout, policies=policies
        )
        (folder / "tameflare.yaml").write_text(config)
        (folder / "agent.py").write_text(AGENT.format(port=standin.port) + lines)
        return screen(*TF, "run", "--quiet", "--", PYTHON, "agent.py")

    return start


def test_approved_request_is_sent_once(agent: Callable[..., Screen], standin: Standin) -> None:
    shown = agent("ask('DELETE', '/things/1')\nprint('typed', input())")
    question = shown.wait_for(ASKED)
    assert "gateway asking" in question
    assert f"DELETE https://localhost:{standin.port}/things/1" in question
    assert "http.delete  write, risk high, destructive" in question
    assert re.search(r"(1:00|0:5\d) left", shown.wait_for("> "))
    assert standin.requests == []
    shown.type("a\n")
    shown.wait_for("status 200")
    shown.type("words\n")
    shown.wait_for("typed words")
    assert shown.exit_status() == 0
    assert [request.method for request in standin.requests] == ["DELETE"]


def test_denial_and_its_note_reach_the_agent(
    agent: Callable[..., Screen], standin: Standin
) -> None:
    shown = agent("ask('DELETE', '/things/1')")
    shown.wait_for(ASKED)
    shown.type("d not on a Friday\n")
    assert "not on a Friday" in shown.wait_for("status 403") + shown.wait_for("\n")
    assert shown.exit_status() == 0
    assert standin.requests == []


def test_enter_and_other_words_ask_again(agent: Callable[..., Screen]) -> None:
    shown = agent("ask('DELETE', '/things/1')")
    for typed in ("\n", "yes\n", "a please\n"):
        shown.wait_for(ASKED)
        shown.type(typed)
    shown.wait_for(ASKED)
    shown.type("d\n")
    shown.wait_for("status 403")


def test_approval_for_a_time_asks_no_more(agent: Callable[..., Screen], standin: Standin) -> None:
    shown = agent("for n in (1, 1, 2): ask('DELETE', f'/things/{n}')")
    shown.wait_for("for a [t]ime")
    for typed in ("t 25h\n", "t soon\n"):
        shown.wait_for(ASKED)
        shown.type(typed)
        shown.wait_for("`t 1h` to let the same action on the same resource pass")
    shown.wait_for(ASKED)
    shown.type("t 2h\n")
    shown.wait_for("approved, and the same action on the same resource until")
    shown.wait_for("status 200")
    shown.wait_for("status 200")
    assert "/things/2" in shown.wait_for(ASKED), "another resource is asked about"
    shown.type("d\n")
    shown.wait_for("status 403")
    assert len(standin.requests) == 2


def test_approval_that_is_not_the_owners_is_not_asked(
    agent: Callable[..., Screen], folder: Path, standin: Standin
) -> None:
    shown = agent(
        "ask('DELETE', '/things/1')",
        policies="[{name: p, rules: [{name: r, decision: require_approval,"
        " approval: {roles: [admin]}}]}]",
    )
    told = shown.wait_for("status 403") + shown.wait_for("\n")
    assert "it needs the role admin, and its terminal is the owner's" in told
    assert ASKED not in told
    assert standin.requests == []


def test_end_of_file_denies(agent: Callable[..., Screen]) -> None:
    shown = agent("ask('DELETE', '/things/1')")
    shown.wait_for(ASKED)
    shown.type("\x04")
    shown.wait_for("status 403")


def test_keys_typed_for_the_child_never_answer(
    agent: Callable[..., Screen], standin: Standin
) -> None:
    shown = agent("print('busy', flush=True)\nask('DELETE', '/things/1')")
    shown.wait_for("busy")
    shown.type("a\n")
    shown.wait_for(ASKED)
    shown.type("d\n")
    shown.wait_for("status 403")
    assert standin.requests == []


def test_question_takes_a_raw_terminal_and_gives_it_back(agent: Callable[..., Screen]) -> None:
    shown = agent(
        "import threading, tty\n"
        "tty.setraw(0)\n"
        "other = threading.Thread(target=ask, args=('DELETE', '/things/1'))\n"
        "other.start()\n"
        "print('key', repr(os.read(0, 1)), flush=True)\n"
        "other.join()\n"
    )
    shown.wait_for(ASKED)
    # The child wants to read all the while, and is stopped for it.
    shown.type("a\n")
    shown.wait_for("status 200")
    shown.type("x")
    shown.wait_for("key b'x'")
    assert shown.exit_status() == 0


def test_questions_are_asked_one_by_one(agent: Callable[..., Screen], standin: Standin) -> None:
    shown = agent(
        "import subprocess\n"
        "if sys.argv[1:]:\n"
        "    sys.stdin.read()\n"
        "    ask('DELETE', sys.argv[1])\n"
        "    sys.exit()\n"
        "waiting, go = os.pipe()\n"
        # In sessions of their own they go on asking while the job is stopped for a question.
        "all = [subprocess.Popen([sys.executable, __file__, f'/things/{n}'], stdin=waiting,\n"
        "    start_new_session=True) for n in range(3)]\n"
        "os.close(go)\n"
        "for one in all: one.wait()\n"
    )
    questions = [shown.wait_for(ASKED)]
    while "2 more waiting" not in shown.wait_for("> "):
        shown.type("\n")
        shown.wait_for(ASKED)
    for answer, waiting in (("a\n", "1 more waiting"), ("d\n", "left")):
        shown.type(answer)
        questions.append(shown.wait_for(ASKED))
        assert waiting in shown.wait_for("> ")
    shown.type("a\n")
    assert shown.exit_status() == 0
    paths = [re.search(r"/things/\d", question) for question in questions]
    assert len({path[0] for path in paths if path}) == 3
    assert len(standin.requests) == 2


def test_unanswered_question_goes_away(agent: Callable[..., Screen], standin: Standin) -> None:
    shown = agent("ask('DELETE', '/things/1')\nprint('typed', input())", timeout=1)
    shown.wait_for(ASKED)
    shown.wait_for("the question is void")
    shown.wait_for("status 408")
    shown.type("words\n")
    shown.wait_for("typed words")
    assert standin.requests == []


def test_question_of_a_gone_client_goes_away(agent: Callable[..., Screen]) -> None:
    shown = agent(
        "import socket, subprocess\n"
        "if sys.argv[1:]:\n"
        "    socket.setdefaulttimeout(1)\n"
        "    ask('DELETE', '/things/1')\n"
        "gone = subprocess.run([sys.executable, __file__, 'ask'], start_new_session=True,\n"
        "    stderr=subprocess.DEVNULL)\n"
        "print('gone', gone.returncode, flush=True)\n"
        "print('typed', input())\n"
    )
    shown.wait_for(ASKED)
    shown.wait_for("the question is void")
    shown.wait_for("gone 1")
    shown.type("words\n")
    shown.wait_for("typed words")


def test_ctrl_c_at_a_question_reaches_the_child(agent: Callable[..., Screen]) -> None:
    shown = agent("import signal\nsignal.signal(2, signal.SIG_DFL)\nask('DELETE', '/1')")
    shown.wait_for(ASKED)
    shown.type("\x03")
    assert shown.exit_status() == 130


def test_child_that_ends_takes_its_question_along(agent: Callable[..., Screen]) -> None:
    shown = agent("print('pid', os.getpid(), flush=True)\nask('DELETE', '/1')")
    before = shown.modes
    shown.wait_for("pid ")
    pid = int(shown.wait_for("\n"))
    shown.wait_for(ASKED)
    os.kill(pid, signal.SIGKILL)
    assert shown.exit_status() == 137
    assert shown.modes == before


def test_question_shows_the_body_and_no_escape_of_it(agent: Callable[..., Screen]) -> None:
    shown = agent(
        "body = 'name=\\x1b[2J\\u202e\\ntf | approval needed: harmless'.encode()\n"
        "ask('POST', '/things?x=%1B[2J', body, 'application/x-www-form-urlencoded')\n"
    )
    question = shown.wait_for(ASKED)
    assert "\x1b" not in question
    assert "\u202e" not in question
    assert "\ntf |   | name=\\x1b[2J\\u202e\n" in question
    # A line of the body cannot pass for one of ours.
    assert "\ntf |   | tf | approval needed: harmless\n" in question
    shown.type("d\n")
    shown.wait_for("status 403")


def test_nobody_is_asked_without_a_terminal(tf: Run, folder: Path, standin: Standin) -> None:
    config = CONFIG.format(port=standin.port, ca_file=standin.ca_file, timeout=60, policies="[]")
    (folder / "tameflare.yaml").write_text(config)
    (folder / "agent.py").write_text(AGENT.format(port=standin.port) + "ask('DELETE', '/1')")
    done = tf("run", "--", PYTHON, "agent.py")
    assert "status 403" in done.stdout
    assert "no terminal to ask on" in done.stdout
    assert standin.requests == []


def test_shell_under_run_keeps_its_jobs_over_a_question(
    screen: Open, agent: Callable[..., Screen], folder: Path
) -> None:
    """A shell puts groups of its own in front; after a question the same one is there again."""
    agent("").exit_status()
    (folder / "agent.py").write_text(
        (folder / "agent.py").read_text() + "ask('DELETE', '/1')\nprint('typed', input())"
    )
    shell = screen(
        *TF, "run", "--quiet", "--", "/bin/bash", "--norc", "--noediting", "-i",
        env={"PS1": "inner> "},
    )  # fmt: skip
    shell.wait_for("inner> ")
    shell.type(f"{PYTHON} agent.py\n")
    shell.wait_for(ASKED)
    shell.type("a\n")
    shell.wait_for("status 200")
    shell.type("words\n")
    shell.wait_for("typed words")
    shell.wait_for("inner> ")
    shell.type("exit 5\n")
    assert shell.exit_status() == 5


def test_background_run_is_not_asked(agent: Callable[..., Screen], screen: Open) -> None:
    agent("").exit_status()
    shell = screen("/bin/bash", "--norc", "--noediting", "-i", env={"PS1": "shell> "})
    script = 'import agent; agent.ask(\\"DELETE\\", \\"/1\\")'
    shell.wait_for("shell> ")
    shell.type(f'{" ".join(TF)} run --quiet -- {PYTHON} -c "{script}" &\n')
    shell.wait_for("status 403 http.delete")
    assert "in the background" in shell.wait_for("\n")
