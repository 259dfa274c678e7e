"""Where approvals are told: Slack, a webhook, e-mail, and when each."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field, SecretStr

from tameflare_core.vault.secret import Secret
from tameflare_dashboard.api.fields import Body, MayAdminister, MaySee
from tameflare_dashboard.api.versions import IfMatch, check_version, tag
from tameflare_dashboard.auth.gate import BackendHere
from tameflare_dashboard.notices import settings as noticing
from tameflare_dashboard.notices.channels import (
    ChannelFailed,
    ChannelMissing,
    Channels,
    new_client,
)
from tameflare_dashboard.notices.settings import Channel, NoticeSettings
from tameflare_dashboard.problems import Problem
from tameflare_dashboard.store import credentials, org

__all__ = ["router"]

router = APIRouter(tags=["settings"])

type _Value = Annotated[SecretStr, Field(min_length=1, max_length=2_000)]


class NewNoticeSettings(NoticeSettings):
    """Settings with their secrets; one that is left out stays as it is."""

    slack_token: _Value | None = Field(default=None, description="Of the bot: `xoxb-…`.")
    slack_signing_secret: _Value | None = None
    webhook_secret: _Value | None = Field(
        default=None, description="Signs each call: `X-TameFlare-Signature`."
    )
    smtp_password: _Value | None = None


class KnownNoticeSettings(NoticeSettings):
    """Settings, and which secrets are there."""

    secrets: list[str] = Field(description="Those that were given, without their values.")


@router.get("/settings/notices", summary="Where approvals are told")
async def read(response: Response, backend: BackendHere, _: MaySee) -> KnownNoticeSettings:
    """Where approvals are told, and in which order."""
    async with backend.reading() as session:
        row = await org.load(session)
        settings = await noticing.load(session)
        known = await credentials.versions(session, list(noticing.SECRETS.values()))
    tag(response, row.version)
    return _shown(settings, known)


@router.put("/settings/notices", summary="Change where approvals are told")
async def change(
    response: Response,
    backend: BackendHere,
    principal: MayAdminister,
    new: NewNoticeSettings,
    if_match: IfMatch = None,
) -> KnownNoticeSettings:
    """Replace where approvals are told. A step that comes after others is the escalation."""
    async with backend.changing(principal.actor) as tx:
        row = await org.load(tx.session, lock=True)
        check_version(if_match, row.version)
        before = await noticing.load(tx.session)
        settings = NoticeSettings.model_validate(
            new.model_dump(mode="json", exclude=set(noticing.SECRETS))
        )
        row.settings = {**row.settings, noticing.KEY: settings.model_dump(mode="json")}
        row.version += 1
        for key, name in noticing.SECRETS.items():
            given: SecretStr | None = getattr(new, key)
            if given is not None:
                await credentials.put(tx, backend, name, Secret(given.get_secret_value()))
        await tx.session.flush()
        await tx.audit(
            "settings.update",
            f"org:{row.id}",
            before=before.model_dump(mode="json"),
            after=settings.model_dump(mode="json"),
        )
        known = await credentials.versions(tx.session, list(noticing.SECRETS.values()))
    tag(response, row.version)
    return _shown(settings, known)


class ChannelTest(Body):
    """Which channel to try."""

    channel: Channel


@router.post("/settings/notices/test", status_code=204, summary="Try a channel")
async def test(backend: BackendHere, _: MayAdminister, wanted: ChannelTest) -> None:
    """Send a message that says that it is a test.

    409 says that the channel is not set up, 502 why it did not take the message.
    """
    async with backend.reading() as session:
        settings = await noticing.load(session)
    try:
        async with new_client() as client:
            await Channels(backend, client).test(wanted.channel, settings)
    except ChannelMissing as error:
        raise Problem(HTTPStatus.CONFLICT, "no-channel", str(error)) from None
    except ChannelFailed as error:
        raise Problem(HTTPStatus.BAD_GATEWAY, "channel-failed", str(error)) from None


def _shown(settings: NoticeSettings, known: dict[str, int]) -> KnownNoticeSettings:
    there = [key for key, name in noticing.SECRETS.items() if name in known]
    return KnownNoticeSettings(**settings.model_dump(), secrets=there)
