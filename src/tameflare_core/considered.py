"""Every rule that was considered for a request, and why each decided or lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from tameflare_core.action import Action
from tameflare_core.decision import Judgement, RuleKind, Verdict
from tameflare_core.decision_point import DecisionPoint, Tables
from tameflare_core.kill_switch import KillSwitches
from tameflare_core.permission import Permission
from tameflare_core.policy.facts import Facts
from tameflare_core.policy.rules import PolicyRule
from tameflare_core.request import OutboundRequest

__all__ = ["ActionConsidered", "RuleConsidered", "consider", "permission_text"]

# The parts of a permission's specificity, in the order in which they are compared.
_CRITERIA = (
    "an exact action goes before a pattern",
    "more literal segments go first",
    "a longer literal prefix goes first",
    "more constraints go first",
    "the stricter decision goes first",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleConsidered:
    """One rule, and what came of it.

    Attributes:
        kind: which stage it belongs to.
        id: where it stands in the configuration, or the id of a kill switch.
        text: what it says, on one line.
        outcome: `decides`, `applies` (another rule is as strict, or stricter), `gives way`, `does
            not match`, `cannot be told` or `failed`.
        why: how that came; empty where the outcome says it.
    """

    kind: RuleKind
    id: str
    text: str
    outcome: str
    why: str = ""

    def document(self) -> dict[str, str]:
        """As plain values."""
        return {
            "kind": self.kind.value,
            "id": self.id,
            "text": self.text,
            "outcome": self.outcome,
            "why": self.why,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionConsidered:
    """One action of a request with every rule about it.

    Attributes:
        judgement: what came of the action.
        rules: kill switches, blocked categories, permissions and policies, in the order in which
            they are asked.
    """

    judgement: Judgement
    rules: tuple[RuleConsidered, ...]

    @property
    def action(self) -> Action:
        """The action."""
        return self.judgement.action

    def document(self) -> dict[str, object]:
        """As plain values."""
        return {
            "action": self.action.name,
            "decision": self.judgement.decision.value,
            "rules": [rule.document() for rule in self.rules],
        }


def consider(
    point: DecisionPoint, request: OutboundRequest, verdict: Verdict, now: datetime
) -> tuple[ActionConsidered, ...]:
    """What was considered for each action of a request that was judged.

    Args:
        point: what judged it.
        request: with its body, if that was needed.
        verdict: how it was judged.
        now: the time of the decision.
    """
    if verdict.connector is None:
        return ()
    tables = point.tables_of(verdict.connector)
    return tuple(
        ActionConsidered(
            judgement=judgement,
            rules=(
                *_kill_switches(point, verdict, judgement),
                *_categories(point, request, judgement),
                *_permissions(tables, judgement),
                *_policies(tables, judgement, point.facts(tables, judgement.action, request, now)),
            ),
        )
        for judgement in verdict.judgements
    )


def permission_text(rule: Permission) -> str:
    """A permission on one line, like `github.* access=read → allow`."""
    limits = [
        f"{name}={value}"
        for name, value in (
            ("access", rule.access),
            ("risk", rule.risk),
            ("category", rule.category),
            *rule.resource.items(),
        )
        if value is not None
    ]
    return f"{' '.join((rule.action.text, *limits))} → {rule.decision}"


def _kill_switches(
    point: DecisionPoint, verdict: Verdict, judgement: Judgement
) -> Iterator[RuleConsidered]:
    for switch in point.kill_switches:
        alone = point.with_kill_switches(KillSwitches([switch]))
        if alone.stopped_by(verdict) is not None:
            decides = judgement.rule.id == switch.id
            yield RuleConsidered(
                kind=RuleKind.KILL_SWITCH,
                id=switch.id,
                text=f"kill switch {switch.scope} by {switch.by}: {switch.reason}",
                outcome="decides" if decides else "applies",
            )


def _categories(
    point: DecisionPoint, request: OutboundRequest, judgement: Judgement
) -> Iterator[RuleConsidered]:
    gateway = point.gateway
    for category, place in gateway.blocked_categories.items():
        of_host = category in gateway.host_categories.of(request.host)
        if of_host or category in judgement.action.categories:
            what = request.host if of_host else judgement.action.name
            yield RuleConsidered(
                kind=RuleKind.BLOCKED_CATEGORY,
                id=place,
                text=f"blocked category {category}",
                outcome="decides" if judgement.rule.id == place else "applies",
                why=f"{what} is in it",
            )


def _permissions(tables: Tables, judgement: Judgement) -> Iterator[RuleConsidered]:
    action = judgement.action
    deciding = tables.permissions.most_specific(action)
    for rule in tables.permissions.covering(action.name):
        outcome, why = _fate(rule, deciding, judgement)
        yield RuleConsidered(
            kind=RuleKind.PERMISSION,
            id=rule.id,
            text=permission_text(rule),
            outcome=outcome,
            why=why,
        )


def _fate(rule: Permission, deciding: Permission | None, judgement: Judgement) -> tuple[str, str]:
    action = judgement.action
    if not rule.action.permits(action.name):
        guarded = action.name.split(".")[1]
        return "does not match", f"only a pattern that writes out `{guarded}` reaches it"
    failed = rule.failed_constraint(action)
    if failed:
        return "does not match", failed
    if deciding is None or rule.id == deciding.id:
        if judgement.rule.id == rule.id:
            return "decides", ""
        return "gives way", f"{judgement.rule.kind.value.replace('_', ' ')} decides"
    for own, other, why in zip(rule.specificity, deciding.specificity, _CRITERIA, strict=True):
        if own != other:
            return "gives way", f"{why}: {deciding.id}"
    return "applies", f"as specific as {deciding.id}, with the same decision"


def _policies(tables: Tables, judgement: Judgement, facts: Facts) -> Iterator[RuleConsidered]:
    for rule in tables.policies.about(judgement.action.name):
        outcome, why = _effect(tables, rule, judgement, facts)
        condition = "always" if rule.condition is None else "when"
        limit = "" if rule.limit is None else f" above {rule.limit}"
        yield RuleConsidered(
            kind=RuleKind.POLICY,
            id=rule.id,
            text=f"policy {rule.name} {condition}{limit} → {rule.decision}",
            outcome=outcome,
            why=why,
        )


def _effect(
    tables: Tables, rule: PolicyRule, judgement: Judgement, facts: Facts
) -> tuple[str, str]:
    try:
        truth = tables.policies.truth(rule, facts)
        leaves = tables.policies.told(rule, facts)
        amount = None if rule.limit is None else rule.limit.amount(facts)
    except Exception as error:  # noqa: BLE001  # rules may raise anything; then they deny
        return "failed", f"{type(error).__name__}: a policy that fails denies"
    told = "; ".join(f"{leaf.text}: {_TRUTHS[leaf.truth]}, it is {leaf.actual}" for leaf in leaves)
    if truth is False:
        return "does not match", told
    if rule.limit is not None and amount is not None:
        counted = f"adds {amount}, counted when it is sent"
        return "applies", "; ".join(filter(None, (told, counted)))
    if rule.limit is not None:
        told = "; ".join(filter(None, (told, "what it limits cannot be told")))
    if judgement.rule.id == rule.id:
        return "decides", told
    return ("cannot be told" if truth is None else "applies"), told


_TRUTHS = {True: "true", False: "false", None: "cannot be told"}
