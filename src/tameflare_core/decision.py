"""Decisions, verdicts with their reasons, and the refusal that an agent receives."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Self, override

from tameflare_core.action import Action
from tameflare_core.usage import Charge

__all__ = [
    "ApprovalTerms",
    "Decision",
    "Judgement",
    "ReachedLimit",
    "Refusal",
    "RewordedRefusal",
    "Role",
    "Rule",
    "RuleKind",
    "Verdict",
    "combined",
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


class RuleKind(enum.StrEnum):
    """What determined a verdict."""

    KILL_SWITCH = "kill_switch"
    BLOCKED_CATEGORY = "blocked_category"
    NO_CONNECTOR = "no_connector"
    PERMISSION = "permission"
    DEFAULT = "default"
    POLICY = "policy"
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


class Role(enum.StrEnum):
    """Who may answer an approval."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalTerms:
    """What policies ask of an approval.

    Attributes:
        timeout: seconds that the request is held at most; None for the gateway's own.
        roles: who may answer; None for everyone who may answer approvals.
    """

    timeout: float | None = None
    roles: frozenset[Role] | None = None

    def and_also(self, other: ApprovalTerms) -> ApprovalTerms:
        """What satisfies both: the shorter time, the roles that both name."""
        timeouts = [each for each in (self.timeout, other.timeout) if each is not None]
        roles = [each for each in (self.roles, other.roles) if each is not None]
        return ApprovalTerms(
            timeout=min(timeouts, default=None),
            roles=frozenset.intersection(*roles) if roles else None,
        )


_NO_TERMS = ApprovalTerms()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One action with the decision on it alone.

    Attributes:
        action: what was judged.
        decision: what the rules say about it.
        rule: the rule that said so.
        reason: in one sentence.
        terms: what the policies that want an approval ask of it.
        limits: rate and spend limits that the action counts towards, each with the judgement that
            takes this one's place when the limit is reached.
    """

    action: Action
    decision: Decision
    rule: Rule
    reason: str
    terms: ApprovalTerms = _NO_TERMS
    limits: tuple[ReachedLimit, ...] = ()

    def exceeding(self, over: Collection[Charge]) -> Judgement:
        """What takes its place where these charges are too much."""
        reached = [limit.judgement for limit in self.limits if limit.charge in over]
        if not reached:
            return self
        return dataclasses.replace(combined(reached), limits=self.limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachedLimit:
    """What becomes of an action that would go over a limit.

    Attributes:
        charge: what the action adds to the limit.
        judgement: on the action when that is too much.
    """

    charge: Charge
    judgement: Judgement


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

    @property
    def charges(self) -> tuple[Charge, ...]:
        """What the request adds to rate and spend limits."""
        return tuple(limit.charge for judged in self.judgements for limit in judged.limits)

    @property
    def asking(self) -> tuple[Judgement, ...]:
        """The judgements that want an approval."""
        return tuple(j for j in self.judgements if j.decision is Decision.REQUIRE_APPROVAL)

    @property
    def terms(self) -> ApprovalTerms:
        """What an approval of the request has to satisfy."""
        terms = _NO_TERMS
        for judgement in self.asking:
            terms = terms.and_also(judgement.terms)
        return terms


def combined(judgements: Sequence[Judgement]) -> Judgement:
    """The strictest of several judgements on one action, with the terms of all that want approval.

    Of equals the first one stands, and of policies the one whose name comes first, so that the
    order of rules never matters.

    Raises:
        ValueError: there are none.
    """
    first, *others = judgements
    others.sort(key=lambda each: (each.rule.pattern, each.rule.id))
    result = max(first, *others, key=lambda each: each.decision.strictness) if others else first
    if result.decision is not Decision.REQUIRE_APPROVAL:
        return result
    terms = _NO_TERMS
    for each in judgements:
        if each.decision is Decision.REQUIRE_APPROVAL:
            terms = terms.and_also(each.terms)
    return dataclasses.replace(result, terms=terms)


def strictest(judgements: tuple[Judgement, ...]) -> Judgement:
    """The judgement with the strictest decision; the first of equals, a kill switch before others.

    Raises:
        ValueError: there are none, which no caller may take for an allow.
    """
    return max(judgements, key=_strictness)


def _strictness(judgement: Judgement) -> tuple[int, bool]:
    return judgement.decision.strictness, judgement.rule.kind is RuleKind.KILL_SWITCH


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
