"""The corpus, judged without a connection: what the decision point makes of each request."""

from __future__ import annotations

from collections import Counter

import pytest

from tameflare_core.decision import Decision, RuleKind
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.errors import RequestRejected
from tameflare_core.request import OutboundRequest
from tameflare_core.testing import FIXED_TIME, gateway_from
from tests.corpus.cases import GATEWAYS, Case, Expected, cases_for

POINTS = {name: DecisionPoint(gateway_from(text)) for name, text in GATEWAYS.items()}
CASES = cases_for("core")
OUTCOMES = {
    Decision.ALLOW: Expected.ALLOW,
    Decision.REQUIRE_APPROVAL: Expected.ASK,
    Decision.DENY: Expected.DENY,
}


def built(case: Case) -> OutboundRequest:
    if case.url:
        return OutboundRequest.from_url(case.method, case.url, headers=case.headers, body=case.body)
    return OutboundRequest.build(
        method=case.method,
        scheme=case.scheme,
        authority=case.authority,
        target=case.target,
        headers=case.headers,
        body=case.body,
    )


@pytest.mark.parametrize("gateway", GATEWAYS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_request_is_judged_as_the_corpus_says(case: Case, gateway: str) -> None:
    try:
        verdict = POINTS[gateway].decide(built(case), FIXED_TIME)
    except RequestRejected:
        outcome = Expected.BAD
    else:
        outcome = OUTCOMES[verdict.applied]
        assert verdict.rule.kind is not RuleKind.ERROR
    assert outcome is case.expected(gateway), case.note


def test_each_case_has_an_id_of_its_own() -> None:
    counts = Counter(case.id for driver in ("core", "wire") for case in set(cases_for(driver)))
    assert {name for name, count in counts.items() if count > 2} == set()
    assert len({case.id for case in CASES}) == len(CASES)


def test_no_case_is_allowed_more_by_the_strict_gateway() -> None:
    order = [Expected.ALLOW, Expected.ASK, Expected.DENY, Expected.BAD]
    for case in CASES:
        assert order.index(case.strict) >= order.index(case.lenient), case.id
