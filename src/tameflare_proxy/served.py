"""One gateway as a proxy process serves it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from tameflare_core.decision import Verdict
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.frontend import AsyncServices
from tameflare_core.kill_switch import NO_KILL_SWITCHES, KillSwitch, KillSwitches
from tameflare_core.surroundings import Surroundings

__all__ = ["Connection", "ServedGateway"]


class Connection(Protocol):
    """A client connection that is being carried."""

    async def kill(self, stopped_by: Callable[[Verdict], KillSwitch | None]) -> None:
        """End it if something is under way on it that a kill switch stops.

        Args:
            stopped_by: the kill switch that stops what was judged so; None for none.
        """

    def end(self) -> None:
        """Close it now, whatever is under way."""


@dataclass(slots=True, kw_only=True)
class ServedGateway:
    """A gateway with what its requests need.

    Attributes:
        point: gives the decision point in force.
        services: approvals, records and credentials.
        token_digest: SHA-256 of the token that its clients present.
        connections: how many connections are open with the token.
        carried: those of them that a lane carries.
        surroundings: clock and ids.
    """

    point: Callable[[], DecisionPoint]
    services: AsyncServices
    token_digest: bytes
    connections: int = 0
    carried: set[Connection] = field(default_factory=set)
    surroundings: Surroundings = field(default_factory=Surroundings)
    _applied: KillSwitches = NO_KILL_SWITCHES

    async def apply_kill_switches(self) -> None:
        """End what is held or under way and stopped by a kill switch that is new."""
        point = self.point()
        if point.kill_switches is self._applied:
            return
        await self.services.approvals.kill(point.stopped_by)
        for connection in tuple(self.carried):
            try:
                await connection.kill(point.stopped_by)
            except Exception:  # noqa: BLE001  # INVARIANT: what cannot be ended gently is closed
                connection.end()
        self._applied = point.kill_switches
