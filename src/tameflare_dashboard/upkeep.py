"""What a process of the control plane does by itself, now and then.

Several processes may do it at the same time: each step is one transaction that leaves nothing to do
for the next one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from tameflare_dashboard.backend import SYSTEM, Backend
from tameflare_dashboard.store import approvals, audit, instances, org, traffic

__all__ = ["Upkeep"]

_log = structlog.get_logger(__name__)

EXPIRE_SECONDS = 1.0
CHECKPOINT_SECONDS = 60.0
PRUNE_SECONDS = 3600.0
SWEEP_SECONDS = 15.0

_JUMP_SECONDS = 10.0


class Upkeep:
    """Expires approvals, ends what dead proxies held, signs checkpoints, forgets old traffic.

    Args:
        backend: whose.
        grace: seconds after the start in which no proxy is taken for dead: it may not have heard
            yet that the control plane is back.
    """

    def __init__(self, backend: Backend, *, grace: float = 90.0) -> None:
        self._backend = backend
        self._grace = grace
        self._trusted_from = time.monotonic() + grace
        self._clocks = backend.clock(), time.monotonic()

    async def run(self) -> None:
        """Do it; runs until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for step, seconds in (
                (self._expire, EXPIRE_SECONDS),
                (self._sweep, SWEEP_SECONDS),
                (self._sign, CHECKPOINT_SECONDS),
                (self._prune, PRUNE_SECONDS),
            ):
                tasks.create_task(self._again(step, seconds))

    async def _again(self, step: Callable[[], Awaitable[None]], seconds: float) -> None:
        while True:
            try:
                await step()
            except Exception as error:  # noqa: BLE001  # INVARIANT: it is tried again
                _log.warning("upkeep failed", step=step.__name__, why=type(error).__name__)
            await asyncio.sleep(seconds)

    async def _expire(self) -> None:
        async with self._backend.reading() as session:
            due = await approvals.any_due(session, self._backend.clock())
        if due:
            async with self._backend.changing(SYSTEM) as tx:
                await approvals.expire(tx)

    async def _sweep(self) -> None:
        wall, steady = self._backend.clock(), time.monotonic()
        passed = (wall - self._clocks[0]).total_seconds() - (steady - self._clocks[1])
        self._clocks = wall, steady
        if passed > _JUMP_SECONDS:
            # The time of day was set forward: what was heard a moment ago looks old now.
            self._trusted_from = steady + self._grace
        if steady >= self._trusted_from:
            async with self._backend.changing(SYSTEM) as tx:
                await instances.end_gone(tx)

    async def _sign(self) -> None:
        async with self._backend.changing(SYSTEM) as tx:
            await audit.sign_checkpoint(tx.session, self._backend.audit_key, tx.now)

    async def _prune(self) -> None:
        async with self._backend.changing(SYSTEM) as tx:
            row = await org.load(tx.session)
            keep = timedelta(days=row.settings.get("retention_days", 90))
            await traffic.prune(tx.session, keep, tx.now)
