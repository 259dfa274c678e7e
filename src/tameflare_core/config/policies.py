"""Policies of a document as rules: each condition, pattern and number read and checked."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence

from tameflare_core.config.parts import (
    GatewayPart,
    LimitPart,
    PolicyPart,
    PolicyRulePart,
    ScopePart,
)
from tameflare_core.decision import ApprovalTerms, Decision
from tameflare_core.gateway import BoundConnector
from tameflare_core.patterns import ActionPattern
from tameflare_core.plugins import Plugins
from tameflare_core.policy.conditions import Condition, ConditionErrors, parse_condition
from tameflare_core.policy.quantities import Measure, Quantity, seconds
from tameflare_core.policy.rules import PolicyRule, Scope, UsageLimit
from tameflare_core.yaml_source import Place

__all__ = ["PolicyReader"]

_MAX_WINDOW = 31 * 86_400
_MOST_LISTED = 10


class PolicyReader:
    """Reads `policies`.

    Args:
        document: where they stand.
        connectors: of the gateway; a field or pattern that none of them knows is a mistake.
        plugins: for the names of other providers, which a policy for several gateways may be about.
        problem: takes what is wrong, and where.
    """

    def __init__(
        self,
        document: GatewayPart,
        connectors: Sequence[BoundConnector],
        plugins: Plugins,
        problem: Callable[[Place, str], None],
    ) -> None:
        self._document = document
        self._connectors = connectors
        self._plugins = plugins
        self._problem = problem

    def rules(self) -> tuple[PolicyRule, ...]:
        """The rules of every policy; what cannot be read is reported and left out."""
        return tuple(self._policies())

    def _policies(self) -> Iterator[PolicyRule]:
        seen: set[str] = set()
        for index, policy in enumerate(self._document.policies):
            place: Place = ("policies", index)
            if policy.name in seen:
                self._problem((*place, "name"), f"two policies are called `{policy.name}`")
            seen.add(policy.name)
            if not policy.rules:
                self._problem((*place, "rules"), "write one rule or more")
            scope = self._scope(policy.scope, (*place, "scope"))
            if scope is not None:
                yield from self._rules_of(policy, scope, place)

    def _scope(self, part: ScopePart, place: Place) -> Scope | None:
        patterns: list[ActionPattern] = []
        sound = True
        for index, text in enumerate(part.actions):
            try:
                patterns.append(ActionPattern(text))
            except ValueError as error:
                self._problem((*place, "actions", index), str(error))
                sound = False
        if not sound:
            return None
        scope = Scope(gateways=part.gateways, environments=part.environments)
        if patterns:
            scope = Scope(
                gateways=part.gateways,
                environments=part.environments,
                actions=tuple(patterns),
            )
        if self._is_ours(scope):
            for index, pattern in enumerate(patterns):
                self._check_reachable(pattern, (*place, "actions", index))
        return scope

    def _is_ours(self, scope: Scope) -> bool:
        return scope.includes(self._document.gateway, self._document.environment)

    def _check_reachable(self, pattern: ActionPattern, place: Place) -> None:
        first = pattern.segments[0]
        about = [bound for bound in self._connectors if first in {"*", *bound.providers}]
        if not about:
            others = {kind.provider for kind in self._plugins.connectors.values()}
            if first not in {"*", *others}:
                self._problem(
                    place, f"`{pattern.text}` matches nothing: no connector names `{first}.`"
                )
            return
        problem = ""
        for bound in about:
            try:
                bound.check_reachable(pattern)
            except ValueError as error:
                problem = str(error)
            else:
                return
        self._problem(place, problem)

    def _rules_of(self, policy: PolicyPart, scope: Scope, place: Place) -> Iterator[PolicyRule]:
        seen: set[str] = set()
        for index, part in enumerate(policy.rules):
            at: Place = (*place, "rules", index)
            if part.name in seen:
                self._problem((*at, "name"), f"two rules of this policy are called `{part.name}`")
            seen.add(part.name)
            condition = self._condition(part, (*at, "when"))
            if condition is not None and self._is_ours(scope):
                self._check_fields(condition, scope, (*at, "when"))
            limit = None if part.limit is None else self._limit(part.limit, (*at, "limit"))
            self._check_effect(part, at)
            yield PolicyRule(
                id=f"policies[{place[1]}].rules[{index}]",
                name=f"{policy.name}/{part.name}",
                decision=part.decision,
                scope=scope,
                condition=condition,
                reason=part.reason,
                terms=_terms(part),
                limit=limit,
            )

    def _condition(self, part: PolicyRulePart, place: Place) -> Condition | None:
        if part.when is None:
            return None
        try:
            return parse_condition(part.when)
        except ConditionErrors as error:
            for below, message in error.problems:
                self._problem((*place, *below), message)
        return None

    def _check_fields(self, condition: Condition, scope: Scope, place: Place) -> None:
        about = [bound for bound in self._connectors if _concerns(scope, bound)]
        for name in sorted(condition.fields):
            kind, _, rest = name.partition(".")
            known: list[frozenset[str] | None]
            match kind:
                case "resource":
                    known = [bound.connector.resource_fields for bound in about]
                case "params":
                    known = [bound.connector.param_fields for bound in about]
                case _:
                    continue
            field = rest.partition(".")[0]
            if about and all(names is not None and field not in names for names in known):
                told = set().union(*(names for names in known if names is not None))
                self._problem(place, _unknown_field(kind, field, told))

    def _limit(self, part: LimitPart, place: Place) -> UsageLimit | None:
        try:
            within = seconds(part.within)
            if not 0 < within <= _MAX_WINDOW:
                raise ValueError("a window is longer than nothing, and 31 days at the most")
        except ValueError as error:
            self._problem((*place, "within"), str(error))
            return None
        if part.requests is not None and part.sum is None and part.most is None:
            most = Quantity(number=part.requests, unit="")
            return UsageLimit(measure=None, most=most, within=within, per=part.per)
        if part.requests is not None or part.sum is None or part.most is None:
            self._problem(
                place, "write `requests: 100`, or `sum: params.amount` and `most: 500 EUR`"
            )
            return None
        key = "sum"
        try:
            measure = Measure.parse(part.sum)
            key = "most"
            most = Quantity.parse(part.most, part.sum)
            if most.number < 0:
                raise ValueError("a limit is 0 or more")
        except ValueError as error:
            self._problem((*place, key), str(error))
            return None
        return UsageLimit(measure=measure, most=most, within=within, per=part.per)

    def _check_effect(self, part: PolicyRulePart, place: Place) -> None:
        if part.limit is not None and part.decision is Decision.ALLOW:
            self._problem((*place, "decision"), "a limit that allows has no effect")
        if part.approval is not None and part.decision is not Decision.REQUIRE_APPROVAL:
            self._problem((*place, "approval"), "only a rule with `require_approval` asks for one")
        if part.approval is not None and part.approval.roles == ():
            self._problem(
                (*place, "approval", "roles"), "nobody could answer: name a role, or none"
            )


def _unknown_field(kind: str, field: str, known: set[str]) -> str:
    message = f"no action that the policy is about has `{kind}.{field}`"
    nearest = difflib.get_close_matches(field, known, n=1)
    if nearest:
        return f"{message}: did you mean `{kind}.{nearest[0]}`?"
    if not known:
        return f"{message}, nor any other `{kind}`"
    listed = ", ".join(f"`{kind}.{name}`" for name in sorted(known)[:_MOST_LISTED])
    return f"{message}; there are: {listed}" + (", …" if len(known) > _MOST_LISTED else "")


def _terms(part: PolicyRulePart) -> ApprovalTerms:
    if part.approval is None:
        return ApprovalTerms()
    roles = part.approval.roles
    return ApprovalTerms(
        timeout=part.approval.timeout, roles=None if roles is None else frozenset(roles)
    )


def _concerns(scope: Scope, bound: BoundConnector) -> bool:
    return any(pattern.segments[0] in {"*", *bound.providers} for pattern in scope.actions)
