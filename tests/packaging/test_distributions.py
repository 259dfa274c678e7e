"""The five distributions move together and ship what they should."""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.packaging.repository import MEMBERS, ROOT, files, project, run

EVERY = [ROOT, *MEMBERS]
NAMES = [project(folder)["name"] for folder in EVERY]

# What a source folder holds for its distribution's sake and not for that of its importers.
OF_THE_PROJECT = {
    "LICENSE",
    "README.md",
    "hatch_build.py",
    "package-lock.json",
    "package.json",
    "pyproject.toml",
}
# What is fetched when a wheel is built, and never committed.
FETCHED = "tameflare_dashboard/static/vendor/"


def requirements(folder: Path) -> Iterator[str]:
    table = project(folder)
    yield from table["dependencies"]
    for extra in table.get("optional-dependencies", {}).values():
        yield from extra


def build_requirements(folder: Path) -> list[str]:
    table = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
    found: list[str] = table["build-system"]["requires"]
    return found


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_all_versions_agree() -> None:
    assert len({project(folder)["version"] for folder in EVERY}) == 1


@pytest.mark.parametrize("folder", EVERY, ids=NAMES)
def test_siblings_are_pinned_to_the_version(folder: Path) -> None:
    version = project(ROOT)["version"]
    siblings = [name for name in requirements(folder) if name.startswith("tameflare-")]
    assert siblings or project(folder)["name"] == "tameflare-core"
    assert all(re.fullmatch(rf"tameflare-\w+=={re.escape(version)}", name) for name in siblings)


def test_the_meta_distribution_requires_every_member() -> None:
    required = {name.split("==")[0] for name in requirements(ROOT)}
    assert required == {project(folder)["name"] for folder in MEMBERS}


def test_both_tf_commands_are_the_same() -> None:
    cli = ROOT / "src" / "tameflare_cli"
    assert project(ROOT)["scripts"] == project(cli)["scripts"]


def imports(folder: Path) -> Iterator[str]:
    """The top-level packages that the modules of a distribution import, wherever they do."""
    for path in files():
        if path.is_relative_to(folder) and path.suffix == ".py":
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    yield from (alias.name.partition(".")[0] for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    yield node.module.partition(".")[0]


@cache
def providers() -> dict[str, set[str]]:
    """Normalised names of the distributions that a top-level package comes from."""
    return {
        package: {re.sub(r"[-_.]+", "-", name).lower() for name in names}
        for package, names in packages_distributions().items()
    }


@pytest.mark.parametrize("folder", MEMBERS, ids=lambda path: path.name)
def test_every_import_is_declared(folder: Path) -> None:
    declared = {
        re.split(r"[^\w-]", requirement)[0]
        for requirement in [*requirements(folder), *build_requirements(folder)]
    }
    foreign = set(imports(folder)) - sys.stdlib_module_names - {folder.name}
    own = {member.name: {project(member)["name"]} for member in MEMBERS}
    undeclared = {
        package
        for package in foreign
        if not declared & (own.get(package) or providers().get(package, set()))
    }
    assert undeclared == set()


@pytest.mark.parametrize("folder", MEMBERS, ids=lambda path: path.name)
def test_every_distribution_carries_the_licence(folder: Path) -> None:
    assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


@pytest.mark.parametrize("folder", MEMBERS, ids=lambda path: path.name)
def test_wheel_holds_what_the_tree_holds(folder: Path, wheels: dict[str, Path]) -> None:
    with zipfile.ZipFile(wheels[project(folder)["name"]]) as archive:
        shipped = {
            name
            for name in archive.namelist()
            if ".dist-info/" not in name and not name.startswith(FETCHED)
        }
    tree = {
        path.relative_to(folder.parent).as_posix()
        for path in files()
        if path.is_relative_to(folder) and path.relative_to(folder).as_posix() not in OF_THE_PROJECT
    }
    assert shipped == tree
    assert f"{folder.name}/py.typed" in shipped


def test_dashboard_ships_what_browsers_load(wheels: dict[str, Path]) -> None:
    with zipfile.ZipFile(wheels["tameflare-dashboard"]) as archive:
        fetched = {
            name.removeprefix(FETCHED): archive.read(name)
            for name in archive.namelist()
            if name.startswith(FETCHED)
        }
    assert {"htmx.js", "htmx-sse.js", "tabler.css", "uplot.js", "uplot.css"} <= set(fetched)
    assert b"Tabler" in fetched["tabler.css"]
    # The licences of what is shipped are shipped with it; Tabler's is in its first lines.
    licences = {name for name in fetched if name.startswith("licenses/")}
    assert licences == {
        f"licenses/{name}.txt" for name in ("bootstrap-icons", "htmx", "htmx-ext-sse", "uplot")
    }


def test_front_end_packages_are_pinned_by_digest() -> None:
    folder = ROOT / "src" / "tameflare_dashboard"
    wanted = json.loads((folder / "package.json").read_text("utf-8"))["dependencies"]
    locked = json.loads((folder / "package-lock.json").read_text("utf-8"))["packages"]
    for name, version in wanted.items():
        assert re.fullmatch(r"[0-9.]+", version), name
        assert locked[f"node_modules/{name}"]["version"] == version
    for name, package in locked.items():
        if name:
            assert package["integrity"].startswith("sha512-"), name
            assert "resolved" not in package, name


@pytest.mark.parametrize("folder", MEMBERS, ids=lambda path: path.name)
def test_source_distribution_builds_the_same_wheel(
    folder: Path, wheels: dict[str, Path], tmp_path: Path
) -> None:
    # Without `--wheel` the wheel is built from the source distribution.
    run(sys.executable, "-m", "build", "--no-isolation", "-o", tmp_path, folder)
    (built,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(built) as one, zipfile.ZipFile(wheels[project(folder)["name"]]) as other:
        assert sorted(one.namelist()) == sorted(other.namelist())


def test_meta_wheel_holds_metadata_only(wheels: dict[str, Path]) -> None:
    with zipfile.ZipFile(wheels["tameflare"]) as archive:
        assert all(".dist-info/" in name for name in archive.namelist())


@pytest.mark.parametrize("name", NAMES)
def test_wheel_says_licence_python_and_purpose(name: str, wheels: dict[str, Path]) -> None:
    fields = metadata(wheels[name])
    assert fields["License-Expression"] == "Apache-2.0"
    assert fields["License-File"] == "LICENSE"
    assert fields["Requires-Python"] == ">=3.12"
    assert fields["Summary"]
    assert str(fields.get_payload()).strip()
