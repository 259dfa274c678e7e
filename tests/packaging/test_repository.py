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

# Modules without a test file of their own, as patterns, and why.
UNTESTED_ALONE = {
    "tameflare_cli/__main__.py": "calls `main`, as every test does that runs the command",
    "tameflare_cli/command_group.py": "lists commands; test_app.py runs all of them by name",
    "tameflare_cli/demo/stage.py": "what the demo stands on; commands/test_demo.py runs it",
    "tameflare_cli/diagnosis.py": "the findings of `tf doctor`; commands/test_doctor.py has each",
    "tameflare_cli/foreground.py": "needs a child and a terminal: test_child.py, test_terminal.py",
    "tameflare_cli/options.py": "declares options; each command's tests use them",
    "tameflare_cli/project.py": "what `tf init --gateway` writes; commands/test_up.py",
    "tameflare_cli/remote.py": "calls of every command; commands/test_apply.py has its refusals",
    "tameflare_cli/running.py": "the whole of `tf run`; commands/test_run.py runs it",
    "tameflare_cli/stack.py": "the processes of `tf up`; commands/test_up.py runs and kills them",
    "tameflare_cli/starting.py": "a stack in the background; commands/test_up.py starts one",
    "tameflare_core/commands.py": "declares commands; test_enforcement.py has each",
    "tameflare_core/errors.py": "declares exceptions; each is raised and caught in others' tests",
    "tameflare_core/explanation.py": "what `tf explain` prints; cli/commands/test_explain.py",
    "tameflare_core/sync/approver.py": "asks a real control plane in proxy/test_fleet.py",
    "tameflare_core/sync/client.py": "calls a real control plane in proxy/test_fleet.py",
    "tameflare_core/sync/gateway.py": "what a proxy learns of a gateway; proxy/test_fleet.py",
    "tameflare_core/sync/gateways.py": "follows a real control plane in proxy/test_fleet.py",
    "tameflare_core/transports/translation.py": "the transports own it; their tests see the wire",
    "tameflare_dashboard/api/*.py": "calls of the API; dashboard/api, auth/test_gate.py",
    "tameflare_dashboard/auth/*.py": "who is let in; dashboard/auth/test_gate.py tries everybody",
    "tameflare_dashboard/backend.py": "what every call shares",
    "tameflare_dashboard/db/*.py": "what every call stands on; db/test_migrate.py, test_traffic.py",
    "tameflare_dashboard/db/migrations/*.py": "db/test_migrate.py runs them up and down",
    "tameflare_dashboard/db/migrations/versions/*.py": "db/test_migrate.py runs them up and down",
    "tameflare_dashboard/db/models/*.py": "declares tables; db/test_migrate.py compares them",
    "tameflare_dashboard/documents.py": "checks of each edit; api/test_parts.py",
    "tameflare_dashboard/gateway_api/*.py": "calls of gateways; dashboard/gateway_api makes them",
    "tameflare_dashboard/hatch_build.py": "runs at each installation; test_distributions.py",
    "tameflare_dashboard/ids.py": "ids of whatever is made",
    "tameflare_dashboard/live.py": "carries changes; gateway_api/test_events.py hears them",
    "tameflare_dashboard/notices/*.py": "told to stand-ins in dashboard/notices/test_sender.py",
    "tameflare_dashboard/pages/*.py": "dashboard/pages asks for each, tests/browser uses them",
    "tameflare_dashboard/problems.py": "every refusal; test_app.py looks at their form",
    "tameflare_dashboard/server.py": "serves every test of the dashboard",
    "tameflare_dashboard/store/*.py": "operations of the API; dashboard/api and gateway_api",
    "tameflare_proxy/one_gateway.py": "serves every test of proxy/test_server.py and its kin",
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
        if module.name == "__init__.py" or any(map(module.full_match, UNTESTED_ALONE)):
            continue
        package, *folders = module.parent.parts
        mirror = Path("tests", package.removeprefix("tameflare_"), *folders, f"test_{module.name}")
        if not (ROOT / mirror).is_file():
            missing.append(str(mirror))
    assert missing == []


def test_exceptions_to_the_mirror_are_still_needed() -> None:
    unused = [each for each in UNTESTED_ALONE if not any(m.full_match(each) for m in modules())]
    assert unused == []
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
