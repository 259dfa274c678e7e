"""What the documents show is true: commands run, configurations load."""

from __future__ import annotations

import importlib
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from tameflare_core import DecisionPoint, GatewayConfig, OutboundRequest, load_plugins
from tests.packaging.documents import Block, blocks, documents, play
from tests.packaging.repository import EXAMPLE, ROOT, files

EXAMPLES = [(document, block) for document in documents() for block in blocks(document)]
CONFIGURATIONS = [
    pytest.param(document, block, id=f"{document.relative_to(ROOT)}:{block.line}")
    for document, block in EXAMPLES
    if block.language == "yaml" and "version: 1\n" in block.text and "gateway: " in block.text
]
TUTORIAL = ROOT / "docs" / "how-to" / "write-a-connector.md"
RUNNABLE = [
    pytest.param(document, id=str(document.relative_to(ROOT)))
    for document in documents()
    if any(block.language == "console" and not block.not_run for block in blocks(document))
]


@pytest.mark.parametrize("document", RUNNABLE)
def test_commands_do_what_the_document_says(document: Path, tmp_path: Path) -> None:
    play(document, tmp_path)


@pytest.mark.parametrize(("document", "block"), CONFIGURATIONS)
def test_configuration_in_a_document_loads(
    document: Path, block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for connector in yaml.safe_load(block.text).get("connectors", []):
        if "ca_file" in connector:
            (tmp_path / connector["ca_file"]).touch()
    for other in blocks(document):
        if other.title:
            file = tmp_path / other.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(other.text)
    extra = []
    if document.is_relative_to(EXAMPLE) or document == TUTORIAL:
        monkeypatch.syspath_prepend(EXAMPLE / "src")
        extra.append(importlib.import_module("tameflare_crm"))
    config = GatewayConfig.from_text(block.text, name=document.name, folder=tmp_path)
    config.bind(load_plugins(extra))


def test_tutorial_shows_the_files_of_the_example() -> None:
    shown = {block.title: block.text for block in blocks(TUTORIAL) if block.title}
    files_of_example = {
        str(path.relative_to(EXAMPLE.parent)): path.read_text("utf-8")
        for path in files()
        if path.is_relative_to(EXAMPLE) and path.name not in {"README.md", "py.typed"}
    }
    assert shown == files_of_example


LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)")
SPECIFICITY_ROW = re.compile(r"^\| `([A-Z]+) (/\S+)` \| `([\w.]+)` \| .+?: (\w+) \|", re.MULTILINE)


def test_table_of_specificity_is_true(tmp_path: Path) -> None:
    page = ROOT / "docs" / "explanation" / "concepts.md"
    (block,) = (block for block in blocks(page) if block.language == "yaml")
    point = DecisionPoint(GatewayConfig.from_text(block.text, folder=tmp_path).bind())
    rows = SPECIFICITY_ROW.findall(page.read_text("utf-8"))
    judged = []
    for method, path, _, _ in rows:
        request = OutboundRequest.from_url(method, f"https://api.github.com{path}")
        verdict = point.decide(request, datetime.now(UTC))
        judged.append((method, path, verdict.actions[0].name, verdict.decision.value))
    assert judged == rows
    assert len(rows) == 6


@pytest.mark.parametrize(
    ("name", "heading", "part"),
    [
        ("configuration", "## Top level", None),
        ("configuration", "## Connectors", "ConnectorPart"),
        ("configuration", "### `actions`", "NamedActionPart"),
        ("configuration", "## Permissions", "PermissionPart"),
        ("configuration", "## Approval", "ApprovalPart"),
        ("policies", "## Policy", "PolicyPart"),
        ("policies", "### Scope", "ScopePart"),
        ("policies", "### Rule", "PolicyRulePart"),
        ("policies", "## Limits", "LimitPart"),
    ],
)
def test_reference_has_every_key_of_the_configuration(
    name: str, heading: str, part: str | None
) -> None:
    page = (ROOT / "docs" / "reference" / f"{name}.md").read_text("utf-8")
    section = re.split(r"^#", page.split(f"\n{heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    rows = re.findall(r"^\| `(\w+)` \|[^|]+\| (.*?) \|", section, re.MULTILINE)
    schema = GatewayConfig.model_json_schema()
    model = schema if part is None else schema["$defs"][part]
    assert {key for key, _ in rows} == set(model["properties"])
    assert {key for key, default in rows if default == "required"} == set(model.get("required", ()))


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_links_within_the_repository_lead_somewhere() -> None:
    broken = []
    for document in (path for path in files() if path.suffix == ".md"):
        for target, anchor in LINK.findall(document.read_text("utf-8")):
            page = document.parent / target if target else document
            if not page.exists() or (anchor and anchor not in anchors(page)):
                broken.append(f"{document.relative_to(ROOT)}: {target}#{anchor}")
    assert broken == []


def test_shell_blocks_are_consoles() -> None:
    plain = {"bash", "sh", "shell"}
    assert [(doc.name, block.line) for doc, block in EXAMPLES if block.language in plain] == []


def test_blocks_that_are_not_run_say_why() -> None:
    reasons = [block.not_run for _, block in EXAMPLES if block.not_run is not None]
    assert [reason for reason in reasons if len(reason.split()) < 3] == []


def written(folder: Path, text: str) -> Path:
    document = folder / "page.md"
    document.write_text(text)
    return document


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tests.packaging.documents.ROOT", tmp_path)
    return tmp_path


def test_blocks_of_a_page_share_files_and_variables(page: Path) -> None:
    text = """\
```text title="a.txt"
one
$HOME
```
```console
$ name=$(head -n 1 a.txt)
```
<!-- not run: it would never end -->
```console
$ sleep 1000
```
```console
$ echo "$name" \\
>   two; tail -n 1 a.txt; echo 3.14
one two
$HOME
3…
```
"""
    play(written(page, text), page)


def test_command_that_fails_is_reported(page: Path) -> None:
    with pytest.raises(AssertionError, match=r"page\.md:2: `false` ended with 1"):
        play(written(page, "```console\n$ false\n```\n"), page)


def test_other_output_than_shown_is_reported(page: Path) -> None:
    with pytest.raises(AssertionError, match=r"page\.md:2: `echo a` printed something else"):
        play(written(page, "```console\n$ echo a\nb\n```\n"), page)


def test_shell_that_ends_early_is_reported(page: Path) -> None:
    with pytest.raises(AssertionError, match=r"page\.md:2: `exit 0` did not come to its end"):
        play(written(page, "```console\n$ exit 0\n$ echo a\n```\n"), page)
