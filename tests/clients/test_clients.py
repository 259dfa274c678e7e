"""Client libraries as they are, behind `tf run`: one call allowed, one denied, one held."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.cli.harness import TF, Open
from tests.standin import Standin, as_json

PROGRAMS = Path(__file__).parent / "programs"
REAL_KEY = "ghp_the_real_one"

CONFIG = """\
version: 1
gateway: coder
connectors:
  - type: github
    base_url: https://localhost:{port}/api/v3
    credential: file:github.key
    allow_private_network: true
    ca_file: {ca_file}
permissions:
  - {{connector: github, action: "github.*", access: read, decision: allow}}
  - {{connector: github, action: "github.*", decision: require_approval}}
  - {{connector: github, action: github.repo.delete, decision: deny}}
"""

SITE = "/api/v3/repos/acme/site"


@pytest.fixture
def github(standin: Standin, folder: Path) -> Standin:
    """A stand-in for GitHub Enterprise, and a gateway's configuration for it."""
    (folder / "tameflare.yaml").write_text(
        CONFIG.format(port=standin.port, ca_file=standin.ca_file)
    )
    key = folder / "github.key"
    key.touch(mode=0o600)
    key.write_text(REAL_KEY)
    url = f"{standin.url}{SITE}"
    standin.answer("GET", SITE, as_json({"name": "site", "url": url}))
    standin.answer("POST", f"{SITE}/issues", as_json({"number": 7, "url": url}, status=201))
    return standin


def program(name: str) -> list[str]:
    if not name.endswith(".sh"):
        return [sys.executable, str(PROGRAMS / name)]
    shell = shutil.which("sh")
    assert shell is not None
    assert shutil.which("curl"), "curl is needed"
    return [shell, str(PROGRAMS / name)]


@pytest.mark.parametrize(
    "name",
    ["with_curl.sh", "with_httpx.py", "with_requests.py", "with_urllib3.py", "with_pygithub.py"],
)
def test_client_is_allowed_denied_and_held(name: str, github: Standin, screen: Open) -> None:
    terminal = screen(*TF, "run", "--", *program(name), f"{github.url}/api/v3")
    terminal.wait_for("allowed 200\n")
    terminal.wait_for("denied 403\n")
    question = terminal.wait_for("[a]pprove once or [d]eny?")
    assert "github.issue.create" in question
    assert f"POST {github.url}{SITE}/issues" in question
    assert [one.method for one in github.requests] == ["GET"]
    terminal.type("a\n")
    terminal.wait_for("held 201\n")
    assert terminal.exit_status() == 0
    assert [(one.method, one.target) for one in github.requests] == [
        ("GET", SITE),
        ("POST", f"{SITE}/issues"),
    ]
    assert all(one.header("authorization") == f"Bearer {REAL_KEY}" for one in github.requests)
    assert not any(
        key.lower().startswith(("proxy-", "x-tameflare-"))
        for one in github.requests
        for key, _ in one.headers
    )


def test_denied_hold_reaches_the_client_with_its_note(github: Standin, screen: Open) -> None:
    issues = f"{github.url}{SITE}/issues"
    curl = ["curl", "--silent", "--json", '{"title":"x"}', issues]
    terminal = screen(*TF, "run", "--", *curl)
    terminal.wait_for("[a]pprove once or [d]eny?")
    terminal.type("d not today\n")
    assert "not today" in terminal.wait_for('"hint"')
    assert terminal.exit_status() == 0
    assert github.requests == []
