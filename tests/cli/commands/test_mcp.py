"""`tf mcp`: which connector a server is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.harness import Run

CONFIG = """\
version: 1
gateway: desk
connectors:
  - {type: mcp, id: files, stdio: true}
  - {type: mcp, id: search, stdio: true, tools: {find: {access: read}}}
  - {type: mcp, id: remote, base_url: "https://mcp.example/mcp"}
permissions:
  - {connector: files, action: "mcp.*", decision: allow}
  - {connector: search, action: "mcp.*", access: read, decision: allow}
"""

CALL = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"%s"}}\n'


@pytest.fixture(autouse=True)
def config(folder: Path) -> None:
    (folder / "tameflare.yaml").write_text(CONFIG)


def test_named_connector_judges(tf: Run) -> None:
    sent = CALL % "find" + CALL % "drop"
    done = tf("mcp", "--connector", "search", "--", "cat", stdin=sent)
    assert CALL % "find" in done.stdout
    assert CALL % "drop" not in done.stdout
    assert tf("mcp", "--connector", "files", "--", "cat", stdin=sent).stdout == sent


def test_records_are_kept_with_the_others(tf: Run) -> None:
    tf("mcp", "--connector", "search", "--", "cat", stdin=CALL % "find" + CALL % "drop")
    records = [json.loads(line) for line in tf("logs", "--json").stdout.splitlines()]
    assert [
        (one["host"], one["connector"], one["actions"][0]["name"], one["outcome"])
        for one in records
    ] == [
        ("search.stdio.invalid", "search", "mcp.tools.call.find", "forwarded"),
        ("search.stdio.invalid", "search", "mcp.tools.call.drop", "denied"),
    ]
    assert records[0]["actions"][0]["resource"] == {"tool": "find"}


def test_only_connector_needs_no_name(tf: Run, folder: Path) -> None:
    text = CONFIG.replace("  - {type: mcp, id: files, stdio: true}\n", "").replace(
        '  - {connector: files, action: "mcp.*", decision: allow}\n', ""
    )
    (folder / "other.yaml").write_text(text)
    done = tf("mcp", "--config", "other.yaml", "--", "cat", stdin=CALL % "find")
    assert done.stdout == CALL % "find"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "connectors for stdio are `files`, `search`"),
        (("--connector", "remote"), "`remote` is no connector with `type: mcp` and `stdio: true`"),
        (("--connector", "x"), "there are: `files`, `search`"),
    ],
)
def test_unclear_connector_is_told(tf: Run, arguments: tuple[str, ...], message: str) -> None:
    done = tf("mcp", *arguments, "--", "cat", stdin=CALL % "find")
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_credential_for_a_server_over_stdio_is_an_error(tf: Run, folder: Path) -> None:
    text = CONFIG.replace("id: files, ", "id: files, credential: env:KEY, ")
    (folder / "tameflare.yaml").write_text(text)
    done = tf("mcp", "--connector", "files", "--", "cat")
    assert done.returncode == 5
    assert "reads its own, from its environment" in done.stderr


def test_options_behind_the_server_are_its_own(tf: Run) -> None:
    done = tf("mcp", "--connector", "files", "echo", "--config", "x", "--help")
    assert done.stdout == "--config x --help\n"


def test_server_has_to_be_named(tf: Run) -> None:
    done = tf("mcp")
    assert done.returncode == 2
    assert "COMMAND" in done.stderr
