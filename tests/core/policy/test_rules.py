"""Rules of policies: what they are about, what they lead to, and what they do not know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import pytest

from tameflare_core.action import Access, Action, Risk
from tameflare_core.decision import ApprovalTerms, Decision, Judgement, Rule, RuleKind
from tameflare_core.patterns import ActionPattern
from tameflare_core.policy.conditions import parse_condition
from tameflare_core.policy.facts import Facts
from tameflare_core.policy.quantities import Measure, Quantity
from tameflare_core.policy.rules import Per, PolicyRule, PolicyTable, Scope, UsageLimit
from tameflare_core.request import OutboundRequest
from tameflare_core.testing import FIXED_TIME

ALLOW, ASK, DENY = Decision
REQUEST = OutboundRequest.from_url("POST", "https://api.example/x")
BY_PERMISSION = Rule(kind=RuleKind.PERMISSION, id="permissions[0]", pattern="x.*")


def action(
    name: str = "x.thing.make",
    access: Access = Access.WRITE,
    *,
    complete: bool = True,
    **params: object,
) -> Action:
    return Action(name=name, access=access, risk=Risk.LOW, params=params, params_complete=complete)


def rule(
    name: str = "p/r",
    decision: Decision = DENY,
    *,
    scope: Scope | None = None,
    when: Mapping[str, object] | None = None,
    reason: str = "",
    terms: ApprovalTerms | None = None,
    limit: UsageLimit | None = None,
) -> PolicyRule:
    return PolicyRule(
        id=f"id-{name}",
        name=name,
        decision=decision,
        scope=scope or Scope(),
        condition=None if when is None else parse_condition(when),
        reason=reason,
        terms=terms or ApprovalTerms(),
        limit=limit,
    )


def table(*rules: PolicyRule, gateway: str = "g", environment: str = "e") -> PolicyTable:
    return PolicyTable(
        rules,
        gateway=gateway,
        environment=environment,
        connector="c",
        spelled=lambda _, value: value,
        folded=frozenset(),
    )


def facts(of: Action) -> Facts:
    return Facts(
        request=REQUEST, action=of, connector="c", gateway="g", environment="e", now=FIXED_TIME
    )


def tightened(
    rules: PolicyTable, of: Action | None = None, permitted: Decision = ALLOW
) -> Judgement:
    of = of or action()
    given = Judgement(action=of, decision=permitted, rule=BY_PERMISSION, reason="permitted")
    return rules.tightened(given, lambda: facts(of))


AMOUNT = {"field": "params.amount", "op": "gt", "value": 10}


# Scope


@pytest.mark.parametrize(
    ("scope", "included"),
    [
        (Scope(), True),
        (Scope(gateways=("prod-*",)), True),
        (Scope(gateways=("dev", "prod-agent")), True),
        (Scope(gateways=("dev-*",)), False),
        (Scope(environments=("production",)), True),
        (Scope(environments=("staging", "prod*")), True),
        (Scope(gateways=("prod-*",), environments=("staging",)), False),
    ],
)
def test_scope_includes_gateways_and_environments(scope: Scope, included: bool) -> None:
    assert scope.includes("prod-agent", "production") is included
    found = table(rule(scope=scope), gateway="prod-agent", environment="production")
    assert bool(found.about("x.thing.make")) is included


@pytest.mark.parametrize(
    ("pattern", "name", "about"),
    [
        ("x.*", "x.thing.make", True),
        ("x.*", "x.opaque.post", True),
        ("*", "x.opaque.post", True),
        ("x.*.make", "x.thing.make", True),
        ("x.thing.make", "x.thing.make", True),
        ("x.thing.*", "x.other.make", False),
        ("x.thing.*", "x.opaque.post", False),
        ("y.*", "x.thing.make", False),
    ],
)
def test_scope_takes_patterns_by_their_text(pattern: str, name: str, about: bool) -> None:
    rules = table(rule(scope=Scope(actions=(ActionPattern(pattern),))))
    assert bool(rules.about(name)) is about


def test_rule_with_several_covering_patterns_applies_once() -> None:
    scope = Scope(actions=(ActionPattern("x.*"), ActionPattern("*"), ActionPattern("x.thing.*")))
    limit = UsageLimit(measure=None, most=Quantity(number=1), within=60, per=Per.GATEWAY)
    assert len(tightened(table(rule(scope=scope, limit=limit))).limits) == 1


# Decisions


@pytest.mark.parametrize("permitted", list(Decision))
@pytest.mark.parametrize("decision", list(Decision))
def test_rule_only_tightens(permitted: Decision, decision: Decision) -> None:
    judged = tightened(table(rule(decision=decision)), permitted=permitted)
    assert judged.decision is max(permitted, decision, key=lambda each: each.strictness)
    assert judged.rule.kind is (
        RuleKind.POLICY if decision.strictness > permitted.strictness else RuleKind.PERMISSION
    )


def test_strictest_of_several_rules_stands() -> None:
    rules = table(rule("p/ask", ASK), rule("p/deny", DENY), rule("p/allow", ALLOW))
    assert tightened(rules).rule.pattern == "p/deny"


def test_judgement_names_the_policy_and_its_reason() -> None:
    judged = tightened(table(rule("p/r", ASK, reason="because")))
    assert judged.reason == "x.thing.make needs approval by policy `p/r`: because"
    assert (judged.rule.id, judged.rule.pattern) == ("id-p/r", "p/r")


def test_rule_without_a_match_changes_nothing() -> None:
    judged = tightened(table(rule(when=AMOUNT)), action(amount=5))
    assert (judged.decision, judged.rule) == (ALLOW, BY_PERMISSION)


def test_rule_whose_condition_cannot_be_told_applies() -> None:
    judged = tightened(table(rule(when=AMOUNT)), action(complete=False))
    assert judged.decision is DENY
    assert "what it looks at cannot be told" in judged.reason


def test_rule_that_fails_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(self: object, rule: PolicyRule, facts: Facts) -> None:
        raise ZeroDivisionError("a secret")

    rules = table(rule(decision=ASK, when=AMOUNT))
    monkeypatch.setattr(PolicyTable, "truth", failing)
    judged = tightened(rules)
    assert judged.decision is DENY
    assert judged.reason.endswith("it could not be evaluated: ZeroDivisionError")


def test_approval_has_to_satisfy_every_rule_that_asks() -> None:
    judged = tightened(
        table(
            rule("p/a", ASK, terms=ApprovalTerms(timeout=60, roles=frozenset({"owner", "admin"}))),
            rule("p/b", ASK, terms=ApprovalTerms(timeout=30, roles=frozenset({"admin"}))),
            rule("p/c", ALLOW, terms=ApprovalTerms(timeout=1)),
            rule("p/d", DENY, when=AMOUNT, terms=ApprovalTerms(timeout=2)),
        ),
        action(amount=1),
    )
    assert judged.terms == ApprovalTerms(timeout=30, roles=frozenset({"admin"}))


def test_facts_are_only_asked_for_where_there_are_rules() -> None:
    def never() -> Facts:
        raise AssertionError

    given = Judgement(action=action(), decision=ALLOW, rule=BY_PERMISSION, reason="")
    rules = table(rule(scope=Scope(actions=(ActionPattern("y.*"),))))
    assert rules.tightened(given, never) is given
    assert table(rule()).tightened(replace(given, decision=DENY), never).decision is DENY


# Bodies


def test_body_is_read_for_rules_about_the_action_alone() -> None:
    about_y = Scope(actions=(ActionPattern("y.*"),))
    rules = table(rule(when=AMOUNT, scope=about_y), rule("p/plain"))
    assert rules.reads_body(lambda: ["y.thing.make"])
    assert not rules.reads_body(lambda: ["x.thing.make"])
    sums = UsageLimit(
        measure=Measure.parse("params.amount"), most=Quantity(number=1), within=1, per=Per.GATEWAY
    )
    assert table(rule(limit=sums)).reads_body(lambda: ["x.thing.make"])


def test_no_name_is_asked_for_where_no_rule_reads_bodies() -> None:
    def never() -> list[str]:
        raise AssertionError

    elsewhere = rule(when=AMOUNT, scope=Scope(gateways=("other",)))
    assert not table(rule(), elsewhere).reads_body(never)


# Limits


def limit(
    most: int | str = 100, *, measure: str | None = None, per: Per = Per.GATEWAY
) -> UsageLimit:
    return UsageLimit(
        measure=None if measure is None else Measure.parse(measure),
        most=Quantity.parse(most, measure or "params.n"),
        within=3600,
        per=per,
    )


def test_limit_leads_to_its_rule_when_it_is_reached() -> None:
    judged = tightened(table(rule(decision=ASK, limit=limit(), reason="slow down")))
    assert (judged.decision, judged.rule) == (ALLOW, BY_PERMISSION)
    (reached,) = judged.limits
    charge = reached.charge
    assert (charge.amount, charge.most, charge.within) == (1, 100, 3600)
    over = judged.exceeding([charge])
    assert over.decision is ASK
    assert over.reason.endswith("its limit is reached: slow down")
    assert over.limits == judged.limits
    assert judged.exceeding([]) is judged


@pytest.mark.parametrize(
    ("per", "key"),
    [
        (Per.GATEWAY, ("g", "p/r")),
        (Per.CONNECTOR, ("g", "p/r", "c")),
        (Per.ACTION, ("g", "p/r", "c", "x.thing.make")),
    ],
)
def test_limit_counts_separately(per: Per, key: tuple[str, ...]) -> None:
    judged = tightened(table(rule(limit=limit(per=per))))
    assert judged.limits[0].charge.key == key


@pytest.mark.parametrize(
    ("of", "amount"),
    [
        (action(amount=250), 250),
        (action(amount="250"), Decimal(250)),
        (action(access=Access.READ), 0),
    ],
    ids=["number", "text", "read without it"],
)
def test_limit_adds_what_the_request_says(of: Action, amount: object) -> None:
    judged = tightened(table(rule(limit=limit(measure="params.amount"))), of)
    assert judged.limits[0].charge.amount == amount


@pytest.mark.parametrize(
    "of",
    [
        action(),
        action(amount=-5),
        action(amount="much"),
        action(complete=False),
        action(access=Access.READ, complete=False),
    ],
    ids=["absent", "negative", "no number", "not read", "not read either"],
)
def test_limit_on_what_cannot_be_told_applies_at_once(of: Action) -> None:
    judged = tightened(table(rule(limit=limit(measure="params.amount"))), of)
    assert judged.decision is DENY
    assert "what it limits cannot be told" in judged.reason


def test_limit_in_a_currency_applies_to_any_other() -> None:
    rules = table(rule(decision=ASK, limit=limit("5.00 EUR", measure="params.amount")))
    euros = tightened(rules, action(amount=400, currency="eur"))
    assert [(r.charge.amount, r.charge.most) for r in euros.limits] == [(400, 500)]
    assert tightened(rules, action(amount=400, currency="usd")).decision is ASK
    assert tightened(rules, action(amount=400)).decision is ASK


def test_request_that_is_denied_anyway_counts_nowhere() -> None:
    judged = tightened(table(rule("p/limit", limit=limit()), rule("p/deny", DENY)))
    assert (judged.decision, judged.limits) == (DENY, ())


def test_limit_outside_of_its_condition_counts_nothing() -> None:
    rules = table(rule(when=AMOUNT, limit=limit()))
    assert tightened(rules, action(amount=5)).limits == ()
    assert len(tightened(rules, action(amount=50)).limits) == 1


def test_limit_never_loosens_what_another_rule_asks() -> None:
    judged = tightened(table(rule("p/a", ASK), rule("p/b", ASK, limit=limit())))
    over = judged.exceeding([judged.limits[0].charge])
    assert (judged.decision, over.decision) == (ASK, ASK)
    assert judged.rule.pattern == "p/a"
