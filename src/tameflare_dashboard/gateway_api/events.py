"""`/api/gateway/events`: what a proxy hears at once, for all the gateways that it serves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from tameflare_core.tokens import token_digest
from tameflare_dashboard.auth.gate import BackendHere
from tameflare_dashboard.gateway_api.caller import CallerHere
from tameflare_dashboard.gateway_api.dispatch import Dispatch
from tameflare_dashboard.live import Change, ChangeKind
from tameflare_dashboard.problems import Problem
from tameflare_dashboard.store import gateways, instances

__all__ = ["router"]

_MOST_TOKENS = 500
_AT_ONCE = 100  # ids in one change, so that it fits into a notification

router = APIRouter()


class MoreTokens(BaseModel):
    """The tokens of further gateways that a proxy serves."""

    tokens: list[Annotated[str, Field(max_length=200)]] = Field(max_length=_MOST_TOKENS)


class AddedTokens(BaseModel):
    """What became of them, by the SHA-256 of each."""

    gateways: dict[str, str]
    unknown: list[str]


@router.get(
    "/events",
    summary="What changes, as it changes",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def events(request: Request, caller: CallerHere) -> StreamingResponse:
    """Server-sent events: `stream`, `config`, `kill_switch`, `approval` and `heartbeat`.

    The first event names the stream, to which a proxy that serves many gateways adds the tokens of
    the others. A stream on which nothing was heard for 35 s is dead.
    """
    dispatch: Dispatch = request.app.state.dispatch
    stack = AsyncExitStack()
    source = await stack.enter_async_context(
        dispatch.stream(caller.actor, caller.gateway.id, caller.instance, caller.proxy)
    )

    async def body() -> AsyncIterator[bytes]:
        async with stack:
            async for event in source:
                yield event

    return StreamingResponse(
        body(),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@router.post("/events/{stream}", summary="Add gateways to a stream")
async def add(
    backend: BackendHere,
    caller: CallerHere,
    stream: Annotated[str, Path(max_length=40)],
    more: MoreTokens,
) -> AddedTokens:
    """Add the gateways of further tokens to an open stream, whichever process holds it."""
    result = AddedTokens(gateways={}, unknown=[])
    async with backend.changing(caller.actor) as tx:
        if not await instances.has_stream(tx.session, stream):
            raise Problem(HTTPStatus.NOT_FOUND, "stream-gone", "the stream has ended: open another")
        for token in more.tokens:
            digest = token_digest(token)
            row = await gateways.by_token(tx.session, digest, tx.now)
            if row is None:
                result.unknown.append(digest.hex())
            else:
                result.gateways[digest.hex()] = row.id
        ids = sorted(set(result.gateways.values()))
        for start in range(0, len(ids), _AT_ONCE):
            tx.announce(
                Change(
                    kind=ChangeKind.STREAM,
                    data={"stream": stream, "gateways": ids[start : start + _AT_ONCE]},
                )
            )
    return result
