"""Recorded traffic judged by another configuration: what would change.

A record has no parameters, no header fields and no body. What depends on them is told as a range,
from what would happen if no such rule applied to what would happen if all did.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tameflare_core.decision import Decision, RuleKind, Verdict
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.errors import RequestRejected
from tameflare_core.gateway import BoundConnector, Gateway
from tameflare_core.policy.rules import PolicyRule
from tameflare_core.reading import needs_body, readable_actions
from tameflare_core.recorded import Recorded, Unreadable
from tameflare_core.request import Body, OutboundRequest
from tameflare_core.usage import LocalUsage

__all__ = ["ChangeKind", "Replay", "ReplayedChange"]

_MOST_RESOURCES = 5
_MOST_LINES = 20


class ChangeKind(enum.StrEnum):
    """What another configuration would do otherwise, in the order in which it is told."""

    ALLOWED = "newly allowed"
    MAY_BE_ALLOWED = "may be allowed"
    HELD = "newly held"
    DENIED = "newly denied"
    MAY_BE_STRICTER = "may be stricter"


@dataclass(slots=True)
class ReplayedChange:
    """Requests that would be treated otherwise, all in the same way.

    Attributes:
        kind: how.
        was: what was done.
        now: what would be done, from the mildest to the strictest; one where that is certain.
        connector: the id of the connector in the other configuration; empty without one.
        actions: the names of the actions.
        rule: the id of the rule that would decide.
        reason: of the new verdict.
        count: how many requests.
        example: the first of them, `METHOD URL`.
        resources: the first few resources, and how many others there were.
    """

    kind: ChangeKind
    was: Decision
    now: tuple[Decision, ...]
    connector: str
    actions: tuple[str, ...]
    rule: str
    reason: str
    example: str
    count: int = 0
    resources: list[str] = field(default_factory=list)
    others: int = 0

    def document(self) -> dict[str, object]:
        """As plain values."""
        return {
            "kind": self.kind.value,
            "was": self.was.value,
            "now": [decision.value for decision in self.now],
            "connector": self.connector,
            "actions": list(self.actions),
            "rule": self.rule,
            "reason": self.reason,
            "count": self.count,
            "example": self.example,
            "resources": self.resources,
            "other_resources": self.others,
        }


class Replay:
    """Judges records, one after the other, in the order in which they were made.

    Limits on requests are counted from the times of the records; sums of parameters cannot be.

    Args:
        gateway: the other configuration. Kill switches are no part of it, and records of requests
            that one stopped are left out.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._blind = frozenset(rule.id for rule in gateway.policies if _looks_at_headers(rule))
        policies = tuple(
            replace(rule, condition=None) if rule.id in self._blind else rule
            for rule in gateway.policies
        )
        self._point = DecisionPoint(replace(gateway, policies=policies))
        self._mild: dict[frozenset[str], DecisionPoint] = {}
        self._usage = LocalUsage()
        self._changes: dict[tuple[object, ...], ReplayedChange] = {}
        self.read = 0
        """Lines read."""
        self.judged = 0
        """Requests that were judged again."""
        self.unchanged = 0
        """Those of them that would be treated as they were."""
        self.untold: dict[str, int] = {}
        """Why requests could not be judged again, and how many."""
        self.unreadable: list[Unreadable] = []
        """The first lines that are no records."""
        self.unreadable_count = 0
        """How many lines are no records."""

    @property
    def changes(self) -> list[ReplayedChange]:
        """What would change: the kinds in their order, the most frequent first."""
        order = list(ChangeKind)
        return sorted(
            self._changes.values(), key=lambda one: (order.index(one.kind), -one.count, one.actions)
        )

    def take(self, records: Iterable[Recorded | Unreadable]) -> None:
        """Judge records again."""
        for record in records:
            self.read += 1
            match record:
                case Unreadable(why=""):
                    self._not_told("never judged: rejected, or a destination alone")
                case Unreadable():
                    self.unreadable_count += 1
                    if len(self.unreadable) < _MOST_LINES:
                        self.unreadable.append(record)
                case Recorded(rule=RuleKind.KILL_SWITCH):
                    self._not_told("stopped by a kill switch")
                case Recorded():
                    self._judge(record)

    def document(self) -> dict[str, object]:
        """All of it as plain values."""
        return {
            "read": self.read,
            "judged": self.judged,
            "unchanged": self.unchanged,
            "untold": self.untold,
            "unreadable": self.unreadable_count,
            "changes": [change.document() for change in self.changes],
        }

    def _not_told(self, why: str) -> None:
        self.untold[why] = self.untold.get(why, 0) + 1

    def _judge(self, record: Recorded) -> None:
        try:
            request = _request(record)
        except RequestRejected:
            self._not_told("the path is not kept in full")
            return
        bound = self._point.connector_for(record.scheme, record.host, record.port)
        if bound is None:
            verdict = self._point.decide(request, record.time)
            self._compare(record, verdict, verdict)
            return
        named = _named(record, bound, request)
        if named is None:
            self._not_told("the other connector would name it otherwise")
            return
        strict = self._point.decide_actions(bound.id, named.actions, request, record.time)
        mild_point = self._without(self._unsure(bound.id, named, request))
        mild = mild_point.decide_actions(bound.id, named.actions, request, record.time)
        self._compare(record, self._counted(named, mild), self._counted(named, strict, count=True))

    def _unsure(self, connector: str, record: Recorded, request: OutboundRequest) -> frozenset[str]:
        """The rules that may or may not apply, for want of what records do not have."""
        tables = self._point.tables_of(connector)
        unsure: set[str] = set()
        for action in record.actions:
            facts = self._point.facts(tables, action, request, record.time)
            for rule in tables.policies.about(action.name):
                sums = rule.limit is not None and rule.limit.measure is not None
                if (
                    rule.id in self._blind
                    or sums
                    or (rule.reads_body and tables.policies.truth(rule, facts) is None)
                ):
                    unsure.add(rule.id)
        return frozenset(unsure)

    def _without(self, rules: frozenset[str]) -> DecisionPoint:
        if not rules:
            return self._point
        point = self._mild.get(rules)
        if point is None:
            gateway = self._point.gateway
            kept = tuple(rule for rule in gateway.policies if rule.id not in rules)
            point = self._mild[rules] = DecisionPoint(replace(gateway, policies=kept))
        return point

    def _counted(self, record: Recorded, verdict: Verdict, *, count: bool = False) -> Verdict:
        charges = verdict.charges
        if not charges or verdict.applied is Decision.DENY:
            return verdict
        ident = str(self.judged)
        over = self._usage.reserve(ident, charges, record.time)
        if over:
            return self._point.with_usage(verdict, over)
        leaves = verdict.applied is Decision.ALLOW or record.passed
        if count and leaves:
            self._usage.settle(ident)
        else:
            self._usage.give_back(ident)
        return verdict

    def _compare(self, record: Recorded, mild: Verdict, strict: Verdict) -> None:
        self.judged += 1
        kind = _kind(record.applied, mild.applied, strict.applied)
        if kind is None:
            self.unchanged += 1
            return
        now = tuple(dict.fromkeys((mild.applied, strict.applied)))
        actions = tuple(dict.fromkeys(action.name for action in strict.actions))
        key = (kind, record.applied, now, strict.connector, actions, strict.rule.id)
        change = self._changes.get(key)
        if change is None:
            change = self._changes[key] = ReplayedChange(
                kind=kind,
                was=record.applied,
                now=now,
                connector=strict.connector or "",
                actions=actions,
                rule=strict.rule.id,
                reason=strict.reason,
                example=f"{record.method} {record.scheme}://{record.host}{record.path}",
            )
        change.count += 1
        for action in strict.actions:
            _note(change, " ".join(f"{name}={value}" for name, value in action.resource.items()))


