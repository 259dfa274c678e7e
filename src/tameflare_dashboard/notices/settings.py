"""Where approvals are told, and in which order; the secrets of it are in the vault."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from tameflare_core.vault.secret import Secret
from tameflare_dashboard.backend import Backend
from tameflare_dashboard.store import credentials, org

__all__ = [
    "KEY",
    "SECRETS",
    "Channel",
    "EmailSettings",
    "NoticeSettings",
    "SlackSettings",
    "Step",
    "WebhookSettings",
    "load",
    "secret",
]

KEY = "notices"
"""Where the settings are among those of the organization."""

SECRETS = {
    "slack_token": "org.slack-token",
    "slack_signing_secret": "org.slack-signing-secret",
    "webhook_secret": "org.webhook-secret",
    "smtp_password": "org.smtp-password",
}
"""What each secret is called in the vault; no gateway's document can name these."""


class Channel(enum.StrEnum):
    """A place where people are."""

    SLACK = "slack"
    WEBHOOK = "webhook"
    EMAIL = "email"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SlackSettings(_Part):
    """A Slack app with the scope `chat:write` and interactivity."""

    channel: Annotated[str, Field(pattern=r"^[A-Z0-9]{2,30}$")] = Field(examples=["C012AB3CD"])
    api_url: Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=300)] = (
        "https://slack.com/api"
    )


class WebhookSettings(_Part):
    """Whoever takes a signed POST."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=1000)]


class EmailSettings(_Part):
    """A mail server, and who gets what."""

    host: Annotated[str, Field(min_length=1, max_length=255)]
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: Annotated[str, Field(max_length=320)] = ""
    sender: Annotated[str, Field(max_length=320, pattern=r"^[^\s@]+@[^\s@]+$")]
    to: Annotated[list[str], Field(min_length=1, max_length=50)]


class Step(_Part):
    """When a channel is told about an approval that waits."""

    channel: Channel
    after: Annotated[int, Field(ge=0, le=86_400)] = Field(
        default=0, description="Seconds that nobody has answered."
    )


class NoticeSettings(_Part):
    """Where approvals are told, and in which order."""

    slack: SlackSettings | None = None
    webhook: WebhookSettings | None = None
    email: EmailSettings | None = None
    steps: Annotated[list[Step], Field(max_length=10)] = []


async def load(session: AsyncSession) -> NoticeSettings:
    """What is set."""
    row = await org.load(session)
    values: dict[str, Any] = row.settings.get(KEY) or {}
    return NoticeSettings.model_validate(values)


async def secret(session: AsyncSession, backend: Backend, key: str) -> Secret | None:
    """A secret of the settings; None when it was never given."""
    name = SECRETS[key]
    opened = await credentials.opened(session, backend, [name])
    return opened[name][1] if name in opened else None
