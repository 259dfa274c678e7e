"""The plugin through the eyes of a gateway that has it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

import tameflare_crm
from tameflare_core import Body, DecisionPoint, GatewayConfig, OutboundRequest, load_plugins

CONFIGURATION = """\
version: 1
gateway: sales-bot
connectors:
  - {type: crm, credential: env:CRM_KEY}
permissions:
  - {connector: crm, action: "crm.*", access: read, decision: allow}
  - {connector: crm, action: crm.contact.update, decision: allow}
  - {connector: crm, action: crm.contact.archive, decision: require_approval}
  - {connector: crm, action: crm.contact.delete, resource: {id: "7"}, decision: allow}
"""

GATEWAY = GatewayConfig.from_text(CONFIGURATION, folder=Path.cwd()).bind(
    load_plugins([tameflare_crm], entry_points=False)
)


@pytest.mark.parametrize(
    ("method", "path", "body", "actions", "decision"),
    [
        ("GET", "/contacts", "", ["crm.contact.list"], "allow"),
        ("POST", "/contacts/search", '{"name": "Ada"}', ["crm.contact.search"], "allow"),
        ("POST", "/contacts", '{"name": "Ada"}', ["crm.contact.create"], "deny"),
        ("DELETE", "/contacts/7", "", ["crm.contact.delete"], "allow"),
        ("DELETE", "/contacts/8", "", ["crm.contact.delete"], "deny"),
        ("PATCH", "/contacts/7", '{"name": "Ada"}', ["crm.contact.update"], "allow"),
        ("PATCH", "/contacts/7", '{"archived": true}', ["crm.contact.archive"], "require_approval"),
        (
            "PATCH",
            "/contacts/7",
            '{"archived": 1, "name": "Ada"}',
            ["crm.contact.archive", "crm.contact.update"],
            "require_approval",
        ),
        ("PATCH", "/contacts/7", '{"Archived": true}', ["crm.opaque.patch"], "deny"),
        ("PATCH", "/contacts/7", '["archived"]', ["crm.opaque.patch"], "deny"),
        ("PUT", "/invoices", "", ["crm.unmapped.put"], "deny"),
    ],
)
def test_request_gets_its_names_and_decision(
    method: str, path: str, body: str, actions: list[str], decision: str
) -> None:
    request = OutboundRequest.from_url(
        method,
        f"https://api.crm.example/v2{path}",
        headers=[("content-type", "application/json")],
        body=Body.complete(body.encode()),
    )
    verdict = DecisionPoint(GATEWAY).decide(request, datetime.now(UTC))
    assert [action.name for action in verdict.actions] == actions
    assert verdict.decision == decision


def test_body_is_read_only_where_it_decides() -> None:
    point = DecisionPoint(GATEWAY)
    for method, reads in (("PATCH", True), ("DELETE", False)):
        request = OutboundRequest.from_url(
            method, "https://api.crm.example/v2/contacts/7", body=Body.unread()
        )
        assert point.needs_body(request) is reads
