"""The distributions as users get them: built wheels in environments of their own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.packaging.repository import EXAMPLE, MEMBERS, ROOT, CommandFailed, project, run, uv


@dataclass(frozen=True)
class Environment:
    """A virtual environment that knows nothing of this checkout."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def run(
        self, *command: str | Path, cwd: Path, env: Mapping[str, str] | None = None
    ) -> CompletedProcess[str]:
        """Run a command of the environment (`python`, `tf`) in `cwd`."""
        return run(self.folder / "bin" / command[0], *command[1:], cwd=cwd, env=env)


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of each distribution and of the example plugin, by the distribution's name."""
    built = {}
    for folder in (ROOT, *MEMBERS, EXAMPLE):
        out = tmp_path_factory.mktemp("wheel")
        run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", out, folder)
        (built[project(folder)["name"]],) = out.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def lowest_python() -> str | None:
    """An interpreter of the lowest supported version; None when this machine has none."""
    # pyenv's shims fail for every version but the chosen ones; others take no notice.
    env = {"PYENV_VERSION": "3.12"}
    try:
        return run(uv(), "python", "find", "--no-project", "3.12", env=env).stdout.strip()
    except CommandFailed:
        return None


@pytest.fixture(scope="session")
def core_alone(
    wheels: dict[str, Path], lowest_python: str | None, tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    """`tameflare-core` alone, on the lowest supported Python if there is one."""
    folder = tmp_path_factory.mktemp("environments") / "core"
    return _environment(folder, lowest_python or sys.executable, wheels["tameflare-core"])


@pytest.fixture(scope="session")
def laptop(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Core, the command line and the example plugin: what uses a gateway that runs elsewhere."""
    return _environment(
        tmp_path_factory.mktemp("environments") / "laptop",
        sys.executable,
        *(wheels[name] for name in ("tameflare-core", "tameflare-cli", "tameflare-crm")),
    )


def _environment(folder: Path, python: str, *wheels: Path) -> Environment:
    run(uv(), "venv", "--quiet", "--no-project", "--python", python, folder)
    environment = Environment(folder)
    run(uv(), "pip", "install", "--quiet", "--python", environment.python, *wheels, cwd=folder)
    return environment
