"""One gateway as a proxy process serves it."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from tameflare_core.decision import Verdict
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.frontend import AsyncServices
from tameflare_core.kill_switch import NO_KILL_SWITCHES, KillSwitch, KillSwitches
from tameflare_core.surroundings import Surroundings
from tameflare_core.tokens import token_digest

__all__ = ["Connection", "ServedGateway", "ServedGateways"]


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
        ended: whether the token is void, so that nothing of it goes on.
        connections: how many connections are open with the token.
        carried: those of them that a lane carries.
        surroundings: clock and ids.
    """

    point: Callable[[], DecisionPoint]
    services: AsyncServices
    token_digest: bytes
    ended: bool = False
    connections: int = 0
    carried: set[Connection] = field(default_factory=set)
    surroundings: Surroundings = field(default_factory=Surroundings)
    _applied: KillSwitches = NO_KILL_SWITCHES
    _applying: asyncio.Lock = field(default_factory=asyncio.Lock)

    def presents(self, token: str | None) -> bool:
        """Whether `token` is this gateway's, and still good."""
        return (
            token is not None
            and not self.ended
            and hmac.compare_digest(self.token_digest, token_digest(token))
        )

    def end(self) -> None:
        """Close every connection, because the token is void."""
        self.ended = True
        for connection in tuple(self.carried):
            connection.end()

    async def apply_kill_switches(self) -> None:
        """End what is held or under way and stopped by a kill switch that is new."""
        # Whoever comes while this goes on, finds it done: nothing is ended twice.
        async with self._applying:
            point = self.point()
            if point.kill_switches is self._applied:
                return
            await self.services.approvals.kill(point.stopped_by)
            for connection in tuple(self.carried):
                try:
                    await connection.kill(point.stopped_by)
                except Exception:  # noqa: BLE001  # INVARIANT: what does not end gently is closed
                    connection.end()
            self._applied = point.kill_switches


class ServedGateways(Protocol):
    """The gateways of a proxy process."""

    async def find(self, token: str) -> ServedGateway | None:
        """The gateway of a token; None when it is unknown.

        Raises:
            ControlPlaneUnreachable: whether it is known cannot be told now.
        """

    def __iter__(self) -> Iterator[ServedGateway]:
        """Those that are known now."""
