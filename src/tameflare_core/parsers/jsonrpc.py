"""JSON-RPC 2.0 messages, alone or in a batch, read in exactly one way.

Readers differ in what they make of a key in another case, of a message that is a request and a
response at once, of an id that is null. Where they might differ, nothing is read.

Sources: the JSON-RPC 2.0 specification; the Model Context Protocol, which has parameters by name
only, and ids that are texts or whole numbers.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from tameflare_core.errors import OpaqueBody
from tameflare_core.parsers.strict_json import Json, parse_json

__all__ = ["Message", "MessageKind", "exact_keys", "read_messages"]

_LONGEST_BATCH = 100
_KEYS = frozenset({"error", "id", "jsonrpc", "method", "params", "result"})


class MessageKind(enum.Enum):
    """What a message wants."""

    REQUEST = "an answer"
    NOTIFICATION = "no answer"
    RESPONSE = "to answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message.

    Attributes:
        kind: request, notification or response.
        id: of a request or a response; None of a notification, and of an error about a message
            whose id could not be read.
        method: of a request or a notification; empty for a response.
        params: of a request or a notification.
        answer: the `result` or the `error` of a response.
    """

    kind: MessageKind
    id: str | int | None = None
    method: str = ""
    params: Mapping[str, Json] = field(default_factory=dict)
    answer: Json = None


def read_messages(data: bytes) -> tuple[Message, ...]:
    """Read a message, or a batch of 1 to 100.

    Args:
        data: one JSON document.

    Raises:
        OpaqueBody: it is not JSON-RPC 2.0 that can be read in one way.
    """
    document = parse_json(data)
    if not isinstance(document, list):
        return (_message(document),)
    if not 0 < len(document) <= _LONGEST_BATCH:
        raise OpaqueBody("the batch is empty, or a very long one")
    return tuple(map(_message, document))


def exact_keys(document: Mapping[str, Json], keys: frozenset[str]) -> None:
    """Check that no key of `document` differs from one of `keys` in case only.

    Raises:
        OpaqueBody: one does; some readers take it for the other.
    """
    folded = {key.casefold() for key in keys}
    for key in document:
        if key not in keys and key.casefold() in folded:
            raise OpaqueBody("a key differs from a known one in case only")


def _message(document: Json) -> Message:
    if not isinstance(document, dict):
        raise OpaqueBody("a message is not a JSON object")
    exact_keys(document, _KEYS)
    if document.get("jsonrpc") != "2.0":
        raise OpaqueBody("a message is not of JSON-RPC 2.0")
    return _call(document) if "method" in document else _response(document)


def _call(document: dict[str, Json]) -> Message:
    if "result" in document or "error" in document:
        raise OpaqueBody("a message is a call and a response at once")
    method, params = document["method"], document.get("params")
    if not isinstance(method, str) or not method:
        raise OpaqueBody("the method of a message is no text")
    if params is None:
        params = {}
    if not isinstance(params, dict):
        raise OpaqueBody("the parameters of a message have no names")
    if "id" not in document:
        return Message(kind=MessageKind.NOTIFICATION, method=method, params=params)
    ident = _id(document)
    if ident is None:
        raise OpaqueBody("the id of a request is null")
    return Message(kind=MessageKind.REQUEST, id=ident, method=method, params=params)


def _response(document: dict[str, Json]) -> Message:
    if "params" in document or ("result" in document) == ("error" in document):
        raise OpaqueBody("a message is neither a call nor a response")
    failed = "error" in document
    ident = _id(document)
    if ident is None and not failed:
        raise OpaqueBody("the id of a result is null")
    answer = document["error" if failed else "result"]
    return Message(kind=MessageKind.RESPONSE, id=ident, answer=answer)


def _id(document: dict[str, Json]) -> str | int | None:
    ident = document.get("id")
    # A boolean is a whole number to Python.
    if ident is not None and type(ident) not in (str, int):
        raise OpaqueBody("the id of a message is neither a text nor a whole number")
    return ident  # type: ignore[return-value]  # narrowed by the line above
