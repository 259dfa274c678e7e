"""mitmproxy's flow to `OutboundRequest` and back: the only translator between the two."""

from __future__ import annotations

from mitmproxy import http

from tameflare_core.canonical import canonical_authority
from tameflare_core.decision import Refusal
from tameflare_core.errors import RequestRejected
from tameflare_core.request import Body, OutboundRequest

__all__ = ["answer", "apply", "read", "strip_response"]

# What only speaks to the next hop, what offers a way around the proxy, and what is ours alone to say.
_NOT_FROM_UPSTREAM = frozenset({b"alt-svc", b"proxy-authenticate", b"proxy-connection", b"keep-alive"})
_OWN_PREFIX = b"x-tameflare-"


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


def strip_response(response: http.Response) -> None:
    """Take out of an upstream's response what must not reach the client."""
    response.headers.fields = tuple(
        (name, value)
        for name, value in response.headers.fields
        if name.lower() not in _NOT_FROM_UPSTREAM and not name.lower().startswith(_OWN_PREFIX)
    )


def _other(value: str, named: str, scheme: str) -> bool:
    return canonical_authority(value, scheme=scheme) != canonical_authority(named, scheme=scheme)


def _text(value: bytes) -> str:
    return value.decode("latin-1")
