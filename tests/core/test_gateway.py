"""A gateway as the decision point sees it."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

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
    assert {origin.host for origin in bound.origins} == {"api.github.com", "uploads.github.com"}


def test_gateway_is_replaced_and_never_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        GATEWAY.permissions = ()  # type: ignore[misc]
