"""Any number of gateways, each learned from the control plane when its token is presented."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any, override

from tameflare_core.approvals import AsyncApprovals, Spawn
from tameflare_core.frontend import AsyncServices, Recorder
from tameflare_core.otel import Instruments
from tameflare_core.sync.approver import Answers, ControlPlaneApprover
from tameflare_core.sync.client import ControlPlane
from tameflare_core.sync.gateway import SyncedGateway
from tameflare_core.sync.gateways import Follower, SyncedGateways
from tameflare_core.usage import LocalUsage
from tameflare_proxy.bounds import Limits
from tameflare_proxy.served import ServedGateway
from tameflare_proxy.spool import GatewaySpool, Spool
from tameflare_proxy.telemetry import Metered, Telemetry
from tameflare_proxy.tracing import Traced

__all__ = ["Fleet"]


class Fleet(Follower):
    """The gateways of a process that follows a control plane.

    Args:
        control_plane: which.
        synced: what is known of its gateways.
        spool: keeps their records.
        limits: bounds of each.
        telemetry: counts what they do.
        instruments: tell a collector what they do; None for none.
        spawn: runs things in the background as long as the proxy does.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        synced: SyncedGateways,
        spool: Spool,
        limits: Limits,
        telemetry: Telemetry,
        spawn: Spawn,
        *,
        instruments: Instruments | None = None,
    ) -> None:
        self._plane = control_plane
        self._synced = synced
        self._spool = spool
        self._limits = limits
        self._telemetry = telemetry
        self._instruments = instruments
        self._spawn = spawn
        self._served: dict[bytes, ServedGateway] = {}
        self._spools: dict[bytes, GatewaySpool] = {}
        self._usage: dict[str, LocalUsage] = {}
        self._answers = Answers(lambda: synced.streaming)
        synced.follower = self
        spawn(synced.run)

    async def find(self, token: str) -> ServedGateway | None:
        gateway = await self._synced.find(token)
        if gateway is None:
            return None
        served = self._served.get(gateway.digest)
        if served is None:
            served = self._served[gateway.digest] = self._made(gateway)
        return served

    def __iter__(self) -> Iterator[ServedGateway]:
        return iter(tuple(self._served.values()))

    async def close(self) -> None:
        """Let go of files and connections."""
        for spool in self._spools.values():
            spool.close()
        await self._plane.close()

    def status(self) -> dict[str, Any]:
        """How it stands with the control plane, for `tf status`."""
        now = time.monotonic()
        return {
            "control_plane": self._plane.url,
            "reachable": self._synced.reachable,
            "for_seconds": round(now - self._synced.since, 1),
            "streaming": self._synced.streaming,
            "held_approvals": len(self._answers),
            "unsent_records": sum(spool.unsent_records for spool in self._spools.values()),
            "unsent_bytes": self._spool.unsent_bytes,
            "gateways": [
                {
                    "id": each.id,
                    "name": each.name,
                    "revision": each.revision,
                    "from_cache": each.from_cache,
                    "last_contact_seconds": round(now - each.contact, 1),
                    "problem": each.problem,
                    "connections": served.connections if served else 0,
                }
                for each in self._synced
                for served in (self._served.get(each.digest),)
            ],
        }

    def _made(self, gateway: SyncedGateway) -> ServedGateway:
        spool = self._spools[gateway.digest] = self._spool.of_gateway(gateway.digest)
        served = ServedGateway(
            point=gateway.point,
            services=AsyncServices(
                approvals=AsyncApprovals(
                    ControlPlaneApprover(self._plane, gateway.token, self._answers),
                    limit=self._limits.held,
                    spawn=self._spawn,
                ),
                recorder=self._recorder(spool),
                credentials=gateway.credentials(gateway.point().gateway.folder),
                # While a token is rotated there are two, and one limit.
                usage=self._usage.setdefault(gateway.id, LocalUsage()),
            ),
            token_digest=gateway.digest,
        )

        async def drain() -> None:
            await spool.drain(self._plane, lambda: None if served.ended else gateway.token)

        self._spawn(drain)
        return served

    def _recorder(self, spool: GatewaySpool) -> Recorder:
        metered = Metered(spool, self._telemetry)
        return metered if self._instruments is None else Traced(metered, self._instruments)

    @override
    def revoked(self, gateway: SyncedGateway) -> None:
        served = self._served.pop(gateway.digest, None)
        spool = self._spools.pop(gateway.digest, None)
        if served is not None:
            served.end()
        if spool is not None:
            spool.close()

    @override
    def answered(self, approval_id: str, values: dict[str, Any]) -> None:
        self._answers.take(approval_id, values)

    @override
    def stream_changed(self) -> None:
        self._answers.stream_changed()

    @override
    def kill_switches_changed(self) -> None:
        async def apply() -> None:
            await asyncio.gather(*(served.apply_kill_switches() for served in self))

        if self._served:
            self._spawn(apply)
