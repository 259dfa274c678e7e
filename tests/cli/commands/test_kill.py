"""`tf kill`: what is stopped, and what is not."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path

import pytest

from tameflare_core.kill_switch_file import KILL_SWITCH_FILE, KillSwitchFile
from tests.cli.harness import Run


@pytest.fixture
def file(environment: dict[str, str]) -> KillSwitchFile:
    return KillSwitchFile(Path(environment["XDG_DATA_HOME"], "tameflare", KILL_SWITCH_FILE))


def test_everything_is_stopped_unless_a_scope_is_given(tf: Run, file: KillSwitchFile) -> None:
    done = tf("kill", "--reason", "it deletes branches")
    assert done.returncode == 0
    (switch,) = file.current()
    assert str(switch.scope) == "org"
    assert switch.reason == "it deletes branches"
    assert switch.by == pwd.getpwuid(os.getuid()).pw_name
    assert done.stdout.splitlines() == [
        "stopped: everything, in every gateway of this user on this machine",
        "reason:  it deletes branches",
        f"undo:    tf unkill {switch.id}",
    ]


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        ("gateway:prod-agent", "everything in the gateway `prod-agent`"),
        ("connector:github", "connectors with the id or type `github`, in every gateway"),
        ("action:github.*.delete", "actions that `github.*.delete` covers, in every gateway"),
    ],
)
def test_scope_is_stopped_and_told(tf: Run, file: KillSwitchFile, scope: str, told: str) -> None:
    assert told in tf("kill", scope, "--reason", "x").stdout
    assert [str(switch.scope) for switch in file.current()] == [scope]


def test_json_is_the_switch(tf: Run, file: KillSwitchFile) -> None:
    done = tf("kill", "connector:github", "--reason", "x", "--json")
    assert json.loads(done.stdout) == next(iter(file.current())).document()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "say why with `--reason`"),
        (("gateway:Prod", "--reason", "x"), "`Prod` is not the name of a gateway"),
        (("everything", "--reason", "x"), "write `org`, `gateway:NAME`"),
        (("action:github", "--reason", "x"), "write `github.*`"),
        (("--reason", " "), "between 1 and 500 characters"),
        (("--reason", "x" * 501), "between 1 and 500 characters"),
        (("--list", "--reason", "x"), "`--list` stands alone"),
        (("org", "--list"), "`--list` stands alone"),
    ],
)
def test_mistake_exits_2_and_stops_nothing(
    tf: Run, file: KillSwitchFile, arguments: tuple[str, ...], why: str
) -> None:
    done = tf("kill", *arguments)
    assert done.returncode == 2
    assert why in done.stderr
    assert not file.current()


def test_list_shows_what_is_stopped_oldest_first(tf: Run, file: KillSwitchFile) -> None:
    for scope in ("action:github.*", "org"):
        tf("kill", scope, "--reason", f"for {scope}")
    heading, *lines = tf("kill", "--list").stdout.splitlines()
    assert heading.split() == ["id", "scope", "since", "by", "reason"]
    assert [line.split()[1] for line in lines] == ["action:github.*", "org"]
    assert lines[0].endswith("for action:github.*")
    listed = json.loads(tf("kill", "--list", "--json").stdout)
    assert listed == [switch.document() for switch in file.current()]


def test_empty_list_says_so(tf: Run) -> None:
    done = tf("kill", "--list")
    assert (done.returncode, done.stdout) == (0, "")
    assert "no kill switch is active" in done.stderr
    assert json.loads(tf("kill", "--list", "--json").stdout) == []


def test_controls_in_a_reason_are_escaped(tf: Run) -> None:
    first = tf("kill", "--reason", "a\x1b[2J\nb\u202e").stdout
    for shown in (first, tf("kill", "--list").stdout, tf("unkill").stdout):
        assert "a\\x1b[2J\\nb\\u202e" in shown
        assert "\x1b" not in shown


def test_file_that_makes_no_sense_is_shown_as_a_stop(tf: Run, file: KillSwitchFile) -> None:
    file.path.parent.mkdir(parents=True)
    file.path.touch(0o600)
    done = tf("kill", "--reason", "x")
    assert done.returncode == 4
    assert "everything is stopped until `tf unkill --all`" in done.stderr
    assert "the kill switches cannot be read" in tf("kill", "--list").stdout
