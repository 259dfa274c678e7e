"""Documents tried before they are kept: what their rules do to common actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tameflare_core.considered import permission_text
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.explanation import Asked, explain
from tameflare_core.gateway import Gateway
from tameflare_dashboard.pages.samples import common_routes, generic_requests, sample_request

__all__ = ["Tried", "asked_about", "by_specificity", "try_common"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What rules do to one action.

    Attributes:
        connector: the id of the connector.
        action, access, risk: what the request is read as.
        request: the request that stands for it.
        decision: what would happen; `rejected` when it cannot be judged.
        reason: why.
        before: what happens with the rules that are in force; None when nothing is.
    """

    connector: str
    action: str
    access: str
    risk: str
    request: str
    decision: str
    reason: str
    before: str | None = None


def try_common(gateway: Gateway, now: datetime, before: Gateway | None = None) -> list[Tried]:
    """Judge common actions of every connector.

    Args:
        gateway: by its rules.
        now: the time that rules refer to.
        before: the gateway as it is, to compare with.
    """
    point = DecisionPoint(gateway)
    former = None if before is None else DecisionPoint(before)
    found = []
    for bound in gateway.connectors:
        routes = common_routes(bound)
        questions = [sample_request(bound, route) for route in routes] or generic_requests(bound)
        for question in questions:
            document = explain(point, question, now).document()
            old = None if former is None else explain(former, question, now).document()
            found.append(_tried(bound.id, question, document, old))
    return found


def _tried(
    connector: str, asked: Asked, document: dict[str, Any], before: dict[str, Any] | None
) -> Tried:
    actions: Sequence[dict[str, Any]] = document["actions"]
    first = actions[0] if actions else {"name": "-", "access": "", "risk": ""}
    return Tried(
        connector=connector,
        action=first["name"],
        access=first["access"],
        risk=first["risk"],
        request=f"{asked.method} {asked.url}",
        decision=document["decision"] if document["status"] == "ok" else "rejected",
        reason=document["reason"] or document["error"] or "",
        before=None if before is None else before["decision"],
    )


def asked_about(gateway: Gateway, question: Asked, now: datetime) -> dict[str, Any]:
    """What would become of a request, with every rule that was considered."""
    return explain(DecisionPoint(gateway), question, now, account=True).account()


def by_specificity(gateway: Gateway) -> list[dict[str, Any]]:
    """A gateway's permissions in the order in which they are asked, connector by connector."""
    return [
        {
            "id": rule.id,
            "connector": rule.connector,
            "text": permission_text(rule).rpartition(" → ")[0],
            "decision": rule.decision.value,
            "exact": rule.specificity[0],
            "literals": rule.specificity[1],
            "constraints": rule.specificity[3],
        }
        for rule in sorted(
            gateway.permissions,
            key=lambda rule: (rule.connector, [-int(part) for part in rule.specificity], rule.id),
        )
    ]
