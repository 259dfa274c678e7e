"""`tf policies test`: a table of cases in CI."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.harness import Run

CASES = """\
version: 1
cases:
  - name: reading is free
    request: GET https://api.github.com/user
    expect: allow
  - name: repositories stay
    request: DELETE https://api.github.com/repos/o/r
    expect: deny
    rule: permissions[2]
"""
WRONG = """\
  - name: merging is free
    request: PUT https://api.github.com/repos/o/r/pulls/1/merge
    expect: allow
"""


@pytest.fixture
def table(folder: Path) -> Path:
    (folder / "cases.yaml").write_text(CASES)
    return folder / "cases.yaml"


def test_all_as_expected(tf: Run, table: Path) -> None:
    done = tf("policies", "test", "cases.yaml")
    assert (done.returncode, done.stdout) == (0, "2 of 2 cases as expected\n")
    told = tf("policies", "test", "-v", "cases.yaml").stdout
    assert "ok      cases.yaml:3  reading is free: allow" in told


def test_failing_case_exits_1_and_says_how(tf: Run, table: Path) -> None:
    table.write_text(CASES + WRONG)
    done = tf("policies", "test", "cases.yaml")
    assert done.returncode == 1
    assert "failed  cases.yaml:10  merging is free: expected allow, got require_approval" in (
        done.stdout
    )
    assert "github.pr.merge needs approval by permission" in done.stdout
    assert done.stdout.endswith("2 of 3 cases as expected\n")
    assert "reading is free" not in done.stdout


def test_json_has_every_case(tf: Run, table: Path) -> None:
    table.write_text(CASES + WRONG)
    done = tf("policies", "test", "--json", "cases.yaml")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert (document["passed"], document["failed"]) == (2, 1)
    assert [case["passed"] for case in document["cases"]] == [True, True, False]
    assert document["cases"][2]["problems"] == ["expected allow, got require_approval"]


def test_another_configuration_can_be_tested(tf: Run, table: Path, folder: Path) -> None:
    (folder / "other.yaml").write_text("version: 1\ngateway: other\n")
    done = tf("policies", "test", "--config", "other.yaml", "cases.yaml")
    assert done.returncode == 1
    assert "no connector owns" in done.stdout


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("version: 1\ncases: [{name: x}]\n", "cases.yaml:2: cases[0].request: missing"),
        (
            "version: 1\nconfig: none.yaml\ncases: []\n",
            "none.yaml: cannot be read: No such file",
        ),
    ],
)
def test_wrong_table_exits_5(tf: Run, table: Path, text: str, told: str) -> None:
    table.write_text(text)
    done = tf("policies", "test", "cases.yaml")
    assert done.returncode == 5
    assert told in done.stderr