def _kind(was: Decision, mild: Decision, strict: Decision) -> ChangeKind | None:
    if mild is strict:
        if strict is was:
            return None
        return _CERTAIN[strict]
    if mild.strictness < was.strictness:
        return ChangeKind.MAY_BE_ALLOWED
    return ChangeKind.MAY_BE_STRICTER


_CERTAIN = {
    Decision.ALLOW: ChangeKind.ALLOWED,
    Decision.REQUIRE_APPROVAL: ChangeKind.HELD,
    Decision.DENY: ChangeKind.DENIED,
}


def _note(change: ReplayedChange, resource: str) -> None:
    if not resource or resource in change.resources:
        return
    if len(change.resources) < _MOST_RESOURCES:
        change.resources.append(resource)
    else:
        change.others += 1


def _request(record: Recorded) -> OutboundRequest:
    if "…" in record.path:
        raise RequestRejected("the path is not kept in full")
    url = f"{record.scheme}://{record.host}:{record.port}{record.path}"
    return OutboundRequest.from_url(record.method, url, body=Body.unread())


def _named(record: Recorded, bound: BoundConnector, request: OutboundRequest) -> Recorded | None:
    """The record with the actions that another connector would name; None where nobody knows."""
    connector = bound.connector
    # Names of a catalogue stay; those of other services are the configuration's own.
    if not connector.catalogue() and not needs_body(connector, request):
        again = readable_actions(connector, request)
        if again and {a.name for a in again} != {a.name for a in record.actions}:
            # The query is not recorded, so params may be missing.
            return replace(
                record, actions=tuple(replace(action, params_complete=False) for action in again)
            )
    known = record.actions and all(
        action.name.split(".", 1)[0] in bound.providers for action in record.actions
    )
    return record if known else None


def _looks_at_headers(rule: PolicyRule) -> bool:
    # It may or may not apply, whatever it finds in a request without header fields.
    return rule.condition is not None and "request.content_type" in rule.condition.fields
