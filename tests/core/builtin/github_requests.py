"""Requests to GitHub, and what its connector reads in them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tameflare_core.action import Action
from tameflare_core.builtin.github import GitHub
from tameflare_core.connectors.base import ConnectorSettings
from tameflare_core.connectors.matching import BaseUrl
from tameflare_core.request import Body, OutboundRequest

CONNECTOR = GitHub(ConnectorSettings(id="github"))
ENTERPRISE = GitHub(
    ConnectorSettings(id="ghe", base_url=BaseUrl.parse("https://ghe.example/api/v3"))
)
REPO = "/repos/o/r"


def request(
    method: str,
    path: str,
    body: bytes | Body = b"",
    *,
    coding: str = "",
    base: str = "https://api.github.com",
) -> OutboundRequest:
    headers = [("Content-Type", "application/json")]
    if coding:
        headers.append(("Content-Encoding", coding))
    known = body if isinstance(body, Body) else Body.complete(body)
    return OutboundRequest.from_url(method, base + path, headers=headers, body=known)


def parsed(
    method: str, path: str, body: object = None, *, base: str = "https://api.github.com"
) -> Sequence[Action]:
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    connector = ENTERPRISE if "ghe" in base else CONNECTOR
    return connector.parse(request(method, path, data, base=base))


def names(method: str, path: str, body: object = None) -> list[str]:
    return [action.name.removeprefix("github.") for action in parsed(method, path, body)]
