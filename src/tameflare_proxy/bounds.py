"""What one gateway may take up: connections, held requests, time to say what is wanted."""

from __future__ import annotations

from dataclasses import dataclass

from tameflare_core.approval import Answer, Approval
from tameflare_core.decision import Refusal
from tameflare_core.errors import ApprovalUnavailable
from tameflare_core.frontend import AsyncApprover

__all__ = ["BoundedApprover", "Limits", "too_many_connections"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one gateway.

    Attributes:
        connections: connections open at once with one token.
        held: requests that wait for a human at once.
        head_seconds: until a connection has said whose it is, and again until its first request.
        drain_seconds: that connections are given to end when the gateway stops.
    """

    connections: int = 4096
    held: int = 1000
    head_seconds: float = 30.0
    drain_seconds: float = 2.0


class BoundedApprover:
    """Asks another approver, and refuses while too many of its questions are open.

    Args:
        approver: whom to ask.
        limit: how many questions may be open at once.
    """

    def __init__(self, approver: AsyncApprover, limit: int) -> None:
        self._approver = approver
        self._limit = limit
        self._open: set[str] = set()

    async def open(self, approval: Approval) -> None:
        if len(self._open) >= self._limit:
            raise ApprovalUnavailable(f"{self._limit} requests are waiting for an answer already")
        self._open.add(approval.id)
        try:
            await self._approver.open(approval)
        except BaseException:
            self._open.discard(approval.id)
            raise

    async def wait(self, approval: Approval) -> Answer:
        try:
            return await self._approver.wait(approval)
        finally:
            self._open.discard(approval.id)

    async def withdraw(self, approval: Approval) -> None:
        self._open.discard(approval.id)
        await self._approver.withdraw(approval)


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
