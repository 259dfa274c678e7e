from __future__ import annotations

import pytest
from mitmproxy import http
from mitmproxy.connection import Client, Server
from mitmproxy.test import tflow

from tameflare_core.decision import Refusal
from tameflare_core.errors import RequestRejected
from tameflare_core.request import BodyState, OutboundRequest
from tameflare_proxy.flow_adapter import answer, apply, is_readable, read, strip_response

REFUSAL = Refusal(
    status=400,
    kind="rejected",
    title="t",
    detail="d",
    hint="h",
    request_id="1",
    headers=(("connection", "close"),),
)


def flow(
    *fields: tuple[bytes, bytes],
    method: bytes = b"GET",
    authority: bytes = b"",
    path: bytes = b"/a?b",
    version: bytes = b"HTTP/1.1",
    host: str = "api.example",
) -> http.HTTPFlow:
    made = http.HTTPFlow(
        Client(peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2)), Server(address=(host, 443))
    )
    made.request = http.Request(
        host=host,
        port=443,
        method=method,
        scheme=b"https",
        authority=authority,
        path=path,
        http_version=version,
        headers=http.Headers(fields),
        content=None,
        trailers=None,
        timestamp_start=0,
        timestamp_end=None,
    )
    return made


def test_flow_is_read() -> None:
    request = read(flow((b"Host", b"API.example:443"), (b"X-A", b"caf\xe9")), has_body=True)
    assert request.url == "https://api.example/a?b"
    assert list(request.headers) == [("x-a", "caf\xe9")]
    assert request.body.state is BodyState.UNREAD


def test_address_gets_its_brackets() -> None:
    assert read(flow(host="::1"), has_body=False).url == "https://[::1]/a?b"


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        (b"evil.example", None),
        (b"api.example", b"evil.example"),
        (b"evil.example", b"api.example"),
        (b"api.example:80", None),
        (b"", b"evil.example"),
        (b"x@api.example", None),
    ],
)
def test_other_authority_is_rejected(authority: bytes, host: bytes | None) -> None:
    fields = [] if host is None else [(b"host", host)]
    with pytest.raises(RequestRejected):
        read(flow(*fields, authority=authority, version=b"HTTP/2.0"), has_body=False)


def test_compression_of_frames_is_not_offered() -> None:
    request = read(flow((b"Sec-WebSocket-Extensions", b"permessage-deflate")), has_body=False)
    assert len(request.headers) == 0


@pytest.mark.parametrize(
    ("version", "authority", "host"),
    [(b"HTTP/1.1", "", "crm.example:8443"), (b"HTTP/2.0", "crm.example:8443", None)],
)
def test_exactly_the_request_is_applied(version: bytes, authority: str, host: str | None) -> None:
    made = flow((b"X-Old", b"1"), (b"host", b"api.example"), version=version)
    made.request.trailers = http.Headers([(b"x", b"y")])
    url = "https://crm.example:8443/c?d"
    apply(made, OutboundRequest.from_url("PUT", url, headers=[("x-new", "caf\xe9")]))

    assert made.request.method == "PUT"
    assert (made.request.host, made.request.port) == ("crm.example", 8443)
    assert (made.request.path, made.request.authority) == ("/c?d", authority)
    expected = [] if host is None else [(b"host", host.encode())]
    assert list(made.request.headers.fields) == [*expected, (b"x-new", b"caf\xe9")]
    assert made.request.trailers is None


@pytest.mark.parametrize(
    ("method", "version", "body", "closes"),
    [
        (b"GET", b"HTTP/1.1", REFUSAL.body(), True),
        (b"HEAD", b"HTTP/1.1", b"", True),
        (b"GET", b"HTTP/2.0", REFUSAL.body(), False),
    ],
)
def test_refusal_is_the_answer(method: bytes, version: bytes, body: bytes, closes: bool) -> None:
    made = flow(method=method, version=version)
    answer(made, REFUSAL)
    assert made.response is not None
    assert (made.response.status_code, made.response.raw_content) == (400, body)
    assert ("connection" in made.response.headers) is closes


def test_response_loses_what_is_not_the_upstreams_to_say() -> None:
    response = tflow.tresp(
        headers=http.Headers([(b"Alt-Svc", b"h3"), (b"X-TAMEFLARE-A", b"b"), (b"Set-Cookie", b"c")])
    )
    strip_response(response)
    assert list(response.headers.fields) == [(b"Set-Cookie", b"c")]


@pytest.mark.parametrize(
    ("status", "asked", "switched", "readable"),
    [
        (200, None, None, True),
        (101, "websocket", "WebSocket", True),
        (101, None, "websocket", False),
        (101, "websocket", "h2c", False),
        (101, "websocket", None, False),
    ],
)
def test_protocol_is_switched_only_when_asked(
    status: int, asked: str | None, switched: str | None, readable: bool
) -> None:
    response = tflow.tresp(status_code=status, headers=http.Headers())
    request = flow().request
    if asked:
        request.headers["upgrade"] = asked
    if switched:
        response.headers["upgrade"] = switched
    assert is_readable(response, request) is readable


@pytest.mark.parametrize("value", [b"a\rb", b"a\nb", b"a\0", b"a\x1b[2K"])
def test_control_character_makes_a_response_unreadable(value: bytes) -> None:
    response = tflow.tresp(headers=http.Headers([(b"x-note", value)]))
    assert not is_readable(response, flow().request)
