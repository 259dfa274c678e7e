"""Decisions, verdicts with their reasons, and the refusal that an agent receives."""

from __future__ import annotations

import dataclasses
import enum
import json
from dataclasses import dataclass, field
from typing import Self, override

from tameflare_core.action import Action

__all__ = [
    "Decision",
    "EnforcementLevel",
    "Judgement",
    "Refusal",
    "RewordedRefusal",
    "Rule",
    "RuleKind",
    "Verdict",
    "strictest",
]

_PROBLEM_TYPE = "https://tameflare.dev/problems/"


class Decision(enum.StrEnum):
    """What happens to a request."""

    ALLOW = "allow"
    REQUIRE_APPROVAL = "require_approval"
    DENY = "deny"

    @property
    def strictness(self) -> int:
        """0 for allow, 1 for require_approval, 2 for deny."""
        return _STRICTNESS[self]


_STRICTNESS = {Decision.ALLOW: 0, Decision.REQUIRE_APPROVAL: 1, Decision.DENY: 2}


class EnforcementLevel(enum.StrEnum):
    """How much of a verdict a gateway acts on."""

    ENFORCE = "enforce"
    SOFT = "soft"
    MONITOR = "monitor"


class RuleKind(enum.StrEnum):
    """What determined a verdict."""

    BLOCKED_CATEGORY = "blocked_category"
    NO_CONNECTOR = "no_connector"
    PERMISSION = "permission"
    DEFAULT = "default"
    BUILTIN = "builtin"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The rule that determined a verdict.

    Attributes:
        kind: which stage it belongs to.
        id: what to look for in the configuration (`permissions[2]`), or a fixed name.
        pattern: the action pattern, category or host that matched; empty when there is none.
    """

    kind: RuleKind
    id: str
    pattern: str = ""

    def document(self) -> dict[str, str]:
        """The rule as refusals, records and explanations tell it."""
        return {"kind": self.kind.value, "id": self.id, "pattern": self.pattern}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One action with the decision on it alone."""

    action: Action
    decision: Decision
    rule: Rule
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A decision together with the rule that made it and the reason.

    Attributes:
        decision: what the rules say.
        applied: what is done about it at the gateway's enforcement level.
        rule: the rule that determined the decision.
        reason: one sentence, for the agent and for whoever reads the record.
        judgements: every action of the request, each with its own decision.
        connector: the id of the connector that owns the destination; None when there is none.
    """

    decision: Decision
    applied: Decision
    rule: Rule
    reason: str
    judgements: tuple[Judgement, ...] = ()
    connector: str | None = None

    @property
    def actions(self) -> tuple[Action, ...]:
        """Every action of the request."""
        return tuple(judgement.action for judgement in self.judgements)

    @property
    def determining(self) -> Action | None:
        """The action that the decision rests on; None when the request was never read."""
        for judgement in self.judgements:
            if judgement.decision is self.decision and judgement.rule == self.rule:
                return judgement.action
        return None


def strictest(judgements: tuple[Judgement, ...]) -> Judgement:
    """The judgement with the strictest decision; the first of equals.

    Raises:
        ValueError: there are none, which no caller may take for an allow.
    """
    return max(judgements, key=lambda judgement: judgement.decision.strictness)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An answer of ours in place of the upstream's: RFC 9457 problem details.

    Attributes:
        status: the HTTP status.
        kind: the last part of the problem's type, like `denied`.
        title: the case, the same each time.
        detail: this occurrence, in one sentence.
        hint: what to ask for next, in words that an LLM agent can act on.
        request_id: the id under which the record of the request is kept.
        verdict: the verdict behind it, if the request came that far.
        approval_id: the approval that was asked, if one was.
        headers: further header fields.
    """

    status: int
    kind: str
    title: str
    detail: str
    hint: str
    request_id: str
    verdict: Verdict | None = None
    approval_id: str | None = None
    headers: tuple[tuple[str, str], ...] = field(default=())

    def body(self) -> bytes:
        """The problem+json document."""
        document: dict[str, object] = {
            "type": _PROBLEM_TYPE + self.kind,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.verdict is not None:
            action = self.verdict.determining
            document |= {
                "decision": self.verdict.decision.value,
                "action": action.name if action else None,
                "risk": action.risk.value if action else None,
                "rule": self.verdict.rule.document(),
            }
        document |= {
            "approval_id": self.approval_id,
            "request_id": self.request_id,
            "hint": self.hint,
        }
        return json.dumps(document, separators=(",", ":")).encode()

    def fields(self) -> list[tuple[str, str]]:
        """The header fields of the answer, without `Content-Length`."""
        return [
            ("content-type", "application/problem+json"),
            ("cache-control", "no-store"),
            ("x-tameflare-request-id", self.request_id),
            *self.headers,
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class RewordedRefusal(Refusal):
    """A refusal in the words of the protocol that the client speaks, in place of problem details.

    Attributes:
        media_type: the type of `content`.
        content: the body of the answer.
    """

    media_type: str
    content: bytes

    @classmethod
    def of(cls, refusal: Refusal, *, status: int, media_type: str, content: bytes) -> Self:
        """`refusal` with another status and body, and with its own header fields."""
        own = {item.name: getattr(refusal, item.name) for item in dataclasses.fields(Refusal)}
        return cls(**own | {"status": status}, media_type=media_type, content=content)

    @override
    def body(self) -> bytes:
        return self.content

    @override
    def fields(self) -> list[tuple[str, str]]:
        _, *rest = Refusal.fields(self)
        return [("content-type", self.media_type), *rest]
