"""Gateways: their documents, tokens, and how they are."""

from __future__ import annotations

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from tameflare_core.enforcement_level import EnforcementLevel
from tameflare_dashboard.api.fields import Body, DocumentText, GatewayKey, Id, MayEdit, MaySee
from tameflare_dashboard.api.versions import IfMatch, check_version, tag
from tameflare_dashboard.auth.gate import BackendHere
from tameflare_dashboard.db.models import GatewayRow, GatewayTokenRow
from tameflare_dashboard.documents import edited, outline, parts
from tameflare_dashboard.problems import Problem, not_found
from tameflare_dashboard.store import gateways

__all__ = ["router", "shown"]

router = APIRouter(tags=["gateways"])

_ONLINE_FOR = timedelta(seconds=150)  # two polls and a half
_YAML = "application/yaml"


class GatewayToken(Body):
    """A token of a gateway, without the token."""

    id: str
    created: datetime
    expires: datetime | None = Field(description="Until when it is good; it was rotated.")


class MadeGatewayToken(GatewayToken):
    """A token that was made; the token itself is told this once."""

    token: str = Field(examples=["gwtk_…"])


class GatewaySummary(Body):
    """A gateway as a list shows it."""

    id: str = Field(examples=["gw_7h3kq2m5w4n6p7r8s9t2"])
    name: str = Field(examples=["prod-agent"])
    environment: str
    enforcement: EnforcementLevel
    connectors: list[str]
    created: datetime
    updated: datetime
    seen: datetime | None = Field(description="When a proxy last fetched its configuration.")
    online: bool
    revision: str | None = Field(description="Of the configuration that was fetched last.")


class GatewayDetail(GatewaySummary):
    """A gateway with its document."""

    document: DocumentText
    tokens: list[GatewayToken]


class NewGateway(Body):
    """A gateway to make."""

    document: DocumentText


class MadeGateway(GatewayDetail):
    """A gateway that was made; its token is told this once."""

    token: str = Field(examples=["gwtk_…"])


class NewDocument(Body):
    """What a gateway's document shall be."""

    document: DocumentText


