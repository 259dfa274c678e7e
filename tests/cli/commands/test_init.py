"""`tf init`: what it writes, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tameflare_core import templates
from tests.cli.harness import Run


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def test_starter_is_written_and_loads(tf: Run, empty: Path) -> None:
    assert tf("init", cwd=empty).returncode == 0
    assert (empty / "tameflare.yaml").read_text() == templates.text("starter")
    done = tf("explain", "--json", "DELETE https://api.github.com/repos/o/r", cwd=empty)
    assert json.loads(done.stdout)["decision"] == "deny"


def test_named_template_is_written(tf: Run, empty: Path) -> None:
    tf("init", "--template", "prod-agent", cwd=empty)
    assert (empty / "tameflare.yaml").read_text() == templates.text("prod-agent")


def test_existing_file_is_refused_with_4(tf: Run, folder: Path) -> None:
    before = (folder / "tameflare.yaml").read_text()
    done = tf("init")
    assert done.returncode == 4
    assert "--force" in done.stderr
    assert (folder / "tameflare.yaml").read_text() == before
    assert tf("init", "--force").returncode == 0
    assert (folder / "tameflare.yaml").read_text() == templates.text("starter")


def test_unknown_template_exits_2_and_names_those_there_are(tf: Run, empty: Path) -> None:
    done = tf("init", "--template", "nonsense", cwd=empty)
    assert done.returncode == 2
    assert ", ".join(templates.names()) in done.stderr
    assert list(empty.iterdir()) == []


def test_list_writes_nothing(tf: Run, empty: Path) -> None:
    shown = tf("init", "--list", cwd=empty).stdout
    assert all(templates.summary(name) in shown for name in templates.names())
    assert list(empty.iterdir()) == []


def test_gitignore_is_made_only_in_a_work_tree(tf: Run, empty: Path) -> None:
    tf("init", cwd=empty)
    assert not (empty / ".gitignore").exists()
    (empty.parent / ".git").mkdir()
    tf("init", "--force", cwd=empty)
    assert (empty / ".gitignore").read_text() == ".tf/\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("*.log", "*.log\n.tf/\n"),
        ("*.log\n", "*.log\n.tf/\n"),
        (".tf/\n", ".tf/\n"),
        ("/.tf/\nx\n", "/.tf/\nx\n"),
    ],
)
def test_gitignore_gets_the_line_once(tf: Run, empty: Path, before: str, after: str) -> None:
    (empty / ".gitignore").write_text(before)
    tf("init", cwd=empty)
    tf("init", "--force", cwd=empty)
    assert (empty / ".gitignore").read_text() == after
