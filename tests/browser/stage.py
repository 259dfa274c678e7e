"""A control plane with something on it, as people would find it after a day."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.dashboard.conftest import ControlPlane
from tests.dashboard.gateway_api.asking import approval
from tests.dashboard.gateway_api.test_traffic import record

PROD = """\
# What the production agent may do.
version: 1
gateway: prod-agent
environment: production
connectors:
  - type: github
  - type: stripe
permissions:
  - {connector: github, action: "github.*", access: read, decision: allow}
  - {connector: github, action: "github.*", decision: require_approval}
  - {connector: github, action: github.repo.delete, decision: deny}
  - {connector: stripe, action: "stripe.*", access: read, decision: allow}
  - {connector: stripe, action: "stripe.*", decision: require_approval}
"""
DEV = """\
version: 1
gateway: dev-bot
environment: development
enforcement: monitor
connectors:
  - type: openai
  - type: slack
permissions:
  - {connector: openai, action: "openai.*", decision: allow}
  - {connector: slack, action: "slack.*", decision: allow}
"""

_KINDS = (
    ("github.repo.get", "read", "low", "GET", "/repos/acme/site", "allow", "forwarded", 200, 24),
    ("github.issue.list", "read", "low", "GET", "/issues", "allow", "forwarded", 200, 9),
    (
        "github.pr.create",
        "write",
        "medium",
        "POST",
        "/repos/acme/site/pulls",
        "allow",
        "forwarded",
        201,
        5,
    ),
    (
        "github.pr.merge",
        "write",
        "high",
        "PUT",
        "/repos/acme/site/pulls/7/merge",
        "require_approval",
        "approved",
        200,
        2,
    ),
    (
        "github.repo.delete",
        "write",
        "critical",
        "DELETE",
        "/repos/acme/site",
        "deny",
        "denied",
        403,
        3,
    ),
    (
        "stripe.refund.create",
        "write",
        "high",
        "POST",
        "/v1/refunds",
        "require_approval",
        "expired",
        408,
        1,
    ),
)


def refund(approval_id: str, **changes: Any) -> dict[str, Any]:
    """A request for a refund that waits."""
    action = {
        "name": "stripe.refund.create",
        "access": "write",
        "risk": "high",
        "risk_score": 70,
        "categories": ["financial"],
        "resource": {"charge": "ch_3PqLZ2eZvKYlo2C"},
        "params": {"amount": "149.00 EUR", "reason": "requested_by_customer"},
        "decision": "require_approval",
    }
    return approval(
        approval_id,
        created=datetime.now(UTC).isoformat(),
        method="POST",
        url="https://api.stripe.com/v1/refunds",
        body="charge=ch_3PqLZ2eZvKYlo2C\namount=14900\nreason=requested_by_customer",
        connector="stripe",
        reason="needs approval by permission `stripe.*`",
        actions=[action],
        **changes,
    )


def merge(approval_id: str, **changes: Any) -> dict[str, Any]:
    """A request for a merge that waits."""
    return approval(
        approval_id,
        created=datetime.now(UTC).isoformat(),
        reason="needs approval by permission `github.*`",
        **changes,
    )


def furnish(plane: ControlPlane) -> dict[str, Any]:
    """Make gateways, traffic of a day, and approvals that wait; return the first gateway."""
    gateway = plane.owner.gateway(text=PROD)
    plane.owner.gateway(text=DEV)
    chance = random.Random(7)
    now = datetime.now(UTC)
    records = []
    for number in range(900):
        name, access, risk, method, path, decision, outcome, status, _ = chance.choices(
            _KINDS, weights=[kind[-1] for kind in _KINDS]
        )[0]
        held = decision == "require_approval"
        records.append(
            record(
                now - timedelta(seconds=chance.triangular(1, 86_000, 3000)),
                number,
                method=method,
                host="api.stripe.com" if name.startswith("stripe") else "api.github.com",
                path=path,
                connector=name.partition(".")[0],
                actions=[
                    {
                        "name": name,
                        "access": access,
                        "risk": risk,
                        "risk_score": 50,
                        "categories": [],
                        "resource": {"owner": "acme", "repo": "site"},
                        "resource_complete": True,
                        "decision": decision,
                    }
                ],
                decision=decision,
                applied=decision,
                outcome=outcome,
                status=status,
                reason=f"`{name}` is decided by permission `{name.partition('.')[0]}.*`",
                hold_ms=chance.uniform(2000, 60_000) if held else 0.0,
                upstream_ms=chance.uniform(20, 400)
                if outcome in {"forwarded", "approved"}
                else 0.0,
            )
        )
    proxy = plane.as_gateway(gateway["token"])
    assert proxy.get("/api/gateway/config").status_code == 200
    for start in range(0, len(records), 300):
        batch = {"records": records[start : start + 300]}
        assert proxy.post("/api/gateway/traffic", json=batch).status_code == 200
    for document in (refund("apv_refund0000000001"), merge("apv_merge00000000001")):
        assert proxy.post("/api/gateway/approvals", json=document).status_code == 201
    return gateway
