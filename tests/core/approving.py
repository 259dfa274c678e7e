"""Approvals for tests: of requests to a gateway where merging, and much issuing, is asked about."""

from __future__ import annotations

from itertools import count

from tameflare_core.approval import Approval, fingerprint
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.request import Body, OutboundRequest
from tameflare_core.testing import FIXED_TIME, gateway_from

POINT = DecisionPoint(
    gateway_from("""
        version: 1
        gateway: g
        connectors: [{type: github}]
        permissions:
          - {connector: github, action: "github.*", decision: require_approval}
          - {connector: github, action: github.opaque.post, decision: require_approval}
          - {connector: github, action: github.issue.create, decision: allow}
        policies:
          - name: issues
            rules: [{name: few, limit: {requests: 0, within: 1h}, decision: require_approval}]
            scope: {actions: [github.issue.create]}
    """)
)
GITHUB = "https://api.github.com/repos/o/r"
_ids = count(1)


def approval(
    path: str = "/pulls/1/merge",
    *,
    method: str = "PUT",
    body: bytes = b"{}",
    timeout: float = 60,
    over: bool = False,
    revision: str = "1",
) -> Approval:
    """The question that a request would ask, with an id of its own."""
    request = OutboundRequest.from_url(
        method,
        GITHUB + path,
        headers=[("content-type", "application/json")],
        body=Body.complete(body),
    )
    verdict = POINT.decide(request, FIXED_TIME)
    if over:
        verdict = POINT.with_usage(verdict, frozenset(verdict.charges))
    return Approval(
        id=f"apv_{next(_ids):032x}",
        gateway="g",
        request=request,
        shown_url=request.url,
        verdict=verdict,
        fingerprint=fingerprint("g", request),
        created=FIXED_TIME,
        timeout=timeout,
        revision=revision,
    )
