"""An approval: a held request waiting for a human."""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass
from datetime import datetime

from tameflare_core.decision import Verdict
from tameflare_core.request import OutboundRequest

__all__ = ["Answer", "Approval", "ApprovalState", "fingerprint", "preview"]

PREVIEW_LENGTH = 2000
"""Characters of a body that an approver is shown."""


class ApprovalState(enum.StrEnum):
    """Where an approval stands; all but `pending` are final."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    KILLED = "killed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How an approval ended.

    Attributes:
        state: a final state.
        by: who answered; empty when nobody did.
        note: what they said; it is passed on to the agent.
    """

    state: ApprovalState
    by: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A question to a human about one held request.

    Attributes:
        id: `apv_…`.
        gateway: the name of the gateway.
        request: what would be sent; without the credential, which is injected afterwards.
        verdict: why it is held.
        fingerprint: what the answer is good for: this gateway, method, URL and body, once.
        created: when it was opened.
        timeout: seconds until it expires.
    """

    id: str
    gateway: str
    request: OutboundRequest
    verdict: Verdict
    fingerprint: str
    created: datetime
    timeout: float


def fingerprint(gateway: str, request: OutboundRequest) -> str:
    """SHA-256 over gateway, method, URL and body, each with its length so that none runs over."""
    digest = hashlib.sha256()
    for part in (gateway, request.method, request.url, request.body.state.name):
        digest.update(len(part.encode()).to_bytes(8) + part.encode())
    digest.update(request.body.data)
    return digest.hexdigest()


def preview(data: bytes, *, limit: int = PREVIEW_LENGTH) -> str:
    """Render untrusted bytes for a human: bounded, and with nothing in it that can mislead.

    Control characters, escape sequences, zero-width and bidirectional characters, and everything
    else that is not printable or could pass for something else come out as escapes.
    """
    text = data[: limit * 4].decode("utf-8", errors="backslashreplace")
    cut = len(text) > limit or len(data) > limit * 4
    shown = "".join(_shown(char) for char in text[:limit])
    return f"{shown}… ({len(data)} bytes in all)" if cut else shown


def _shown(char: str) -> str:
    if char == "\n" or (char.isascii() and char.isprintable()):
        return char
    # isprintable() is false for Unicode's "other" and "separator" groups: bidi controls, zero-width
    # characters, tags, private use. Look-alike letters stay letters; they are not ours to judge.
    return char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
