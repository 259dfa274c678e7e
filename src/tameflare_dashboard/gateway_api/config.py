"""`GET /api/gateway/config`: everything that a gateway judges by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from tameflare_core.sync.sealing import seal_for_token
from tameflare_dashboard.auth.gate import BackendHere
from tameflare_dashboard.backend import Backend
from tameflare_dashboard.db.models import GatewayRow
from tameflare_dashboard.documents import completed, revision_of, vault_names
from tameflare_dashboard.gateway_api.caller import Caller, CallerHere
from tameflare_dashboard.store import credentials, kill_switches, org

__all__ = ["router"]

FORMAT = 1
"""Of the document; a gateway refuses another one."""

_NOTED_EVERY = timedelta(seconds=15)

router = APIRouter()


class GatewayIdentity(BaseModel):
    """Which gateway it is."""

    id: str = Field(examples=["gw_7h3kq2m5w4n6p7r8s9t2"])
    name: str = Field(examples=["prod-agent"])


class SealedValue(BaseModel):
    """A credential that only the gateway's token opens."""

    version: int
    sealed: str = Field(description="Base64 of nonce and AES-256-GCM ciphertext.")


class ConfigDocument(BaseModel):
    """What a gateway judges by, and what it injects."""

    format: int = FORMAT
    gateway: GatewayIdentity
    revision: str
    document: str = Field(description="The text of a `tameflare.yaml`.")
    credentials: dict[str, SealedValue]
    kill_switches: list[dict[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Served:
    document: str
    names: frozenset[str]
    switches: list[dict[str, str]]
    revision: str


@router.get(
    "/config",
    summary="The gateway's configuration",
    response_model=ConfigDocument,
    responses={304: {"description": "It is the one that `If-None-Match` names."}},
)
async def config(
    backend: BackendHere,
    caller: CallerHere,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Everything that a gateway judges by.

    The credentials are sealed with a key derived from the token that is shown, so a copy of the
    answer is useless without it. `ETag` changes with the document, the credentials, the policies
    of the organization and the kill switches.
    """
    async with backend.reading() as session:
        served = await _served(session, caller.gateway)
        etag = f'"{served.revision}"'
        sealed: dict[str, Any] = {}
        fresh = if_none_match != etag
        if fresh:
            sealed = await _sealed(session, backend, caller, served.names)
    await _note(backend, caller.gateway, served.revision)
    headers = {"ETag": etag, "Cache-Control": "no-store"}
    if not fresh:
        return Response(status_code=304, headers=headers)
    content = {
        "format": FORMAT,
        "gateway": {"id": caller.gateway.id, "name": caller.gateway.name},
        "revision": served.revision,
        "document": served.document,
        "credentials": sealed,
        "kill_switches": served.switches,
    }
    return JSONResponse(content, headers=headers)


async def _served(session: AsyncSession, gateway: GatewayRow) -> _Served:
    additions = await org.additions(session)
    document = completed(gateway.document, additions)
    names = vault_names(gateway.document)
    versions = await credentials.versions(session, names)
    active = await kill_switches.active(session)
    switches = [kill_switches.switch_of(row).document() for row in active]
    revision = revision_of(
        (
            gateway.id,
            document,
            *(f"{name}={version}" for name, version in sorted(versions.items())),
            *(switch["id"] for switch in switches),
        )
    )
    return _Served(document=document, names=names, switches=switches, revision=revision)


async def _sealed(
    session: AsyncSession, backend: Backend, caller: Caller, names: frozenset[str]
) -> dict[str, Any]:
    opened = await credentials.opened(session, backend, names)
    return {
        name: {
            "version": version,
            "sealed": seal_for_token(
                caller.token, secret, gateway=caller.gateway.id, name=name, version=version
            ),
        }
        for name, (version, secret) in opened.items()
    }


async def _note(backend: Backend, gateway: GatewayRow, revision: str) -> None:
    now = backend.clock()
    lately = gateway.seen is not None and now - gateway.seen < _NOTED_EVERY
    if lately and gateway.fetched_revision == revision:
        return
    async with backend.database.write() as session:
        await session.execute(
            update(GatewayRow)
            .where(GatewayRow.id == gateway.id)
            .values(seen=now, fetched_revision=revision)
        )
