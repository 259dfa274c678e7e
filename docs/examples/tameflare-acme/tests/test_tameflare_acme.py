"""The plugin through the eyes of a gateway that has it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

import tameflare_acme
from tameflare_core import (
    Body,
    ConfigError,
    CredentialError,
    DecisionPoint,
    Gateway,
    GatewayConfig,
    OutboundRequest,
    load_plugins,
)

CONFIGURATION = """\
version: 1
gateway: support-bot
connectors:
  - type: acme
    region: us
    credential: acmevault:tickets
permissions:
  - {connector: acme, action: "acme.*", access: read, decision: allow}
  - {connector: acme, action: acme.ticket.update, decision: allow}
  - {connector: acme, action: acme.ticket.close, decision: require_approval}
"""

PLUGINS = load_plugins([tameflare_acme], entry_points=False)


def gateway(text: str = CONFIGURATION) -> Gateway:
    return GatewayConfig.from_text(text, folder=Path.cwd()).bind(PLUGINS)


@pytest.mark.parametrize(
    ("method", "path", "body", "action", "decision"),
    [
        ("GET", "/tickets", "", "acme.ticket.list", "allow"),
        ("POST", "/tickets", '{"title": "printer"}', "acme.ticket.create", "deny"),
        ("PATCH", "/tickets/7", '{"title": "plotter"}', "acme.ticket.update", "allow"),
        ("PATCH", "/tickets/7", '{"status": "closed"}', "acme.ticket.close", "require_approval"),
        ("PATCH", "/tickets/7", '["closed"]', "acme.opaque.patch", "deny"),
        ("DELETE", "/tickets/7", "", "acme.ticket.delete", "deny"),
        ("GET", "/invoices", "", "acme.unmapped.get", "allow"),
    ],
)
def test_request_gets_its_name_and_decision(
    method: str, path: str, body: str, action: str, decision: str
) -> None:
    request = OutboundRequest.from_url(
        method, f"https://api.us.acme.example{path}", body=Body.complete(body.encode())
    )
    verdict = DecisionPoint(gateway()).decide(request, datetime.now(UTC))
    assert [found.name for found in verdict.actions] == [action]
    assert verdict.decision == decision


def test_other_region_belongs_to_nobody() -> None:
    assert DecisionPoint(gateway()).connector_for("https", "api.eu.acme.example", 443) is None


def test_unknown_region_is_a_load_error() -> None:
    with pytest.raises(ConfigError, match="`mars` is not a region; there are: eu, us"):
        gateway(CONFIGURATION.replace("region: us", "region: mars"))


def test_credential_comes_from_the_vault_file(tmp_path: Path) -> None:
    (tmp_path / "acme-vault.json").write_text(json.dumps({"tickets": "k-1"}))
    source = PLUGINS.credential_sources["acmevault"]
    assert source.resolve("tickets", tmp_path).reveal() == "k-1"


def test_absent_key_is_named_and_nothing_else_is(tmp_path: Path) -> None:
    (tmp_path / "acme-vault.json").write_text(json.dumps({"tickets": "k-1"}))
    with pytest.raises(CredentialError, match="no key called `crm`") as caught:
        PLUGINS.credential_sources["acmevault"].resolve("crm", tmp_path)
    assert "k-1" not in str(caught.value)
