"""A gateway as the decision point sees it."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from tameflare_core.patterns import ActionPattern
from tameflare_core.testing import gateway_from

GATEWAY = gateway_from("""
    version: 1
    gateway: agent
    connectors: [{type: github, id: code}]
""")


def test_bound_connector_has_the_id_and_origins_of_its_connector() -> None:
    (bound,) = GATEWAY.connectors
    assert bound.id == "code"
    assert bound.origins == bound.connector.origins
    assert {origin.host for origin in bound.origins} == {
        "api.github.com",
        "github.com",
        "uploads.github.com",
    }


def test_gateway_is_replaced_and_never_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        GATEWAY.permissions = ()  # type: ignore[misc]


@pytest.mark.parametrize(
    "pattern",
    ["*", "github.*", "github.pr.merge", "*.pr.merge", "github.unmapped.post", "github.opaque.*"],
)
def test_pattern_that_covers_an_action_is_reachable(pattern: str) -> None:
    GATEWAY.connectors[0].check_reachable(ActionPattern(pattern))


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("stripe.*", "`stripe.*` matches nothing: this connector's actions start with `github.`"),
        ("github.pr.merg", "`github.pr.merg` matches no action of this connector"),
        ("github.pr", "`github.pr` matches no action of this connector"),
    ],
)
def test_pattern_that_covers_no_action_is_refused(pattern: str, problem: str) -> None:
    with pytest.raises(ValueError, match="matches no") as refused:
        GATEWAY.connectors[0].check_reachable(ActionPattern(pattern))
    assert str(refused.value) == problem
