"""What no committed file may hold, and what every module must have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.packaging.repository import ROOT, files

LONGEST_MODULE = 400

# Each is put together here, so that this file does not hold what it looks for.
REGISTRIES = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("deb", "debian", "org"),
        ("proxy", "golang", "org"),
    )
)
# `/home/user` is anybody's.
MACHINE_PATH = re.compile(
    rf"(?<![\w.])(?:{re.escape(str(ROOT))}|/(?:home/(?!user/)\w+|Users/\w+|root))/"
)
UNFINISHED = re.compile(rf"\b(?:{'|'.join(('TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X'))})\b")

# A module without a test file of its own, and why.
UNTESTED_ALONE = {
    "tameflare_cli/__main__.py": "calls `main`, as every test does that runs the command",
    "tameflare_cli/command_group.py": "lists commands; test_app.py runs all of them by name",
    "tameflare_cli/diagnosis.py": "the findings of `tf doctor`; commands/test_doctor.py has each",
    "tameflare_core/explanation.py": "what `tf explain` prints; commands/test_explain.py has it",
    "tameflare_cli/foreground.py": "needs a child and a terminal: test_child.py, test_terminal.py",
    "tameflare_cli/options.py": "declares options; each command's tests use them",
    "tameflare_cli/running.py": "the whole of `tf run`; commands/test_run.py runs it",
    "tameflare_core/commands.py": "declares commands; test_enforcement.py has each",
    "tameflare_core/errors.py": "declares exceptions; each is raised and caught in others' tests",
    "tameflare_core/transports/translation.py": "the transports own it; their tests see the wire",
}


def lines() -> Iterator[tuple[str, str]]:
    for path in files():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            yield f"{path.relative_to(ROOT)}:{number}", line


def test_no_file_names_a_package_registry() -> None:
    found = [place for place, line in lines() if any(host in line for host in REGISTRIES)]
    assert found == []


def test_no_file_names_a_path_of_a_machine() -> None:
    assert [place for place, line in lines() if MACHINE_PATH.search(line)] == []


def test_no_file_says_that_it_is_unfinished() -> None:
    assert [place for place, line in lines() if UNFINISHED.search(line)] == []


def modules() -> list[Path]:
    sources = ROOT / "src"
    return [
        path.relative_to(sources)
        for path in files()
        if path.is_relative_to(sources) and path.suffix == ".py"
    ]


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    counts = {
        str(module): len((ROOT / "src" / module).read_text("utf-8").splitlines())
        for module in modules()
    }
    assert {name: count for name, count in counts.items() if count > LONGEST_MODULE} == {}


def test_every_module_has_a_test_file_in_its_place() -> None:
    missing = []
    for module in modules():
        if module.name == "__init__.py" or module.as_posix() in UNTESTED_ALONE:
            continue
        package, *folders = module.parent.parts
        mirror = Path("tests", package.removeprefix("tameflare_"), *folders, f"test_{module.name}")
        if not (ROOT / mirror).is_file():
            missing.append(str(mirror))
    assert missing == []


def test_exceptions_to_the_mirror_are_still_needed() -> None:
    named = {Path(name) for name in UNTESTED_ALONE}
    assert named <= set(modules())
    assert all(UNTESTED_ALONE.values())


def test_ci_ends_with_what_developers_run() -> None:
    script = ROOT / ".ci" / "run"
    assert script.read_text("utf-8").splitlines()[-1] == "uv run pytest"
    assert script.stat().st_mode & 0o111


def test_every_name_in_the_change_log_is_a_distribution() -> None:
    entries = [
        line for line in (ROOT / "CHANGELOG.md").read_text("utf-8").splitlines() if line[:2] == "- "
    ]
    assert entries
    prefixes = {entry[2:].partition(":")[0] for entry in entries}
    assert prefixes <= {"core", "proxy", "cli", "dashboard", "all"}
