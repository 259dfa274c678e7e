"""Facts of a refund that a gateway judges, and conditions evaluated on them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tameflare_core.action import Access, Action, Category, Risk
from tameflare_core.policy.conditions import parse_condition
from tameflare_core.policy.facts import Facts, Truth
from tameflare_core.request import Body, OutboundRequest

REFUND: dict[str, Any] = {
    "name": "stripe.refund.create",
    "access": Access.WRITE,
    "risk": Risk.HIGH,
    "categories": frozenset({Category.FINANCIAL, Category.DESTRUCTIVE}),
    "resource": {"charge": "ch_1", "owner": "acme"},
    "params": {"amount": 5000, "currency": "eur", "reason": "fraud"},
}


@pytest.fixture
def facts() -> Callable[..., Facts]:
    def make(
        *,
        method: str = "POST",
        url: str = "https://api.stripe.com/v1/refunds",
        content_type: str = "application/json; charset=utf-8",
        body: Body | None = None,
        now: datetime = datetime(2026, 3, 2, 12, tzinfo=UTC),
        **action: Any,
    ) -> Facts:
        return Facts(
            request=OutboundRequest.from_url(
                method,
                url,
                headers=[("content-type", content_type)],
                body=body or Body.absent(),
            ),
            action=Action(**REFUND | action),
            connector="stripe",
            gateway="prod-agent",
            environment="production",
            now=now,
        )

    return make


@pytest.fixture
def truth(facts: Callable[..., Facts]) -> Callable[..., Truth]:
    def evaluate(
        document: object, /, *, folded: frozenset[str] = frozenset(), **changes: Any
    ) -> Truth:
        test = parse_condition(document).compiled(
            spelled=lambda field, value: value.lower() if field in folded else value,
            folded=folded,
        )
        return test(facts(**changes))

    return evaluate
