"""What of a request's header goes upstream."""

from __future__ import annotations

from tameflare_core.request import OutboundRequest

__all__ = ["forwardable"]

# Fields that speak to the next hop only (RFC 9110 section 7.6.1), and those that ask it for another
# protocol: a request that was judged as HTTP must not turn into something that was not.
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "te", "trailer", "upgrade", "http2-settings", "expect"}
)
# They say where a body ends: `Connection: content-length` must not be able to take that away.
_FRAMING = frozenset({"content-length", "transfer-encoding"})
_OWN_PREFIXES = ("proxy-", "x-tameflare-")


def forwardable(request: OutboundRequest) -> OutboundRequest:
    """`request` without what is meant for this gateway: hop-by-hop, `Proxy-*` and `X-TameFlare-*`.

    A WebSocket handshake keeps its `Upgrade`. `Content-Length` and `Transfer-Encoding` stay: the
    frontend frames the body.
    """
    headers = request.headers
    named = {
        token.strip().lower()
        for value in headers.get_all("connection")
        for token in value.split(",")
    }
    # A handshake is a GET (RFC 6455 section 4.1): no other method may open a tunnel.
    websocket = (
        request.method == "GET"
        and "upgrade" in named
        and headers.get("upgrade").lower() == "websocket"
    )
    named -= _FRAMING
    dropped = [
        name
        for name, _ in headers
        if name in _HOP_BY_HOP or name in named or name.startswith(_OWN_PREFIXES)
    ]
    if not dropped:
        return request
    kept = headers.without(*dropped)
    if websocket:
        kept = kept.replacing("connection", "Upgrade").replacing("upgrade", "websocket")
    return request.with_headers(kept)
