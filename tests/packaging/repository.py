"""Where things are in the repository, and how its tools are run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MEMBERS = sorted(path.parent for path in (ROOT / "src").glob("*/pyproject.toml"))
EXAMPLE = ROOT / "docs" / "examples" / "tameflare-crm"


class CommandFailed(AssertionError):
    """A command ended with another status than 0; the message holds what it printed."""


def project(folder: Path) -> dict[str, Any]:
    """The `[project]` table of the distribution in `folder`."""
    table: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    return table


def files() -> list[Path]:
    """Every file that is committed, or would be with the next commit."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = sorted(name for name in listed.stdout.split("\0") if name)
    return [path for path in (ROOT / name for name in names) if path.is_file()]


def run(
    *command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end.

    Raises:
        CommandFailed: it ended with another status than 0.
    """
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=None if env is None else {**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode != 0:
        words = " ".join(map(str, command))
        raise CommandFailed(f"`{words}` ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def tool(name: str) -> Path:
    """A command of the development environment."""
    return Path(sys.executable).with_name(name)


def uv() -> str:
    """The `uv` that runs this session, or the one on the path."""
    found = os.environ.get("UV") or shutil.which("uv")
    assert found, "uv is not on the path; `pip install uv` gets it"
    return found
