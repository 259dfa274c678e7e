"""What open pages hear: that something has changed, so that they ask for it again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Set

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from tameflare_dashboard.api.fields import MaySee
from tameflare_dashboard.backend import Backend
from tameflare_dashboard.live import Change, ChangeKind, Subscription
from tameflare_dashboard.store import sessions

__all__ = ["Watchers", "router"]

router = APIRouter()

_HEARTBEAT_SECONDS = 15.0
# Changes within this time are told as one: a page looks again once and not for each.
_GATHER_SECONDS = 0.3
_TOLD = frozenset(
    {ChangeKind.APPROVAL, ChangeKind.CONFIG, ChangeKind.KILL_SWITCH, ChangeKind.TRAFFIC}
)


def _events(kinds: Set[ChangeKind]) -> bytes:
    return b"".join(b"event: %b\ndata: 1\n\n" % kind.encode() for kind in sorted(kinds))


class Watchers:
    """The pages that are open, as far as this process serves them.

    Args:
        backend: whose changes they hear.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._ending = asyncio.Event()

    def end(self) -> None:
        """Let every page go; browsers come again by themselves."""
        self._ending.set()

    async def events(self, user_id: str, session_id: str | None) -> AsyncIterator[bytes]:
        """Server-sent events for one page, until its user's session ends."""
        checked = time.monotonic()
        with self._backend.bus.subscribe() as subscription:
            # What changed since the page was made, or since the last stream broke, was not heard.
            yield _events(_TOLD)
            while not self._ending.is_set():
                kinds = {change.kind for change in await self._some(subscription)}
                if time.monotonic() - checked >= _HEARTBEAT_SECONDS:
                    checked = time.monotonic()
                    if not await self._goes_on(user_id, session_id):
                        return
                if ChangeKind.LOST in kinds:
                    kinds = set(_TOLD)
                yield _events(kinds & _TOLD) or b":\n\n"

    async def _some(self, subscription: Subscription) -> list[Change]:
        """The next changes, gathered for a moment; none when there was none for a while."""
        first = asyncio.ensure_future(subscription.next())
        ending = asyncio.ensure_future(self._ending.wait())
        waited = {first, ending}
        try:
            await asyncio.wait(
                waited, timeout=_HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if not first.done():
                return []
            await asyncio.wait({ending}, timeout=_GATHER_SECONDS)
            return [first.result(), *subscription.waiting()]
        finally:
            for future in waited:
                future.cancel()

    async def _goes_on(self, user_id: str, session_id: str | None) -> bool:
        async with self._backend.reading() as session:
            rows = await sessions.listed(session, user_id, self._backend.clock())
        return any(row.id == session_id for row in rows)


@router.get("/live")
async def live(request: Request, principal: MaySee) -> StreamingResponse:
    """What changes, as it changes, without what it is: a page asks for that itself."""
    watchers: Watchers = request.app.state.watchers
    return StreamingResponse(
        watchers.events(principal.user_id, principal.session_id),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
