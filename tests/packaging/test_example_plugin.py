"""A third party's plugin works from outside: built, installed, configured, judged."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.packaging.conftest import Environment
from tests.packaging.repository import EXAMPLE, run, tool

CONFIGURATION = """\
version: 1
gateway: sales-bot
connectors:
  - type: crm
    credential: env:CRM_KEY
permissions:
  - {connector: crm, action: "crm.*", access: read, decision: allow}
  - {connector: crm, action: crm.contact.archive, decision: require_approval}
"""

JUDGE = """
import json, sys
from datetime import UTC, datetime
from pathlib import Path
from tameflare_core import Body, ConfigError, DecisionPoint, GatewayConfig, OutboundRequest

try:
    point = DecisionPoint(GatewayConfig.from_file(sys.argv[1]).bind())
except ConfigError as error:
    print(json.dumps({"problems": error.problems}))
    raise SystemExit
request = OutboundRequest.from_url(
    "PATCH",
    "https://api.crm.example/v2/contacts/7",
    body=Body.complete(b'{"archived": true}'),
)
verdict = point.decide(request, datetime.now(UTC))
print(json.dumps({"action": verdict.actions[0].name, "decision": verdict.decision}))
"""


def judged(environment: Environment, folder: Path, text: str) -> object:
    configuration = folder / "tameflare.yaml"
    configuration.write_text(text)
    return json.loads(environment.run("python", "-c", JUDGE, configuration, cwd=folder).stdout)


def test_installed_plugin_judges_its_requests(laptop: Environment, tmp_path: Path) -> None:
    verdict = {"action": "crm.contact.archive", "decision": "require_approval"}
    assert judged(laptop, tmp_path, CONFIGURATION) == verdict


def test_absent_plugin_is_a_load_error(core_alone: Environment, tmp_path: Path) -> None:
    result = judged(core_alone, tmp_path, CONFIGURATION)
    assert isinstance(result, dict)
    (problem,) = result["problems"]
    assert problem.startswith(f"{tmp_path / 'tameflare.yaml'}:4: connectors[0].type: ")
    assert "no connector type `crm`; there are: " in problem
    assert "generic, github" in problem


def test_key_that_the_plugin_does_not_know_is_a_load_error(
    laptop: Environment, tmp_path: Path
) -> None:
    text = CONFIGURATION.replace("credential: env:CRM_KEY", "zone: us")
    result = judged(laptop, tmp_path, text)
    assert isinstance(result, dict)
    (problem,) = result["problems"]
    assert problem.endswith(":5: connectors[0].zone: unknown key for a connector of type `crm`")


def test_plugin_passes_its_own_tests() -> None:
    # The options of this session are not meant for it.
    env = {"PYTEST_ADDOPTS": ""}
    run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=EXAMPLE, env=env)


def test_plugin_type_checks_against_the_public_names() -> None:
    run(
        tool("mypy"),
        "--strict",
        "--config-file=",
        "-p",
        "tameflare_crm",
        env={"MYPYPATH": str(EXAMPLE / "src")},
    )


def test_plugin_imports_nothing_but_the_public_package() -> None:
    inner = [
        f"{path.name}: {line}"
        for path in EXAMPLE.rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if line.startswith(("from tameflare_core.", "import tameflare_core"))
    ]
    assert inner == []
