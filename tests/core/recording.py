"""Traffic records for tests, as a gateway would have written them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from tameflare_core.approval import Answer, Approval, ApprovalState, fingerprint
from tameflare_core.decision import Decision
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.record import TrafficRecord
from tameflare_core.recorded import Recorded, Unreadable, read_records
from tameflare_core.request import Body, OutboundRequest
from tameflare_core.testing import FIXED_TIME

GITHUB = "https://api.github.com"


def record(
    point: DecisionPoint,
    method: str,
    url: str,
    *,
    body: bytes | None = None,
    time: datetime = FIXED_TIME,
    approved: bool = False,
) -> bytes:
    """The line of a request that was judged by `point`."""
    request = OutboundRequest.from_url(
        method,
        url,
        headers=[("content-type", "application/json")],
        body=Body.absent() if body is None else Body.complete(body),
    )
    verdict = point.decide(request, time)
    passed = verdict.applied is Decision.ALLOW or approved
    approval = Approval(
        id="apv_1",
        gateway=point.gateway.name,
        request=request,
        shown_url="",
        verdict=verdict,
        fingerprint=fingerprint("", request),
        created=time,
        timeout=1,
    )
    kept = TrafficRecord(
        id="1",
        time=time,
        gateway=point.gateway.name,
        request=request,
        shown_path=point.shown_path(request),
        verdict=verdict,
        outcome="forwarded" if passed else "denied",
        status=200 if passed else 403,
        approval=approval if approved else None,
        answer=Answer(state=ApprovalState.APPROVED, by="ada") if approved else None,
    )
    return kept.to_json().encode() + b"\n"


def changed(line: bytes, **keys: object) -> bytes:
    """A record with other values."""
    return json.dumps(json.loads(line) | keys).encode() + b"\n"


def read(lines: Iterable[bytes]) -> list[Recorded | Unreadable]:
    return list(read_records(lines))
