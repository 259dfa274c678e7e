"""`tf unkill`: what goes on, and what stays stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tameflare_core.kill_switch_file import KILL_SWITCH_FILE
from tests.cli.harness import Run


def kill(tf: Run, scope: str) -> str:
    """Stop something; the id of the kill switch."""
    done = tf("kill", scope, "--reason", f"for {scope}", "--json")
    return str(json.loads(done.stdout)["id"])


def active(tf: Run) -> list[str]:
    return [switch["scope"] for switch in json.loads(tf("kill", "--list", "--json").stdout)]


def test_only_switch_needs_no_name(tf: Run) -> None:
    ident = kill(tf, "org")
    done = tf("unkill")
    assert (done.returncode, done.stdout) == (0, f"ended: org  {ident}  for org\n")
    assert active(tf) == []


def test_several_switches_need_a_name(tf: Run) -> None:
    kill(tf, "org")
    kill(tf, "connector:github")
    done = tf("unkill")
    assert done.returncode == 2
    assert "2 kill switches are active: say which one to end" in done.stderr
    assert active(tf) == ["org", "connector:github"]


def test_switch_ends_by_id_and_the_others_are_told(tf: Run) -> None:
    first, second = kill(tf, "org"), kill(tf, "org")
    assert tf("unkill", second).stdout.splitlines() == [
        f"ended: org  {second}  for org",
        f"still stopped: org  {first}  for org",
    ]


def test_switches_end_by_scope(tf: Run) -> None:
    for scope in ("org", "action:github.*", "org"):
        kill(tf, scope)
    assert tf("unkill", "org").returncode == 0
    assert active(tf) == ["action:github.*"]


def test_all_switches_end(tf: Run) -> None:
    for scope in ("org", "action:github.*"):
        kill(tf, scope)
    done = tf("unkill", "--all")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 2
    assert active(tf) == []


@pytest.mark.parametrize("arguments", [(), ("--all",), ("org",), ("ks_aaaaaaaaaaaa",)])
def test_nothing_to_end_exits_4(tf: Run, arguments: tuple[str, ...]) -> None:
    done = tf("unkill", *arguments)
    assert done.returncode == 4
    assert "tf: nothing to end: " in done.stderr


def test_scope_within_an_active_one_ends_nothing(tf: Run) -> None:
    kill(tf, "action:github.*")
    done = tf("unkill", "action:github.pr.*")
    assert done.returncode == 4
    assert "`action:github.pr.*` is not active" in done.stderr
    assert active(tf) == ["action:github.*"]


@pytest.mark.parametrize("arguments", [("everything",), ("org", "--all"), ("gateway:*",)])
def test_mistake_exits_2_and_ends_nothing(tf: Run, arguments: tuple[str, ...]) -> None:
    kill(tf, "org")
    assert tf("unkill", *arguments).returncode == 2
    assert active(tf) == ["org"]


def test_file_that_makes_no_sense_needs_all(tf: Run, environment: dict[str, str]) -> None:
    path = Path(environment["XDG_DATA_HOME"], "tameflare", KILL_SWITCH_FILE)
    path.parent.mkdir(parents=True)
    path.touch(0o600)
    refused = tf("unkill")
    assert refused.returncode == 4
    assert "everything is stopped until `tf unkill --all`" in refused.stderr
    assert "the kill switches cannot be read" in tf("unkill", "--all").stdout
    assert active(tf) == []
