"""mitmproxy's flow to `OutboundRequest` and back: the only translator between the two."""

from __future__ import annotations

import re

from mitmproxy import http

from tameflare_core.canonical import canonical_authority
from tameflare_core.decision import Refusal
from tameflare_core.errors import RequestRejected
from tameflare_core.request import Body, OutboundRequest

__all__ = ["answer", "apply", "is_readable", "read", "strip_response", "strip_trailers"]

# What speaks to the next hop only, what offers a way around the proxy, and what is ours to say.
_NOT_FROM_UPSTREAM = frozenset(
    {
        b"alt-svc",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-connection",
        b"sec-websocket-extensions",
    }
)
_OWN_PREFIX = b"x-tameflare-"
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def read(flow: http.HTTPFlow, *, has_body: bool) -> OutboundRequest:
    """Canonicalise the request of `flow`.

    Args:
        flow: scheme, host and port are those of the connection (CONNECT target or absolute URI).
        has_body: whether a body follows.

    Raises:
        RequestRejected: it can be read in two ways.
    """
    data = flow.request.data
    host = f"[{data.host}]" if ":" in data.host else data.host
    authority = f"{host}:{data.port}"
    scheme = data.scheme.decode("latin-1")
    headers = [(_text(name), _text(value)) for name, value in data.headers.fields]
    # Compressed frames grow in memory by a factor that the sender chooses, so none are agreed on.
    headers = [pair for pair in headers if pair[0].lower() != "sec-websocket-extensions"]
    if data.authority:
        # HTTP/2: `:authority` is the Host; one that disagrees with a Host header is refused below.
        named = data.authority.decode("latin-1")
        hosts = [value for name, value in headers if name.lower() == "host"]
        if any(_other(value, named, scheme) for value in hosts):
            raise RequestRejected("`Host` and `:authority` differ")
        headers = [pair for pair in headers if pair[0].lower() != "host"]
        headers.append(("host", named))
    return OutboundRequest.build(
        method=_text(data.method),
        scheme=scheme,
        authority=authority,
        target=_text(data.path),
        headers=headers,
        body=Body.unread() if has_body else Body.absent(),
    )


def apply(flow: http.HTTPFlow, request: OutboundRequest) -> None:
    """Make `flow` send exactly `request`; its body is the flow's own."""
    data = flow.request.data
    data.method = request.method.encode("ascii")
    data.scheme = request.scheme.encode("ascii")
    data.host = request.host.strip("[]")
    data.port = request.port
    data.path = request.target.encode("ascii")
    fields = [(name.encode("ascii"), value.encode("latin-1")) for name, value in request.headers]
    authority = request.authority.encode("ascii")
    if flow.request.is_http2:
        data.authority = authority
    else:
        data.authority = b""
        fields.insert(0, (b"host", authority))
    data.headers = http.Headers(fields)
    data.trailers = None


def answer(flow: http.HTTPFlow, refusal: Refusal) -> None:
    """Make `flow` answer with `refusal`."""
    # A body behind the answer to HEAD would be read as the next answer.
    body = b"" if flow.request.method == "HEAD" else refusal.body()
    fields = [(name.encode("ascii"), value.encode("latin-1")) for name, value in refusal.fields()]
    if flow.request.is_http2:
        fields = [field for field in fields if field[0] != b"connection"]
    flow.response = http.Response.make(refusal.status, body, http.Headers(fields))


def is_readable(response: http.Response, request: http.Request) -> bool:
    """Whether an upstream's response head is well-formed, and an answer to `request`."""
    if any(_CONTROL.search(value) for _, value in response.headers.fields):
        return False
    # Only a handshake that was judged as one may end in another protocol.
    handshake = request.headers.get("upgrade") == "websocket"
    switched = response.headers.get("upgrade", "").lower() == "websocket"
    return response.status_code != 101 or (handshake and switched)


def strip_response(response: http.Response) -> None:
    """Take out of an upstream's response what must not reach the client."""
    response.headers = _stripped(response.headers, switching=response.status_code == 101)


def strip_trailers(response: http.Response) -> None:
    """Take the same out of what came behind its body."""
    if response.trailers is not None:
        response.trailers = _stripped(response.trailers, switching=False)


def _stripped(headers: http.Headers, *, switching: bool) -> http.Headers:
    dropped = _NOT_FROM_UPSTREAM if switching else _NOT_FROM_UPSTREAM | {b"upgrade"}
    return http.Headers(
        [
            (name, value)
            for name, value in headers.fields
            if name.lower() not in dropped and not name.lower().startswith(_OWN_PREFIX)
        ]
    )


def _other(value: str, named: str, scheme: str) -> bool:
    return canonical_authority(value, scheme=scheme) != canonical_authority(named, scheme=scheme)


def _text(value: bytes) -> str:
    return value.decode("latin-1")
