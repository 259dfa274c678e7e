"""Sends what is due, once, and edits what was sent when its approval has ended."""

from __future__ import annotations

import asyncio
import smtplib
from datetime import datetime, timedelta
from typing import Any

import httpx
import structlog
from sqlalchemy import select, update

from tameflare_dashboard.backend import Backend
from tameflare_dashboard.db.models import ApprovalRow, NoticeRow
from tameflare_dashboard.live import ChangeKind
from tameflare_dashboard.notices import settings as noticing
from tameflare_dashboard.notices.channels import ChannelFailed, Channels, new_client
from tameflare_dashboard.notices.settings import Channel, NoticeSettings
from tameflare_dashboard.notices.wording import email_message, slack_blocks, webhook_document

__all__ = ["Sender"]

_LOOK_SECONDS = 1.0
_LEASE = timedelta(seconds=60)
_MOST_ATTEMPTS = 8
_AT_ONCE = 20
_log = structlog.get_logger(__name__)


class Sender:
    """Tells people about approvals; several processes may run one each.

    Args:
        backend: whose approvals.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def run(self) -> None:
        """Send what is due; runs until it is cancelled."""
        async with new_client() as client:
            channels = Channels(self._backend, client)
            with self._backend.bus.subscribe() as changes:
                while True:
                    try:
                        while await self._send_some(channels):
                            pass
                    except Exception as error:  # noqa: BLE001  # INVARIANT: it is tried again
                        _log.warning("notices not looked at", why=type(error).__name__)
                    try:
                        async with asyncio.timeout(_LOOK_SECONDS):
                            while (await changes.next()).kind is not ChangeKind.NOTICE:
                                pass
                    except TimeoutError:
                        pass

    async def _send_some(self, channels: Channels) -> bool:
        """Send what is due; False when nothing was."""
        claimed = await self._claim()
        if claimed:
            async with self._backend.reading() as session:
                settings = await noticing.load(session)
            await asyncio.gather(*(self._send(channels, settings, *each) for each in claimed))
        return bool(claimed)

    async def _claim(self) -> list[tuple[NoticeRow, ApprovalRow]]:
        """What is due, taken so that no other process sends it too."""
        now = self._backend.clock()
        async with self._backend.reading() as session:
            due = select(NoticeRow.id).where(NoticeRow.due <= now).limit(1)
            if await session.scalar(due) is None:
                return []
        async with self._backend.database.write() as session:
            rows = (
                await session.execute(
                    select(NoticeRow, ApprovalRow)
                    .join(ApprovalRow, ApprovalRow.id == NoticeRow.approval_id)
                    .where(NoticeRow.due <= now)
                    .order_by(NoticeRow.due)
                    .limit(_AT_ONCE)
                    .with_for_update(skip_locked=True, of=NoticeRow)
                )
            ).all()
            for notice, _ in rows:
                # Whoever dies while it sends leaves it to another one.
                notice.due = now + _LEASE
                notice.attempts += 1
            return [(notice, approval) for notice, approval in rows]

    async def _send(
        self,
        channels: Channels,
        settings: NoticeSettings,
        notice: NoticeRow,
        approval: ApprovalRow,
    ) -> None:
        state = approval.state
        if notice.sent_state is None and state != "pending":
            await self._note(notice, state=state, due=None)  # it was answered before anybody knew
            return
        try:
            place = await self._tell(channels, settings, notice, approval)
        except (ChannelFailed, httpx.HTTPError, OSError, smtplib.SMTPException) as error:
            why = str(error) or type(error).__name__
            _log.warning("notice not sent", channel=notice.channel, why=why[:200])
            seconds = min(300, 2**notice.attempts)
            again = self._backend.clock() + timedelta(seconds=seconds)
            due = again if notice.attempts < _MOST_ATTEMPTS else None
            await self._note(notice, due=due, error=why[:500])
            return
        await self._note(notice, state=state, due=None, place=place)

    async def _tell(
        self,
        channels: Channels,
        settings: NoticeSettings,
        notice: NoticeRow,
        approval: ApprovalRow,
    ) -> dict[str, Any] | None:
        url = f"{self._backend.settings.public_url}/approvals/{approval.id}"
        match notice.channel:
            case Channel.SLACK:
                return await channels.slack(settings, *slack_blocks(approval, url), notice.place)
            case Channel.WEBHOOK:
                await channels.webhook(settings, webhook_document(approval, url))
            case Channel.EMAIL if settings.email is not None:
                to = settings.email.to
                message = email_message(approval, url, sender=settings.email.sender, to=to)
                await channels.email(settings, message)
            case _:
                raise ChannelFailed(f"`{notice.channel}` is not set up")
        return None

    async def _note(self, notice: NoticeRow, *, due: datetime | None, **values: Any) -> None:
        state = values.pop("state", None)
        if state is not None:
            values |= {"sent_state": state, "attempts": 0, "error": None}
        if values.get("place", ...) is None:
            del values["place"]
        async with self._backend.database.write() as session:
            current = await session.scalar(
                select(ApprovalRow.state).where(ApprovalRow.id == notice.approval_id)
            )
            if state is not None and current != state:
                due = self._backend.clock()  # it ended while this was sent
            await session.execute(
                update(NoticeRow).where(NoticeRow.id == notice.id).values(due=due, **values)
            )
