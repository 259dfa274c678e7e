"""Policies: rules over an action and its request, which only ever tighten a decision."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from tameflare_core.action import Access, Action
from tameflare_core.decision import (
    ApprovalTerms,
    Decision,
    Judgement,
    ReachedLimit,
    Rule,
    RuleKind,
    combined,
)
from tameflare_core.globs import Glob
from tameflare_core.patterns import ActionPattern, PatternIndex
from tameflare_core.policy.conditions import Condition, LeafResult
from tameflare_core.policy.facts import ABSENT, Facts, Truth
from tameflare_core.policy.quantities import Measure, Quantity
from tameflare_core.usage import Charge

__all__ = ["Per", "PolicyRule", "PolicyTable", "Scope", "UsageLimit"]

type Test = Callable[[Facts], Truth]

_EVERYTHING = (ActionPattern("*"),)
_NEEDS = {
    Decision.ALLOW: "is allowed by",
    Decision.REQUIRE_APPROVAL: "needs approval by",
    Decision.DENY: "is denied by",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a policy is about.

    Attributes:
        gateways: names, with `*` for any run of characters; empty for every gateway.
        environments: the same.
        actions: patterns over the text of action names. They cover what cannot be read as well
            where it is written out, like `github.opaque.*`, or where they end in `<provider>.*`.
    """

    gateways: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    actions: tuple[ActionPattern, ...] = _EVERYTHING

    def includes(self, gateway: str, environment: str) -> bool:
        """Whether the policy is about a gateway at all."""
        return _listed(gateway, self.gateways) and _listed(environment, self.environments)


class Per(enum.StrEnum):
    """What a limit counts separately."""

    GATEWAY = "gateway"
    CONNECTOR = "connector"
    ACTION = "action"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLimit:
    """How much of something may pass within a sliding window.

    Attributes:
        measure: the number that each request adds; None counts requests.
        most: the largest sum.
        within: the window, in seconds.
        per: what is counted separately.
    """

    measure: Measure | None
    most: Quantity
    within: float
    per: Per

    def __str__(self) -> str:
        unit = f" {self.most.unit}" if self.most.unit else ""
        what = "requests" if self.measure is None else f"{unit.strip()} {self.measure.field.name}"
        return f"{self.most.number} {what.strip()} in {self.within:g} s per {self.per}"

    def amount(self, facts: Facts) -> int | Decimal | None:
        """What a request adds; None when that cannot be told."""
        if self.measure is None:
            return 1
        amount = self.measure.of(facts, self.most.unit)
        if amount is None and facts.action.access is Access.READ:
            # Reading a refund refunds nothing.
            return 0 if self.measure.field.read(facts) is ABSENT else None
        return amount


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRule:
    """One rule of a policy.

    Attributes:
        id: where it stands in the configuration, `policies[0].rules[1]`.
        name: the policy's name and its own, `protect-main/merges-to-main`.
        scope: the policy's.
        condition: when it applies; None for always.
        decision: what it leads to.
        reason: why, for whoever is refused or asked.
        terms: what an approval has to satisfy.
        limit: what may pass before the rule applies; None for nothing.
    """

    id: str
    name: str
    decision: Decision
    scope: Scope = Scope()
    condition: Condition | None = None
    reason: str = ""
    terms: ApprovalTerms = field(default_factory=ApprovalTerms)
    limit: UsageLimit | None = None

    @property
    def reads_body(self) -> bool:
        """Whether it looks at what may stand in a request's body."""
        if self.limit is not None and self.limit.measure is not None:
            return True
        return self.condition is not None and self.condition.reads_body


