"""The places where people are told: Slack, a webhook, a mail server."""

from __future__ import annotations

import asyncio
import json
import smtplib
import ssl
from email.message import EmailMessage
from typing import Any

import httpx

from tameflare_core.vault.secret import Secret
from tameflare_dashboard.backend import Backend
from tameflare_dashboard.notices import settings as noticing
from tameflare_dashboard.notices.settings import Channel, EmailSettings, NoticeSettings
from tameflare_dashboard.notices.wording import signature

__all__ = ["SEND_SECONDS", "ChannelFailed", "ChannelMissing", "Channels", "new_client"]

SEND_SECONDS = 15.0
"""How long a channel may take."""

_TEST = "A test from TameFlare: approvals will be told here."


class ChannelFailed(Exception):
    """A channel did not take a message; the text says why."""


class ChannelMissing(ChannelFailed):
    """A channel is not set up."""


def new_client() -> httpx.AsyncClient:
    """What channels are called with; proxies of the environment are not for them."""
    return httpx.AsyncClient(timeout=SEND_SECONDS, trust_env=False)


class Channels:
    """Hands messages to the channels that are set up.

    Args:
        backend: whose secrets they take.
        client: what Slack and the webhook are called with.
    """

    def __init__(self, backend: Backend, client: httpx.AsyncClient) -> None:
        self._backend = backend
        self._client = client

    async def slack(
        self,
        settings: NoticeSettings,
        text: str,
        blocks: list[dict[str, Any]],
        place: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Post a message, or edit the one at a place; return its place.

        Raises:
            ChannelFailed: it is not set up, or Slack does not take it.
            httpx.HTTPError: Slack cannot be reached.
        """
        token = await self._secret("slack_token")
        if settings.slack is None or token is None:
            raise ChannelMissing("Slack is not set up")
        method = "chat.update" if place else "chat.postMessage"
        body = {"channel": settings.slack.channel, "text": text, "blocks": blocks, **(place or {})}
        answer = await self._client.post(
            f"{settings.slack.api_url}/{method}",
            json={**body, "unfurl_links": False, "unfurl_media": False},
            headers={"Authorization": f"Bearer {token.reveal()}"},
        )
        if answer.status_code != httpx.codes.OK:
            raise ChannelFailed(f"Slack answers with status {answer.status_code}")
        said = answer.json()
        if not said.get("ok"):
            raise ChannelFailed(f"Slack says `{str(said.get('error'))[:100]}`")
        return {"channel": str(said["channel"]), "ts": str(said["ts"])}

    async def webhook(self, settings: NoticeSettings, body: bytes) -> None:
        """Post a signed document.

        Raises:
            ChannelFailed: it is not set up, or answers with an error.
            httpx.HTTPError: it cannot be reached.
        """
        secret = await self._secret("webhook_secret")
        if settings.webhook is None or secret is None:
            raise ChannelMissing("the webhook is not set up")
        timestamp = str(int(self._backend.clock().timestamp()))
        answer = await self._client.post(
            settings.webhook.url,
            content=body,
            headers={
                "Content-Type": "application/json",
                "X-TameFlare-Timestamp": timestamp,
                "X-TameFlare-Signature": signature(secret, timestamp, body),
            },
        )
        if not answer.is_success:
            raise ChannelFailed(f"the webhook answers with status {answer.status_code}")

    async def email(self, settings: NoticeSettings, message: EmailMessage) -> None:
        """Send a mail.

        Raises:
            ChannelFailed: it is not set up, or a password would be seen on the way.
            OSError, smtplib.SMTPException: the server cannot be reached, or does not take it.
        """
        if settings.email is None:
            raise ChannelMissing("e-mail is not set up")
        password = await self._secret("smtp_password")
        await asyncio.to_thread(_mail, settings.email, password, message)

    async def test(self, channel: Channel, settings: NoticeSettings) -> None:
        """Send a message that says that it is a test.

        Raises:
            ChannelFailed: whatever went wrong, in words.
        """
        try:
            match channel:
                case Channel.SLACK:
                    await self.slack(settings, _TEST, [])
                case Channel.WEBHOOK:
                    document = {"event": "test", "text": _TEST}
                    await self.webhook(settings, json.dumps(document).encode())
                case Channel.EMAIL:
                    await self.email(settings, _test_mail(settings.email))
        except (httpx.HTTPError, OSError, smtplib.SMTPException) as error:
            raise ChannelFailed(str(error)[:300] or type(error).__name__) from error

    async def _secret(self, key: str) -> Secret | None:
        async with self._backend.reading() as session:
            return await noticing.secret(session, self._backend, key)


def _test_mail(settings: EmailSettings | None) -> EmailMessage:
    message = EmailMessage()
    if settings is not None:
        message["From"], message["To"] = settings.sender, ", ".join(settings.to)
    message["Subject"] = "A test from TameFlare"
    message.set_content(_TEST)
    return message


def _mail(settings: EmailSettings, password: Secret | None, message: EmailMessage) -> None:
    context = ssl.create_default_context()
    if settings.security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            settings.host, settings.port, timeout=SEND_SECONDS, context=context
        )
    else:
        server = smtplib.SMTP(settings.host, settings.port, timeout=SEND_SECONDS)
    with server:
        if settings.security == "starttls":
            server.starttls(context=context)
        if settings.username and password is not None:
            if settings.security == "none":
                raise ChannelFailed("a password is not sent over a connection without TLS")
            server.login(settings.username, password.reveal())
        server.send_message(message)
