"""An approval: a held request waiting for a human."""

from __future__ import annotations

import enum
import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from tameflare_core.decision import Role, Verdict
from tameflare_core.request import OutboundRequest

__all__ = [
    "LONGEST_GRANT",
    "Answer",
    "Approval",
    "ApprovalState",
    "Grant",
    "Subject",
    "fingerprint",
    "preview",
    "preview_line",
]

LONGEST_GRANT = 86_400.0
"""Seconds that an approval can be widened to at the most."""

PREVIEW_LENGTH = 2000
"""Characters of a body that an approver is shown."""

PREVIEW_LINES = 60
"""Lines of a body that an approver is shown, so that it cannot scroll the question away."""

LINE_LENGTH = 300
"""Characters of a name or URL that are shown."""

# Printable by their category, and yet nothing or a blank on the screen: fillers, selectors of glyph
# variants, the braille blank. The others of this kind are not printable by their category.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U00016fe4\U0001d159\U000e0100-\U000e01ef]"
)
# Stacked higher, marks run over the lines above and below.
_MOST_MARKS = 2
_OVERLAY = 1


# What a client says about itself, its wishes for the answer, the connection, and its tracing.
_CHANGING = frozenset(
    {
        "accept",
        "accept-charset",
        "accept-encoding",
        "accept-language",
        "baggage",
        "cache-control",
        "content-length",
        "date",
        "host",
        "idempotency-key",
        "pragma",
        "prefer",
        "priority",
        "sentry-trace",
        "traceparent",
        "tracestate",
        "transfer-encoding",
        "user-agent",
        "x-correlation-id",
        "x-request-id",
    }
)
_CHANGING_PREFIXES = ("sec-", "x-b3-", "x-datadog-", "x-stainless-", "x-stripe-client-")


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
        widened: seconds for which the approver wants the same actions on the same resources to pass
            without being asked again; None for this request alone.
        grant: what came of that, once the answer is taken.
    """

    state: ApprovalState
    by: str = ""
    note: str = ""
    widened: float | None = None
    grant: Grant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A question to a human about one held request.

    Attributes:
        id: `apv_…`.
        gateway: the name of the gateway.
        request: what would be sent; without the credential, which is injected afterwards.
        shown_url: its URL as it may be shown, without a secret that is part of its path.
        verdict: why it is held.
        fingerprint: what the answer is good for: this gateway, method, URL and body, once.
        created: when it was opened.
        timeout: seconds until it expires.
        roles: who may answer; None for everyone who may answer approvals.
        revision: of the gateway's configuration.
    """

    id: str
    gateway: str
    request: OutboundRequest
    shown_url: str
    verdict: Verdict
    fingerprint: str
    created: datetime
    timeout: float
    roles: frozenset[Role] | None = None
    revision: str = ""

    @property
    def subjects(self) -> frozenset[Subject] | None:
        """What a wider approval would be about; None when this one cannot be widened.

        That is so where the request does not tell what it acts on, and where a limit asks: it would
        be no limit any more.
        """
        asking = self.verdict.asking
        if not asking or not all(j.action.resource_complete for j in asking):
            return None
        if any(limit.judgement.rule == j.rule for j in asking for limit in j.limits):
            return None
        return frozenset(
            Subject(
                connector=self.verdict.connector or "",
                action=j.action.name,
                resource=tuple(sorted(j.action.resource.items())),
                rule=j.rule.id,
            )
            for j in asking
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a grant is about: an action on a resource that a rule asks about.

    Attributes:
        connector: the connector's id.
        action: the action's name.
        resource: every resource field with its value, sorted.
        rule: the id of the rule that asks.
    """

    connector: str
    action: str
    resource: tuple[tuple[str, str], ...]
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """An approval that a human widened on purpose: the same actions on the same resources, a while.

    Attributes:
        id: `grt_…`.
        approval_id: the approval that it came from.
        gateway: the name of the gateway.
        revision: of the gateway's configuration; under another one nothing is covered.
        subjects: what it covers.
        by: who widened the approval.
        created, expires: from when until when.
    """

    id: str
    approval_id: str
    gateway: str
    revision: str
    subjects: frozenset[Subject]
    by: str
    created: datetime
    expires: datetime


def fingerprint(gateway: str, request: OutboundRequest) -> str:
    """SHA-256 over gateway, method, URL, body and header fields.

    A header may say whose account a request is about, so all of them go in but those that clients
    change from one try to the next and that no service acts by. Each part goes in with its length,
    so that none runs over into the next. Of a body that is larger than what is inspected, its
    beginning goes in: a push names there, by hash, all that follows.
    """
    digest = hashlib.sha256()
    headers = sorted(
        part
        for part in request.headers
        if part[0] not in _CHANGING and not part[0].startswith(_CHANGING_PREFIXES)
    )
    fields = (text for part in headers for text in part)
    methods = ",".join(variant.method for variant in request.variants())
    for part in (gateway, methods, request.url, *fields, request.body.state.name):
        digest.update(len(part.encode()).to_bytes(8) + part.encode())
    digest.update(request.body.data)
    return digest.hexdigest()


def preview(data: bytes, *, limit: int = PREVIEW_LENGTH) -> str:
    """Render untrusted bytes for a human: bounded, and with nothing in it that can mislead.

    Control characters, escape sequences, what is invisible, what changes the direction of text, and
    marks that pile up or strike through come out as escapes. Lines stay lines.

    Args:
        data: what to show; not necessarily UTF-8.
        limit: characters at the most.
    """
    start = data[: limit * 4]
    text = start.decode("utf-8", errors="backslashreplace")
    whole = len(text) <= limit and len(start) == len(data)
    lines = text[:limit].split("\n", PREVIEW_LINES)
    if len(lines) > PREVIEW_LINES:
        whole = False
        del lines[PREVIEW_LINES:]
    shown = "\n".join(map(_escaped, lines))
    return shown if whole else f"{shown}… ({len(data)} bytes in all)"


def preview_line(text: str, *, limit: int = LINE_LENGTH) -> str:
    """Render an untrusted name, URL or message on one line: as `preview`, with escaped line ends.

    Args:
        text: what to show.
        limit: characters at the most.
    """
    shown = _escaped(text[:limit])
    return shown if len(text) <= limit else f"{shown}… ({len(text)} characters in all)"


def _escaped(line: str) -> str:
    if line.isascii() and line.isprintable():
        return line
    shown: list[str] = []
    marks = _MOST_MARKS  # a mark at the start would sit on what stands before the text
    for char in line:
        category = unicodedata.category(char)
        plain = category != "Me"
        if category == "Mn":
            marks += 1
            plain = marks <= _MOST_MARKS and unicodedata.combining(char) != _OVERLAY
        else:
            marks = 0 if char.isalpha() else _MOST_MARKS
        # isprintable() is false for Unicode's "other" and "separator" groups: bidi controls,
        # zero-width characters, tags, private use. Look-alike letters stay letters; they are not
        # ours to judge.
        if plain and char.isprintable() and not _INVISIBLE.match(char):
            shown.append(char)
        else:
            shown.append(char.encode("unicode_escape").decode("ascii"))
    return "".join(shown)
