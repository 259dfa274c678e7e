"""Refusals as a client of MCP understands them: a JSON-RPC error for each call that waits."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tameflare_core.decision import Refusal, RewordedRefusal
from tameflare_core.parsers.jsonrpc import MessageKind, read_messages
from tameflare_core.parsers.strict_json import Json
from tameflare_core.request import OutboundRequest

__all__ = ["ERROR_CODE", "error_answer", "reworded_for_client"]

ERROR_CODE = -32043
"""The code of a JSON-RPC error that stands for a refusal."""


def error_answer(awaited: Sequence[Json], refusal: Refusal, *, is_batch: bool) -> bytes:
    """The JSON-RPC errors that tell of a refusal.

    Args:
        awaited: the ids of the calls that were refused, at least one.
        refusal: problem details, which become the errors' `data`.
        is_batch: whether the calls came as an array.
    """
    error = {
        "code": ERROR_CODE,
        "message": f"{refusal.title}: {refusal.detail}. {refusal.hint}",
        "data": json.loads(refusal.body()),
    }
    answers = [{"jsonrpc": "2.0", "id": ident, "error": error} for ident in awaited]
    return json.dumps(answers if is_batch else answers[0], separators=(",", ":")).encode()


def reworded_for_client(request: OutboundRequest, refusal: Refusal) -> Refusal:
    """`refusal` as an answer that keeps the client's session: 200 with errors, or 202 to what
    expects none.

    Raises:
        OpaqueBody: the request holds no messages that can be read.
    """
    data = request.decoded_body()
    awaited = [
        message.id
        for message in read_messages(data)
        if message.kind is MessageKind.REQUEST and message.id is not None
    ]
    is_batch = data.lstrip().startswith(b"[")
    content = error_answer(awaited, refusal, is_batch=is_batch) if awaited else b""
    return RewordedRefusal.of(
        refusal,
        status=200 if awaited else 202,
        media_type="application/json",
        content=content,
    )
