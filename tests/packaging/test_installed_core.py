"""What an agent gets that installs `tameflare-core` and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.packaging.conftest import Environment
from tests.packaging.repository import MEMBERS, files, run

OF_OTHERS = {"click", "fastapi", "mitmproxy", "rich", "sqlalchemy", "starlette", "typer", "uvicorn"}

IMPORT_EVERYTHING = """
import importlib, json, pkgutil, sys
import tameflare_core
names = [found.name for found in pkgutil.walk_packages(tameflare_core.__path__, "tameflare_core.")]
for name in names:
    importlib.import_module(name)
print(json.dumps([sys.version_info[:2], tameflare_core.__file__, names]))
"""

FIND = """
import importlib.util, sys
print(*(name for name in sys.argv[1:] if importlib.util.find_spec(name)))
"""

USE_TRANSPORT = """
import httpx
from tameflare_core import EnforcingTransport
assert issubclass(EnforcingTransport, httpx.BaseTransport)
"""

COMPILE = """
import pathlib, sys
for name in sys.argv[1:]:
    compile(pathlib.Path(name).read_text("utf-8"), name, "exec", dont_inherit=True)
"""


def imported(environment: Environment, folder: Path) -> tuple[list[int], Path, list[str]]:
    said = environment.run("python", "-c", IMPORT_EVERYTHING, cwd=folder).stdout
    version, file, names = json.loads(said)
    return version, Path(file), names


def test_core_brings_no_framework(core_alone: Environment, tmp_path: Path) -> None:
    names = sorted(OF_OTHERS | {"tameflare_cli", "tameflare_proxy", "tameflare_dashboard"})
    assert core_alone.run("python", "-c", FIND, *names, cwd=tmp_path).stdout.split() == []


def test_every_module_imports_without_the_rest(core_alone: Environment, tmp_path: Path) -> None:
    _, file, names = imported(core_alone, tmp_path)
    assert file.is_relative_to(core_alone.folder)
    assert "tameflare_core.decision_point" in names


def test_transport_is_there_to_be_used(core_alone: Environment, tmp_path: Path) -> None:
    core_alone.run("python", "-c", USE_TRANSPORT, cwd=tmp_path)


def test_lowest_python_runs_core(
    lowest_python: str | None, core_alone: Environment, tmp_path: Path
) -> None:
    if lowest_python is None:
        pytest.skip("uv finds no Python 3.12 on this machine")
    version, _, _ = imported(core_alone, tmp_path)
    assert version == [3, 12]


def test_lowest_python_reads_every_module(lowest_python: str | None) -> None:
    if lowest_python is None:
        pytest.skip("uv finds no Python 3.12 on this machine")
    modules = [
        path
        for path in files()
        if path.suffix == ".py" and any(path.is_relative_to(member) for member in MEMBERS)
    ]
    run(lowest_python, "-c", COMPILE, *modules)
