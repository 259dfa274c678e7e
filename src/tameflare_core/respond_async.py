"""What a client says that does not wait for approvals, and where it asks for them (RFC 7240)."""

from __future__ import annotations

import re

from tameflare_core.headers import Headers
from tameflare_core.request import OutboundRequest

__all__ = ["STATUS_HOST", "prefers_not_to_wait", "status_asked", "status_url"]

STATUS_HOST = "gateway.tameflare.invalid"
"""A name that nobody can own (RFC 6761), at which a gateway answers its own clients."""

_PATH = re.compile(r"/approvals/(apv_[0-9a-f]{32})")


def prefers_not_to_wait(headers: Headers) -> bool:
    """Whether the client asks for an answer at once, by `Prefer: respond-async`."""
    return any(
        preference.partition(";")[0].strip().lower() == "respond-async"
        for value in headers.get_all("prefer")
        for preference in value.split(",")
    )


def status_url(approval_id: str) -> str:
    """Where the client that opened an approval asks how it stands."""
    return f"https://{STATUS_HOST}/approvals/{approval_id}"


def status_asked(request: OutboundRequest) -> str | None:
    """The id of the approval that a request to `STATUS_HOST` asks about; None when it asks none."""
    found = _PATH.fullmatch(request.path)
    return found[1] if found and request.operation == "GET" else None
