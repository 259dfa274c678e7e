"""`tf` itself: help, version, and how every error ends."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.harness import Run

COMMANDS = (
    "init", "run", "mcp", "gateway", "explain", "policies", "replay", "learn", "logs", "kill",
    "unkill", "credentials", "connectors", "doctor",
)  # fmt: skip


def test_version_is_the_distributions(tf: Run) -> None:
    from importlib.metadata import version

    assert tf("--version").stdout == f"tf {version('tameflare-cli')}\n"


def test_version_imports_nothing_heavy(tf: Run) -> None:
    done = tf("--version", env={"PYTHONPROFILEIMPORTTIME": "1"})
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "typer" in imported
    assert not imported & {"pydantic", "cryptography", "mitmproxy", "rich", "tameflare_core"}


def test_help_lists_commands_and_examples(tf: Run) -> None:
    shown = tf("--help").stdout
    assert all(f" {command} " in shown for command in COMMANDS)
    assert "tf run -- python agent.py" in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(tf: Run, command: str) -> None:
    done = tf(command, "--help")
    assert done.returncode == 0
    assert f"usage: tf {command} " in done.stdout.lower()


def test_help_has_no_colours_with_no_color(tf: Run) -> None:
    coloured = {"FORCE_COLOR": "1", "TERM": "xterm"}
    colour = re.compile(r"\x1b\[[\d;]*3\d")
    assert colour.search(tf("--help", env=coloured).stdout)
    assert not colour.search(tf("--help", env=coloured | {"NO_COLOR": "1"}).stdout)


def test_mistyped_command_exits_2_with_a_suggestion(tf: Run) -> None:
    done = tf("explian")
    assert done.returncode == 2
    assert "Did you mean 'explain'" in done.stderr


def test_every_problem_of_a_configuration_is_told(tf: Run, folder: Path) -> None:
    (folder / "tameflare.yaml").write_text(
        "version: 1\ngateway: x\nnonsense: 1\nenforcement: sometimes\n"
    )
    done = tf("explain", "GET https://a.example/")
    assert done.returncode == 5
    assert "tf: tameflare.yaml:3: nonsense: unknown key\n" in done.stderr
    assert "tf: tameflare.yaml:4: enforcement: " in done.stderr


def test_controls_in_an_error_are_escaped(tf: Run, folder: Path) -> None:
    (folder / "tameflare.yaml").write_text('version: 1\ngateway: x\n"\\e[2J": 1\n')
    done = tf("explain", "GET https://a.example/")
    assert done.returncode == 5
    assert "\x1b" not in done.stderr


def test_unexpected_error_is_one_line_to_report(tf: Run, environment: dict[str, str]) -> None:
    # A folder where the log should be is nothing that anybody expects.
    Path(environment["XDG_STATE_HOME"], "tameflare", "traffic.jsonl").mkdir(parents=True)
    done = tf("logs")
    assert done.returncode == 1
    assert done.stderr.startswith("tf: unexpected error: IsADirectoryError")
    assert "please report it" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in tf("logs", env={"TF_DEBUG": "1"}).stderr
