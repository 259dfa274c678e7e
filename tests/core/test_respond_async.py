from __future__ import annotations

import pytest

from tameflare_core.headers import Headers
from tameflare_core.request import OutboundRequest
from tameflare_core.respond_async import (
    STATUS_HOST,
    prefers_not_to_wait,
    status_asked,
    status_url,
)

IDENT = "apv_" + "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["respond-async"], True),
        (["Respond-Async"], True),
        (["return=minimal, respond-async"], True),
        (["return=minimal", "respond-async; x=1"], True),
        (["wait=10"], False),
        (["respond-asynchronously"], False),
        ([], False),
    ],
)
def test_preference_is_found_among_others(values: list[str], expected: bool) -> None:
    headers = Headers([("Prefer", value) for value in values])
    assert prefers_not_to_wait(headers) is expected


def test_status_is_asked_where_the_client_was_sent() -> None:
    request = OutboundRequest.from_url("GET", status_url(IDENT))
    assert request.host == STATUS_HOST
    assert status_asked(request) == IDENT


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"/approvals/{IDENT}"),
        ("GET", f"/approvals/{IDENT}0"),
        ("GET", "/approvals/apv_short"),
        ("GET", "/approvals"),
        ("GET", "/"),
    ],
)
def test_nothing_else_is_asked_there(method: str, path: str) -> None:
    assert status_asked(OutboundRequest.from_url(method, f"https://{STATUS_HOST}{path}")) is None
