"""JSON that every reader reads alike: no duplicate keys, no BOM, UTF-8 only, bounded depth.

Parsers differ in which of two equal keys wins, and some match keys without regard to case (Go's
encoding/json), so both are refused rather than guessed. Source: RFC 8259 section 4.
"""

from __future__ import annotations

import json
from typing import cast

from tameflare_core.errors import OpaqueBody
from tameflare_core.request import OutboundRequest

__all__ = ["Json", "check_charset", "json_object", "parse_json"]

# Encodings in which the characters that JSON and forms are made of are single bytes, the same ones.
_ASCII_BASED = frozenset({"ascii", "iso-8859-1", "us-ascii", "utf-8", "utf8"})

# What is read in 50 ms; counted in texts as well, where a long program has some ten thousand.
_MAX_OBJECTS = 60_000
_MAX_PARTS = 600_000

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None


def parse_json(data: bytes) -> Json:
    """Parse one JSON document.

    Raises:
        OpaqueBody: it is not JSON, not UTF-8, starts with a BOM, nests too deeply, has too many
            parts to be read quickly, or an object has two keys that differ at most in case.
    """
    if data.count(b"{") > _MAX_OBJECTS or data.count(b",") + data.count(b"[") > _MAX_PARTS:
        raise OpaqueBody("body has too many parts")
    try:
        return cast(
            Json,
            json.loads(
                data.decode("utf-8"),
                object_pairs_hook=_unique,
                parse_constant=_refuse_constant,
            ),
        )
    except (ValueError, RecursionError):
        raise OpaqueBody("body is not JSON that can be read in one way") from None


def check_charset(request: OutboundRequest) -> None:
    """Check that no reader takes the body for anything else than UTF-8, as Express does.

    Raises:
        OpaqueBody: its content type names an encoding, like UTF-7, in which it reads otherwise.
    """
    _, *parameters = request.headers.get("content-type").lower().split(";")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if "charset" in name and value.strip(" \t\"'") not in _ASCII_BASED:
            raise OpaqueBody("the body is in another encoding than UTF-8")


def json_object(
    request: OutboundRequest, deciding: frozenset[str] = frozenset()
) -> dict[str, Json]:
    """The JSON object in a request's body; empty when there is no body.

    Args:
        request: its body has been read.
        deciding: keys that decide what the request does.

    Raises:
        OpaqueBody: the body cannot be read, is in another encoding than UTF-8, is no JSON object,
            or has a key that differs from one of `deciding` in case only.
    """
    data = request.decoded_body()
    if data:
        check_charset(request)
    document = parse_json(data) if data else {}
    if not isinstance(document, dict):
        raise OpaqueBody("body is not a JSON object")
    if any(key not in deciding and key.casefold() in deciding for key in document):
        raise OpaqueBody("body has a key that differs from a known one in case only")
    return document


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    if len({key.casefold() for key, _ in pairs}) != len(pairs):
        raise ValueError("duplicate key")
    return dict(pairs)


def _refuse_constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")
