"""The traffic record: metadata of one judged request; never bodies, query values or secrets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from tameflare_core.approval import ApprovalState
from tameflare_core.decision import Verdict
from tameflare_core.request import OutboundRequest

__all__ = ["Outcome", "TrafficRecord"]

type Outcome = str
"""`forwarded`, `denied`, `rejected`, `failed`, or the state of the approval that refused it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficRecord:
    """What is kept of one request.

    Attributes:
        id: the request's id, a UUIDv7.
        time: when it was judged.
        gateway: the gateway's name.
        request: what was judged; None when it could not be read.
        shown_path: its path as it may be kept, without a secret that is part of it.
        verdict: how; None when it was rejected before.
        outcome: what was done.
        status: the status that the client got; None when it went away.
        approval_id, approval_state: of the approval, if one was asked.
        judge_seconds, hold_seconds, upstream_seconds: where the time went; the last until the
            response's head.
        error: what failed, in one sentence.
    """

    id: str
    time: datetime
    gateway: str
    request: OutboundRequest | None
    shown_path: str | None = None
    verdict: Verdict | None
    outcome: Outcome
    status: int | None
    approval_id: str | None = None
    approval_state: ApprovalState | None = None
    judge_seconds: float = 0.0
    hold_seconds: float = 0.0
    upstream_seconds: float = 0.0
    error: str | None = None

    def to_json(self) -> str:
        """One JSON object on one line."""
        request, verdict = self.request, self.verdict
        document: dict[str, object] = {
            "id": self.id,
            "time": self.time.isoformat(timespec="milliseconds"),
            "gateway": self.gateway,
            "method": request.method if request else None,
            "scheme": request.scheme if request else None,
            "host": request.host if request else None,
            "port": request.port if request else None,
            "path": self.shown_path,
            "connector": verdict.connector if verdict else None,
            "actions": [
                {
                    "name": judgement.action.name,
                    "access": judgement.action.access.value,
                    "risk": judgement.action.risk.value,
                    "categories": sorted(judgement.action.categories),
                    "resource": dict(judgement.action.resource),
                    "decision": judgement.decision.value,
                }
                for judgement in (verdict.judgements if verdict else ())
            ],
            "decision": verdict.decision.value if verdict else None,
            "applied": verdict.applied.value if verdict else None,
            "rule": verdict.rule.document() if verdict else None,
            "reason": verdict.reason if verdict else None,
            "outcome": self.outcome,
            "status": self.status,
            "approval_id": self.approval_id,
            "approval_state": self.approval_state.value if self.approval_state else None,
            "judge_ms": round(self.judge_seconds * 1000, 3),
            "hold_ms": round(self.hold_seconds * 1000, 1),
            "upstream_ms": round(self.upstream_seconds * 1000, 3),
            "error": self.error,
        }
        return _encode(document)


_encode = json.JSONEncoder(separators=(",", ":")).encode
