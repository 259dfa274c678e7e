"""`tf connectors`: a gateway's connectors, and the catalogue of a type."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.harness import Run


def test_connectors_of_the_configuration_are_listed(tf: Run, folder: Path) -> None:
    config = folder / "tameflare.yaml"
    config.write_text(
        config.read_text().replace(
            "  - type: github\n",
            "  - type: github\n    credential: env:GITHUB_TOKEN\n"
            "  - {type: generic, id: crm, hosts: [api.crm.example]}\n",
        )
    )
    rows = json.loads(tf("connectors", "--json").stdout)
    assert [(row["id"], row["type"], row["credential"]) for row in rows] == [
        ("github", "github", "env:GITHUB_TOKEN"),
        ("crm", "generic", None),
    ]
    assert rows[1]["origins"] == ["https://api.crm.example:443"]
    shown = tf("connectors").stdout.splitlines()
    assert shown[0].split() == ["id", "type", "origins", "credential"]
    assert shown[2].split() == ["crm", "generic", "https://api.crm.example:443", "-"]


def test_catalogue_has_every_operation(tf: Run) -> None:
    rows = json.loads(tf("connectors", "actions", "github", "--json").stdout)
    assert len(rows) > 1000
    merge = next(row for row in rows if row["path"].endswith("/pulls/{pull_number}/merge"))
    assert set(merge) == {"name", "access", "risk", "categories", "method", "path"}


def test_search_finds_names_and_categories(tf: Run) -> None:
    shown = tf("connectors", "actions", "github", "--search", "repo.delete").stdout
    assert "github.repo.delete  write   critical  destructive" in shown
    found = json.loads(
        tf("connectors", "actions", "github", "--search", "DESTRUCTIVE", "--json").stdout
    )
    assert found
    assert all("destructive" in str(row) for row in found)


def test_type_without_catalogue_says_so(tf: Run) -> None:
    done = tf("connectors", "actions", "generic")
    assert (done.returncode, done.stdout) == (0, "")
    assert "names actions by method" in done.stderr


def test_unknown_type_exits_2_and_names_those_there_are(tf: Run) -> None:
    done = tf("connectors", "actions", "nonsense")
    assert done.returncode == 2
    assert "generic, github" in done.stderr
