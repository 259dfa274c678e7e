"""What one gateway may take up: connections, approvals, time to say what is wanted."""

from __future__ import annotations

from dataclasses import dataclass

from tameflare_core.decision import Refusal

__all__ = ["Limits", "too_many_connections"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one gateway.

    Attributes:
        connections: connections open at once with one token.
        held: approvals that are open at once, or answered and not used.
        head_seconds: until a connection has said whose it is, and again until its first request.
        drain_seconds: that connections are given to end when the gateway stops.
    """

    connections: int = 4096
    held: int = 1000
    head_seconds: float = 30.0
    drain_seconds: float = 2.0


def too_many_connections(limit: int, request_id: str) -> Refusal:
    """503: the token has all the connections that it may have."""
    return Refusal(
        status=503,
        kind="too-many-connections",
        title="Too many connections",
        detail=f"{limit} connections with this gateway token are open already",
        hint="Close connections that are not in use, or wait for some to end, and try again.",
        request_id=request_id,
        headers=(("retry-after", "1"),),
    )
