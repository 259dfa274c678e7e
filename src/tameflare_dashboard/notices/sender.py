"""Sends what is due, once, and edits what was sent when its approval has ended."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from datetime import datetime, timedelta
from typing import Any

import httpx
import structlog
from sqlalchemy import select, update

from tameflare_core.vault.secret import Secret
from tameflare_dashboard.backend import Backend
from tameflare_dashboard.db.models import ApprovalRow, NoticeRow
from tameflare_dashboard.live import ChangeKind
from tameflare_dashboard.notices import settings as noticing
from tameflare_dashboard.notices.settings import Channel, EmailSettings, NoticeSettings
from tameflare_dashboard.notices.wording import (
    email_message,
    signature,
    slack_blocks,
    webhook_document,
)

__all__ = ["Sender"]

_LOOK_SECONDS = 1.0
_LEASE = timedelta(seconds=60)
_MOST_ATTEMPTS = 8
_AT_ONCE = 20
_SEND_SECONDS = 15.0
_log = structlog.get_logger(__name__)


class _Failed(Exception):
    pass


class Sender:
    """Tells people about approvals; several processes may run one each.

    Args:
        backend: whose approvals.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def run(self) -> None:
        """Send what is due; runs until it is cancelled."""
        async with httpx.AsyncClient(timeout=_SEND_SECONDS, trust_env=False) as client:
            with self._backend.bus.subscribe() as changes:
                while True:
                    try:
                        while await self._send_some(client):
                            pass
                    except Exception as error:  # noqa: BLE001  # INVARIANT: it is tried again
                        _log.warning("notices not looked at", why=type(error).__name__)
                    try:
                        async with asyncio.timeout(_LOOK_SECONDS):
                            while (await changes.next()).kind is not ChangeKind.NOTICE:
                                pass
                    except TimeoutError:
                        pass

    async def _send_some(self, client: httpx.AsyncClient) -> bool:
        """Send what is due; False when nothing was."""
        claimed = await self._claim()
        if claimed:
            async with self._backend.reading() as session:
                settings = await noticing.load(session)
            await asyncio.gather(*(self._send(client, settings, *each) for each in claimed))
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
        client: httpx.AsyncClient,
        settings: NoticeSettings,
        notice: NoticeRow,
        approval: ApprovalRow,
    ) -> None:
        state = approval.state
        if notice.sent_state is None and state != "pending":
            await self._note(notice, state=state, due=None)  # it was answered before anybody knew
            return
        try:
            place = await self._tell(client, settings, notice, approval)
        except (_Failed, httpx.HTTPError, OSError, smtplib.SMTPException) as error:
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
        client: httpx.AsyncClient,
        settings: NoticeSettings,
        notice: NoticeRow,
        approval: ApprovalRow,
    ) -> dict[str, Any] | None:
        url = f"{self._backend.settings.public_url}/approvals/{approval.id}"
        match notice.channel:
            case Channel.SLACK:
                return await self._slack(client, settings, notice, approval, url)
            case Channel.WEBHOOK:
                await self._webhook(client, settings, approval, url)
                return None
            case Channel.EMAIL if settings.email is not None:
                password = await self._secret("smtp_password")
                message = email_message(
                    approval, url, sender=settings.email.sender, to=settings.email.to
                )
                await asyncio.to_thread(_mail, settings.email, password, message)
                return None
        raise _Failed(f"`{notice.channel}` is not set up")

    async def _slack(
        self,
        client: httpx.AsyncClient,
        settings: NoticeSettings,
        notice: NoticeRow,
        approval: ApprovalRow,
        url: str,
    ) -> dict[str, Any]:
        token = await self._secret("slack_token")
        if settings.slack is None or token is None:
            raise _Failed("Slack is not set up")
        text, blocks = slack_blocks(approval, url)
        place = notice.place or {}
        method = "chat.update" if place else "chat.postMessage"
        body = {"channel": settings.slack.channel, "text": text, "blocks": blocks, **place}
        answer = await client.post(
            f"{settings.slack.api_url}/{method}",
            json={**body, "unfurl_links": False, "unfurl_media": False},
            headers={"Authorization": f"Bearer {token.reveal()}"},
        )
        if answer.status_code != httpx.codes.OK:
            raise _Failed(f"Slack answers with status {answer.status_code}")
        said = answer.json()
        if not said.get("ok"):
            raise _Failed(f"Slack says `{str(said.get('error'))[:100]}`")
        return {"channel": str(said["channel"]), "ts": str(said["ts"])}

    async def _webhook(
        self,
        client: httpx.AsyncClient,
        settings: NoticeSettings,
        approval: ApprovalRow,
        url: str,
    ) -> None:
        secret = await self._secret("webhook_secret")
        if settings.webhook is None or secret is None:
            raise _Failed("the webhook is not set up")
        body = webhook_document(approval, url)
        timestamp = str(int(self._backend.clock().timestamp()))
        answer = await client.post(
            settings.webhook.url,
            content=body,
            headers={
                "Content-Type": "application/json",
                "X-TameFlare-Timestamp": timestamp,
                "X-TameFlare-Signature": signature(secret, timestamp, body),
            },
        )
        if not answer.is_success:
            raise _Failed(f"the webhook answers with status {answer.status_code}")

    async def _secret(self, key: str) -> Secret | None:
        async with self._backend.reading() as session:
            return await noticing.secret(session, self._backend, key)

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


def _mail(settings: EmailSettings, password: Secret | None, message: Any) -> None:
    context = ssl.create_default_context()
    if settings.security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            settings.host, settings.port, timeout=_SEND_SECONDS, context=context
        )
    else:
        server = smtplib.SMTP(settings.host, settings.port, timeout=_SEND_SECONDS)
    with server:
        if settings.security == "starttls":
            server.starttls(context=context)
        if settings.username and password is not None:
            if settings.security == "none":
                raise _Failed("a password is not sent over a connection without TLS")
            server.login(settings.username, password.reveal())
        server.send_message(message)