class Duplicate(Body):
    """A gateway like another one."""

    name: Annotated[str, Field(max_length=200, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]


class Rotation(Body):
    """How a token is replaced."""

    overlap: Annotated[int, Field(ge=0, le=7 * 86_400)] | None = Field(
        default=3600,
        description="Seconds for which the former tokens go on being good; null to leave them as"
        " they are.",
    )


@router.get("/gateways", summary="All gateways")
async def all_gateways(backend: BackendHere, _: MaySee) -> list[GatewaySummary]:
    """Every gateway, by name."""
    async with backend.reading() as session:
        rows = await gateways.listed(session)
    return [shown(row, backend.clock()) for row in rows]


@router.post("/gateways", status_code=201, summary="Make a gateway")
async def make(
    response: Response, backend: BackendHere, principal: MayEdit, new: NewGateway
) -> MadeGateway:
    """Make a gateway of a document. Its token is shown this once."""
    async with backend.changing(principal.actor) as tx:
        row = await gateways.create(tx, backend, new.document)
        kept, token = await gateways.add_token(tx, row)
    tag(response, row.version)
    return MadeGateway(**_detail(row, [kept], backend.clock()).model_dump(), token=token)


@router.get("/gateways/{gateway}", summary="One gateway")
async def one(
    response: Response, backend: BackendHere, _: MaySee, gateway: GatewayKey
) -> GatewayDetail:
    """A gateway with its document, by id or name."""
    now = backend.clock()
    async with backend.reading() as session:
        row = await gateways.find(session, gateway)
        tokens = await gateways.tokens(session, row.id, now)
    tag(response, row.version)
    return _detail(row, tokens, now)


@router.put("/gateways/{gateway}", summary="Give a gateway another document")
async def change(
    response: Response,
    backend: BackendHere,
    principal: MayEdit,
    gateway: GatewayKey,
    new: NewDocument,
    if_match: IfMatch = None,
) -> GatewayDetail:
    """Replace a gateway's document; a gateway that would not load with it refuses the change."""
    async with backend.changing(principal.actor) as tx:
        row = await gateways.find(tx.session, gateway, lock=True)
        check_version(if_match, row.version)
        await gateways.change(tx, backend, row, new.document)
        tokens = await gateways.tokens(tx.session, row.id, tx.now)
    tag(response, row.version)
    return _detail(row, tokens, backend.clock())


@router.delete("/gateways/{gateway}", status_code=204, summary="Remove a gateway")
async def remove(
    backend: BackendHere, principal: MayEdit, gateway: GatewayKey, if_match: IfMatch = None
) -> None:
    """Remove a gateway: its tokens are void at once, and its connections end."""
    async with backend.changing(principal.actor) as tx:
        row = await gateways.find(tx.session, gateway, lock=True)
        check_version(if_match, row.version)
        await gateways.remove(tx, row)


@router.post("/gateways/{gateway}/duplicate", status_code=201, summary="Make a gateway like it")
async def duplicate(
    response: Response,
    backend: BackendHere,
    principal: MayEdit,
    gateway: GatewayKey,
    copy: Duplicate,
) -> MadeGateway:
    """Make a gateway with another name and otherwise the same document."""
    async with backend.changing(principal.actor) as tx:
        source = await gateways.find(tx.session, gateway)
        document = edited(source.document, lambda each: each.update(gateway=copy.name))
        row = await gateways.create(tx, backend, document)
        kept, token = await gateways.add_token(tx, row)
    tag(response, row.version)
    return MadeGateway(**_detail(row, [kept], backend.clock()).model_dump(), token=token)


@router.post("/gateways/{gateway}/tokens", status_code=201, summary="Rotate a gateway's token")
async def rotate(
    backend: BackendHere, principal: MayEdit, gateway: GatewayKey, rotation: Rotation
) -> MadeGatewayToken:
    """Make a new token; the former ones go on for a while, so that nothing has to stop."""
    async with backend.changing(principal.actor) as tx:
        row = await gateways.find(tx.session, gateway, lock=True)
        overlap = None if rotation.overlap is None else timedelta(seconds=rotation.overlap)
        kept, token = await gateways.rotate_token(tx, row, overlap=overlap)
    return MadeGatewayToken(**_token(kept).model_dump(), token=token)


@router.delete(
    "/gateways/{gateway}/tokens/{id}", status_code=204, summary="Revoke a gateway's token"
)
async def revoke(
    backend: BackendHere,
    principal: MayEdit,
    gateway: GatewayKey,
    id: Id,  # noqa: A002
) -> None:
    """Make a token void at once."""
    async with backend.changing(principal.actor) as tx:
        row = await gateways.find(tx.session, gateway, lock=True)
        if not await gateways.revoke_token(tx, row, id):
            raise not_found("token", id)


@router.get(
    "/gateways/{gateway}/tameflare.yaml",
    summary="Export a gateway",
    response_class=Response,
    responses={200: {"content": {_YAML: {}}}},
)
async def export(backend: BackendHere, _: MaySee, gateway: GatewayKey) -> Response:
    """The gateway's document, as it was last written."""
    async with backend.reading() as session:
        row = await gateways.find(session, gateway)
    headers = {"ETag": f'"v{row.version}"'}
    return Response(row.document, media_type=f"{_YAML}; charset=utf-8", headers=headers)


@router.put(
    "/gateways/{gateway}/tameflare.yaml",
    summary="Import a gateway",
    openapi_extra={
        "requestBody": {"required": True, "content": {_YAML: {"schema": {"type": "string"}}}}
    },
)
async def apply(
    request: Request,
    response: Response,
    backend: BackendHere,
    principal: MayEdit,
    gateway: GatewayKey,
    if_match: IfMatch = None,
) -> MadeGateway:
    """Make the gateway what a document says: a new one, or a change of the one that is there.

    A gateway that is there is changed without `If-Match` too: whoever applies a file says that the
    file is right. `token` is empty unless the gateway is new.
    """
    text = await _text(request)
    if parts(text).get("gateway") != gateway:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid-request",
            f"the document is about another gateway than `{gateway}`",
        )
    token = ""
    async with backend.changing(principal.actor) as tx:
        try:
            row = await gateways.find(tx.session, gateway, lock=True)
        except Problem as problem:
            if problem.status != HTTPStatus.NOT_FOUND:
                raise
            row = await gateways.create(tx, backend, text)
            _, token = await gateways.add_token(tx, row)
            response.status_code = 201
        else:
            if if_match is not None:
                check_version(if_match, row.version)
            await gateways.change(tx, backend, row, text)
        tokens = await gateways.tokens(tx.session, row.id, tx.now)
    tag(response, row.version)
    return MadeGateway(**_detail(row, tokens, backend.clock()).model_dump(), token=token)


async def _text(request: Request) -> str:
    try:
        return (await request.body()).decode("utf-8")
    except UnicodeDecodeError:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "the document is not UTF-8"
        ) from None


def shown(row: GatewayRow, now: datetime) -> GatewaySummary:
    """A gateway as a list shows it."""
    about = outline(row.document)
    return GatewaySummary(
        id=row.id,
        name=row.name,
        environment=row.environment,
        enforcement=about.enforcement,
        connectors=[name for name, _ in about.connectors],
        created=row.created,
        updated=row.updated,
        seen=row.seen,
        online=row.seen is not None and now - row.seen < _ONLINE_FOR,
        revision=row.fetched_revision,
    )


def _detail(row: GatewayRow, tokens: list[GatewayTokenRow], now: datetime) -> GatewayDetail:
    return GatewayDetail(
        **shown(row, now).model_dump(),
        document=row.document,
        tokens=[_token(token) for token in tokens],
    )


def _token(row: GatewayTokenRow) -> GatewayToken:
    return GatewayToken(id=row.id, created=row.created, expires=row.expires)