class PolicyTable:
    """The rules of one gateway that can be about one connector's actions, found by action.

    Args:
        rules: those of every policy.
        gateway, environment: of the gateway; rules of policies that are not about it are left out.
        connector: the connector's id.
        spelled: puts a value of a resource field into the connector's spelling.
        folded: resource fields whose values are in lower case.
    """

    def __init__(
        self,
        rules: Iterable[PolicyRule],
        *,
        gateway: str,
        environment: str,
        connector: str,
        spelled: Callable[[str, str], str],
        folded: frozenset[str],
    ) -> None:
        self._gateway = gateway
        self._connector = connector
        self._spelled = spelled
        self._folded = folded
        self._tests: dict[str, Test] = {}
        in_scope = [rule for rule in rules if rule.scope.includes(gateway, environment)]
        self._may_read_body = any(rule.reads_body for rule in in_scope)
        # Of a scope's patterns several may cover a name, and its rule applies once.
        self._rules = PatternIndex(
            ((pattern, rule) for rule in in_scope for pattern in rule.scope.actions),
            ActionPattern.covers,
        )

    def about(self, action_name: str) -> tuple[PolicyRule, ...]:
        """The rules that are about an action, whether they apply or not."""
        return tuple(dict.fromkeys(self._rules.find(action_name)))

    def reads_body(self, action_names: Callable[[], Iterable[str]]) -> bool:
        """Whether a rule about one of the actions looks at what may stand in the body.

        Args:
            action_names: only called where some rule does.
        """
        if not self._may_read_body:
            return False
        return any(rule.reads_body for name in action_names() for rule in self.about(name))

    def tightened(self, judgement: Judgement, facts: Callable[[], Facts]) -> Judgement:
        """`judgement` with the rules taken into account, whatever order they stand in.

        Args:
            judgement: what permissions say about an action.
            facts: what the rules look at; only called where there are rules about the action.
        """
        found = self._rules.find(judgement.action.name)
        if not found or judgement.decision is Decision.DENY:
            return judgement
        known = facts()
        effects = [self._effect(rule, judgement, known) for rule in dict.fromkeys(found)]
        now = [effect for effect in effects if isinstance(effect, Judgement)]
        result = combined([judgement, *now])
        if result.decision is Decision.DENY:
            return result
        limits = tuple(
            ReachedLimit(charge=effect.charge, judgement=combined([result, effect.judgement]))
            for effect in effects
            if isinstance(effect, ReachedLimit)
        )
        return replace(result, limits=limits) if limits else result

    def truth(self, rule: PolicyRule, facts: Facts) -> Truth:
        """Whether a rule applies, apart from its limit; None where that cannot be told."""
        if rule.condition is None:
            return True
        test = self._tests.get(rule.id)
        if test is None:
            test = rule.condition.compiled(spelled=self._spelled, folded=self._folded)
            self._tests[rule.id] = test
        return test(facts)

    def told(self, rule: PolicyRule, facts: Facts) -> tuple[LeafResult, ...]:
        """What each comparison of a rule makes of `facts`, for an explanation."""
        if rule.condition is None:
            return ()
        return rule.condition.told(facts, spelled=self._spelled, folded=self._folded)

    def _effect(
        self, rule: PolicyRule, judgement: Judgement, facts: Facts
    ) -> Judgement | ReachedLimit | None:
        action, limit = judgement.action, rule.limit
        try:
            truth = self.truth(rule, facts)
            if truth is False:
                return None
            why = "" if truth else "what it looks at cannot be told"
            if limit is None:
                return _judged(rule, action, why)
            amount = limit.amount(facts)
        except Exception as error:  # noqa: BLE001  # INVARIANT: a rule that fails denies
            why = f"it could not be evaluated: {type(error).__name__}"
            return _judged(rule, action, why, decision=Decision.DENY)
        if amount is None:
            return _judged(rule, action, "what it limits cannot be told")
        charge = Charge(
            key=(self._gateway, rule.name, *self._counted(limit.per, action)),
            amount=amount,
            most=limit.most.number,
            within=limit.within,
        )
        return ReachedLimit(charge=charge, judgement=_judged(rule, action, "its limit is reached"))

    def _counted(self, per: Per, action: Action) -> tuple[str, ...]:
        match per:
            case Per.GATEWAY:
                return ()
            case Per.CONNECTOR:
                return (self._connector,)
            case Per.ACTION:
                return (self._connector, action.name)


def _judged(
    rule: PolicyRule, action: Action, why: str, *, decision: Decision | None = None
) -> Judgement:
    decision = decision or rule.decision
    told = f"{action.name} {_NEEDS[decision]} policy `{rule.name}`"
    return Judgement(
        action=action,
        decision=decision,
        rule=Rule(kind=RuleKind.POLICY, id=rule.id, pattern=rule.name),
        reason=": ".join(filter(None, (told, why, rule.reason))),
        terms=rule.terms,
    )


def _listed(name: str, globs: tuple[str, ...]) -> bool:
    return not globs or any(Glob(text).matches(name) for text in globs)
