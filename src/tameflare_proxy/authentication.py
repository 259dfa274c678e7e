"""Which gateway a client speaks for: the token in `Proxy-Authorization`."""

from __future__ import annotations

import base64
import binascii

from tameflare_core.decision import Refusal
from tameflare_core.errors import ControlPlaneUnreachable

__all__ = ["control_plane_unreachable", "presented_token", "token_required"]


def presented_token(value: str | None) -> str | None:
    """The token in a `Proxy-Authorization` value: `Bearer TOKEN`, or `Basic` with it as user name.

    Returns:
        The token, unchecked; None when there is none.
    """
    scheme, _, rest = (value or "").strip().partition(" ")
    rest = rest.strip()
    if scheme.lower() == "bearer":
        return rest or None
    if scheme.lower() != "basic":
        return None
    try:
        user = base64.b64decode(rest, validate=True).decode("utf-8").partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return None
    return user or None


def token_required(request_id: str) -> Refusal:
    """407: no token, or not one that this proxy knows."""
    return Refusal(
        status=407,
        kind="token-required",
        title="Gateway token required",
        detail="the request carries no gateway token that is known here",
        hint="Run the program with `tf run`, or set HTTPS_PROXY to http://TOKEN:@HOST:PORT with the"
        " gateway's token as user name and an empty password.",
        request_id=request_id,
        headers=(("proxy-authenticate", 'Basic realm="tameflare"'),),
    )


def control_plane_unreachable(error: ControlPlaneUnreachable, request_id: str) -> Refusal:
    """503: nobody has ever said here what this token may do."""
    return Refusal(
        status=503,
        kind="control-plane-unreachable",
        title="Control plane unreachable",
        detail=str(error),
        hint="Nothing was sent upstream. Wait, and try again; if it lasts, tell the user: the"
        " gateway's operator can see why with `tf status`.",
        request_id=request_id,
        headers=(("retry-after", "5"),),
    )
