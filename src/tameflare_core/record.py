"""The traffic record: metadata of one judged request; never bodies, query values or secrets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from tameflare_core.approval import Answer, Approval, ApprovalState
from tameflare_core.decision import Verdict
from tameflare_core.policy.fields import risk_score
from tameflare_core.request import OutboundRequest

__all__ = ["Outcome", "TrafficRecord"]

type Outcome = str
"""What was done with a request.

`forwarded`; `would_deny` or `would_hold` when it passed because of the enforcement level; `denied`;
`rejected`; `failed`; `abandoned` when its client went away; `killed` when a kill switch ended it;
`pending` when its client does not wait for the approval; `answered` when it asked the gateway
itself; or the state of the approval that refused it.
"""


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
        approval: what was asked, if it was asked.
        answer: how that ended; None while the client does not wait for it.
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
    approval: Approval | None = None
    answer: Answer | None = None
    judge_seconds: float = 0.0
    hold_seconds: float = 0.0
    upstream_seconds: float = 0.0
    error: str | None = None

    @property
    def approval_id(self) -> str | None:
        """The approval that was asked, or that a grant came from."""
        grant = self.answer.grant if self.answer else None
        if grant is not None:
            return grant.approval_id
        return self.approval.id if self.approval else None

    @property
    def approval_state(self) -> ApprovalState | None:
        """How the approval ended, or that it is pending; None when none was asked."""
        if self.approval is None:
            return None
        return self.answer.state if self.answer else ApprovalState.PENDING

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
                    "risk_score": risk_score(judgement.action),
                    "categories": sorted(judgement.action.categories),
                    "resource": dict(judgement.action.resource),
                    "resource_complete": judgement.action.resource_complete,
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
            **self._approval(),
            "judge_ms": round(self.judge_seconds * 1000, 3),
            "hold_ms": round(self.hold_seconds * 1000, 1),
            "upstream_ms": round(self.upstream_seconds * 1000, 3),
            "error": self.error,
        }
        return _encode(document)

    def _approval(self) -> dict[str, object]:
        answer = self.answer
        grant = answer.grant if answer else None
        return {
            "approval_id": self.approval_id,
            "approval_state": self.approval_state.value if self.approval_state else None,
            "approval_by": answer.by if answer else None,
            "grant_id": grant.id if grant else None,
            "grant_expires": grant.expires.isoformat(timespec="milliseconds") if grant else None,
        }


_encode = json.JSONEncoder(separators=(",", ":")).encode
