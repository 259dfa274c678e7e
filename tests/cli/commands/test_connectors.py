"""`tf connectors`: a gateway's connectors, the types, their catalogues, and their credentials."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.cli.harness import Run
from tests.standin import Standin, as_json


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
    assert "no connector or connector type `nonsense`" in done.stderr
    assert "generic, github, " in done.stderr


DOCUMENT = """\
openapi: 3.1.0
paths:
  /contacts/{contact}:
    get: {tags: [contacts], operationId: get_contact}
    delete: {tags: [contacts], operationId: delete_contact}
"""


@pytest.fixture
def crm(folder: Path) -> Path:
    """A configuration with a connector whose names come from an OpenAPI document."""
    (folder / "crm.yaml").write_text(DOCUMENT)
    config = folder / "tameflare.yaml"
    config.write_text(
        "version: 1\ngateway: g\nconnectors:\n"
        "  - {type: generic, id: crm, hosts: [api.crm.example], openapi: crm.yaml,"
        " credential: env:CRM_KEY, auth: {type: header, name: X-Key}}\n"
    )
    return config


def test_types_that_are_installed_are_listed(tf: Run, tmp_path: Path) -> None:
    rows = json.loads(tf("connectors", "list", "--json", cwd=tmp_path).stdout)
    by_type = {row["type"]: row for row in rows}
    assert {"generic", "github", "webhook"} <= set(by_type)
    assert by_type["github"]["operations"] > 1000
    assert by_type["github"]["actions"] > 500
    assert "https://api.github.com:443" in by_type["github"]["hosts"]
    assert by_type["generic"]["hosts"] == []
    shown = tf("connectors", "list", cwd=tmp_path).stdout.splitlines()
    assert shown[0].split() == ["type", "provider", "hosts", "operations", "actions"]
    assert len(shown) == len(rows) + 1


def test_type_is_shown_without_a_configuration(tf: Run, tmp_path: Path) -> None:
    facts = json.loads(tf("connectors", "show", "github", "--json", cwd=tmp_path).stdout)
    assert facts["placement"] == "authorization: Bearer …"
    assert sum(facts["risks"].values()) == facts["operations"]
    assert {"owner", "repo", "number"} <= set(facts["resource_fields"])
    shown = tf("connectors", "show", "github", cwd=tmp_path).stdout
    assert "categories" in shown
    assert "characters in all" not in shown


def test_webhook_takes_no_credential(tf: Run, tmp_path: Path) -> None:
    facts = json.loads(tf("connectors", "show", "webhook", "--json", cwd=tmp_path).stdout)
    assert facts["placement"] is None
    assert facts["options"] == ["methods", "urls"]


def test_connector_of_the_gateway_is_shown_as_it_is_bound(tf: Run, crm: Path) -> None:
    facts = json.loads(tf("connectors", "show", "crm", "--json").stdout)
    assert facts == {
        "type": "generic",
        "provider": "http",
        "hosts": ["https://api.crm.example:443"],
        "placement": "x-key: …",
        "options": ["encoded_slashes", "openapi"],
        "resource_fields": ["contact", "host", "path"],
        "operations": 2,
        "actions": 9,
        "risks": {"high": 1, "low": 1},
        "categories": {"destructive": 1},
        "probe": None,
        "id": "crm",
        "credential": "env:CRM_KEY",
    }


def test_actions_of_a_document_are_listed(tf: Run, crm: Path) -> None:
    rows = json.loads(tf("connectors", "actions", "crm", "--json").stdout)
    assert [(row["name"], row["method"], row["path"]) for row in rows] == [
        ("crm.contacts.delete_contact", "DELETE", "/contacts/{contact}"),
        ("crm.contacts.get_contact", "GET", "/contacts/{contact}"),
    ]


@pytest.mark.parametrize("command", ["show", "actions"])
def test_broken_configuration_that_is_named_exits_5(tf: Run, crm: Path, command: str) -> None:
    crm.write_text("version: 2")
    assert tf("connectors", command, "crm", "--config", str(crm)).returncode == 5


# `tf connectors test`

TOKEN = "ghp_REALREALREAL"


@pytest.fixture
def github(folder: Path, standin: Standin) -> Standin:
    """The gateway's connector `ghe` leads to a stand-in."""
    (folder / "tameflare.yaml").write_text(
        "version: 1\ngateway: g\nconnectors:\n"
        f"  - {{type: github, id: ghe, base_url: '{standin.url}/api/v3', credential: env:GHE_TOKEN,"
        f" allow_private_network: true, ca_file: {standin.ca_file}}}\n"
        "permissions: [{connector: ghe, action: 'github.*', decision: deny}]\n"
    )
    standin.answer("GET", "/api/v3/rate_limit", as_json({"rate": {}}))
    return standin


def trial(tf: Run, *more: str, token: str = TOKEN) -> CompletedProcess[str]:
    done = tf("connectors", "test", "ghe", *more, env={"GHE_TOKEN": token})
    assert TOKEN not in done.stdout + done.stderr
    return done


def test_credential_that_works_exits_0(tf: Run, github: Standin) -> None:
    done = trial(tf)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"ghe: the credential works: GET {github.url}/api/v3/rate_limit was answered 200\n"
    )
    assert github.last.header("authorization") == f"Bearer {TOKEN}"
    assert len(github.requests) == 1


def test_probe_is_recorded_like_any_request(tf: Run, github: Standin) -> None:
    trial(tf)
    (record,) = map(json.loads, tf("logs", "--json").stdout.splitlines())
    assert (record["path"], record["outcome"]) == ("/api/v3/rate_limit", "forwarded")


@pytest.mark.parametrize("status", [401, 403])
def test_credential_that_is_refused_exits_4(tf: Run, github: Standin, status: int) -> None:
    github.answer("GET", "/api/v3/rate_limit", as_json({"message": TOKEN}, status=status))
    done = trial(tf)
    assert done.returncode == 4
    assert "ghe: the credential was refused: " in done.stdout


def test_answer_that_tells_nothing_exits_1(tf: Run, github: Standin) -> None:
    github.answer("GET", "/api/v3/rate_limit", as_json({}, status=500))
    done = trial(tf, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout) == {
        "connector": "ghe",
        "request": f"GET {github.url}/api/v3/rate_limit",
        "status": 500,
        "works": None,
    }


def test_service_that_is_down_exits_3(tf: Run, folder: Path, github: Standin) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    config = folder / "tameflare.yaml"
    config.write_text(config.read_text().replace(f":{github.port}/", f":{port}/"))
    done = trial(tf)
    assert done.returncode == 3
    assert "tf: " in done.stderr
    assert github.requests == []


def test_credential_that_is_not_there_exits_5(tf: Run, github: Standin) -> None:
    done = trial(tf, token="")
    assert done.returncode == 5
    assert "GHE_TOKEN" in done.stderr
    assert github.requests == []


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("nobody", "no connector `nobody`"),
        ("open", "connector `open` has no credential to test"),
        ("crm", "a connector of type `generic` names no harmless request to test with"),
    ],
)
def test_connector_without_a_test_exits_2(tf: Run, folder: Path, name: str, problem: str) -> None:
    (folder / "tameflare.yaml").write_text(
        "version: 1\ngateway: g\nconnectors:\n"
        "  - {type: generic, id: open, hosts: [a.example]}\n"
        "  - {type: generic, id: crm, hosts: [b.example], credential: env:X}\n"
    )
    done = tf("connectors", "test", name)
    assert done.returncode == 2
    assert problem in done.stderr
