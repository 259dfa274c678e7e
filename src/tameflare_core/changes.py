"""What would change a verdict, found by judging again and not by guessing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from tameflare_core.decision import Decision, Judgement, RuleKind, Verdict
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.kill_switch import KillSwitches
from tameflare_core.patterns import ActionPattern
from tameflare_core.permission import Permission
from tameflare_core.request import OutboundRequest

__all__ = ["Change", "changes"]

_MOST_STEPS = 12
_ADDED = "(added)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One step on the way to another verdict.

    Attributes:
        text: what to change, in one line.
        decision: on the request after this step and all before it; None where that cannot be told
            without more than the request.
    """

    text: str
    decision: Decision | None

    def document(self) -> dict[str, str | None]:
        """As plain values."""
        return {"text": self.text, "decision": self.decision and self.decision.value}


def changes(
    point: DecisionPoint, request: OutboundRequest, verdict: Verdict, now: datetime
) -> tuple[Change, ...]:
    """The steps that together lead to another verdict.

    For a request that is not allowed: to an allow. For one that is: the one step that ends that.

    Args:
        point: what judged the request.
        request: with its body, if that was needed.
        verdict: how it was judged.
        now: the time of the decision.
    """
    if verdict.decision is Decision.ALLOW:
        return _to_end_it(point, request, verdict, now)
    steps: list[Change] = []
    for _ in range(_MOST_STEPS):
        step = _next_step(point, request, verdict, now)
        if isinstance(step, str):
            return (*steps, Change(text=step, decision=None))
        text, point = step
        verdict = point.decide(request, now)
        steps.append(Change(text=text, decision=verdict.decision))
        if verdict.decision is Decision.ALLOW:
            break
    return tuple(steps)


type _Step = tuple[str, DecisionPoint] | str


def _to_end_it(
    point: DecisionPoint, request: OutboundRequest, verdict: Verdict, now: datetime
) -> tuple[Change, ...]:
    gateway = point.gateway
    if verdict.rule.kind is not RuleKind.PERMISSION:
        return ()
    kept = tuple(rule for rule in gateway.permissions if rule.id != verdict.rule.id)
    without = DecisionPoint(replace(gateway, permissions=kept), point.kill_switches)
    return (
        Change(text=f"{verdict.rule.id} removed", decision=without.decide(request, now).decision),
    )


def _next_step(
    point: DecisionPoint, request: OutboundRequest, verdict: Verdict, now: datetime
) -> _Step:
    """What to change about the rule that decides now; a text alone where nothing can be tried."""
    gateway, rule = point.gateway, verdict.rule
    match rule.kind:
        case RuleKind.KILL_SWITCH:
            left = KillSwitches(one for one in point.kill_switches if one.id != rule.id)
            return f"end kill switch {rule.pattern}: tf unkill {rule.id}", point.with_kill_switches(
                left
            )
        case RuleKind.BLOCKED_CATEGORY:
            blocked: Mapping[str, str] = {
                name: place
                for name, place in gateway.blocked_categories.items()
                if name != rule.pattern
            }
            text = f"take {rule.pattern} out of blocked_categories"
            return text, _with(point, blocked_categories=blocked)
        case RuleKind.NO_CONNECTOR:
            return f"add a connector for {request.scheme}://{request.authority}, and a permission"
        case RuleKind.POLICY:
            policies = tuple(own for own in gateway.policies if own.id != rule.id)
            return f"take out policy {rule.pattern} ({rule.id})", _with(point, policies=policies)
        case RuleKind.PERMISSION | RuleKind.DEFAULT:
            return _permit(point, request, verdict, now)
        case RuleKind.BUILTIN:
            return "nothing: TRACE is always denied"
        case RuleKind.ERROR:
            return "correct what makes judging fail; see the gateway's log"


def _permit(
    point: DecisionPoint, request: OutboundRequest, verdict: Verdict, now: datetime
) -> _Step:
    judged = next(each for each in verdict.judgements if each.rule == verdict.rule)
    connector = verdict.connector or ""
    for added in _permissions_for(judged, connector):
        tried = _with(point, permissions=(*point.gateway.permissions, added))
        if _is_permitted(tried, request, judged, now):
            return f"add permission {_written(added)}", tried
    # As exact a rule as can be added is there already, and the stricter one of two equals decides.
    changed = tuple(
        replace(rule, decision=Decision.ALLOW) if rule.id == judged.rule.id else rule
        for rule in point.gateway.permissions
    )
    return f"change {judged.rule.id} to allow", _with(point, permissions=changed)


def _permissions_for(judged: Judgement, connector: str) -> list[Permission]:
    action = judged.action
    plain = Permission(
        id=_ADDED,
        connector=connector,
        action=ActionPattern(action.name),
        decision=Decision.ALLOW,
    )
    # In a rule a star would stand for anything.
    resource = {key: value for key, value in action.resource.items() if "*" not in value}
    exact = replace(plain, resource=resource)
    return [plain, exact, replace(exact, access=action.access, risk=action.risk)]


def _is_permitted(
    point: DecisionPoint, request: OutboundRequest, judged: Judgement, now: datetime
) -> bool:
    again = point.decide(request, now)
    of_action = [each for each in again.judgements if each.action == judged.action]
    return all(each.rule.kind is RuleKind.POLICY or _allows(each) for each in of_action)


def _allows(judgement: Judgement) -> bool:
    return judgement.decision is Decision.ALLOW


def _written(rule: Permission) -> str:
    parts = [f"connector: {rule.connector}", f"action: {rule.action.text}"]
    if rule.access is not None:
        parts.append(f"access: {rule.access}")
    if rule.risk is not None:
        parts.append(f"risk: {rule.risk}")
    if rule.resource:
        inside = ", ".join(f"{key}: {value!r}" for key, value in rule.resource.items())
        parts.append(f"resource: {{{inside}}}")
    return f"{{{', '.join(parts)}, decision: allow}}"


def _with(point: DecisionPoint, **parts: object) -> DecisionPoint:
    change: Callable[..., object] = replace
    gateway = change(point.gateway, **parts)
    assert isinstance(gateway, type(point.gateway))
    return DecisionPoint(gateway, point.kill_switches)
