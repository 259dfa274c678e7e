"""What a connector says of itself, and the two actions that every provider has."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tameflare_core.action import Access, Action, Risk
from tameflare_core.connectors.base import (
    Connector,
    ConnectorSettings,
    opaque_action,
    unmapped_action,
)
from tameflare_core.injection.placement import Header
from tameflare_core.request import OutboundRequest


class Smallest(Connector):
    type = "smallest"
    provider = "smallest"
    placement = Header()

    def parse(self, request: OutboundRequest) -> Sequence[Action]:
        return (opaque_action(self.provider, request),)


def request(method: str) -> OutboundRequest:
    return OutboundRequest.from_url(method, "https://a.example/x")


def test_smallest_connector_leaves_names_open_and_bodies_unread() -> None:
    connector = Smallest(ConnectorSettings(id="s"))
    assert connector.known_actions is None
    assert connector.resource_fields is None
    assert connector.param_fields is None
    assert connector.tolerates == frozenset()
    assert not connector.needs_body(request("POST"))


def test_connector_without_parse_cannot_be_built() -> None:
    abstract = type("Abstract", (Connector,), {})
    with pytest.raises(TypeError, match="parse"):
        abstract(ConnectorSettings(id="s"))


@pytest.mark.parametrize(
    ("method", "safe_reads", "name", "access"),
    [
        ("GET", True, "x.unmapped.get", Access.READ),
        ("HEAD", True, "x.unmapped.get", Access.READ),
        ("GET", False, "x.unmapped.get", Access.WRITE),
        ("POST", True, "x.unmapped.post", Access.WRITE),
        ("OPTIONS", True, "x.unmapped.options", Access.WRITE),
    ],
)
def test_unmapped_request_is_risky(
    method: str, safe_reads: bool, name: str, access: Access
) -> None:
    action = unmapped_action("x", request(method), safe_reads=safe_reads)
    assert (action.name, action.access, action.risk) == (name, access, Risk.HIGH)
    assert not action.resource_complete
    assert not action.params_complete


def test_unmapped_request_may_say_what_it_acts_on() -> None:
    action = unmapped_action("x", request("GET"), safe_reads=True, resource={"repo": "r"})
    assert action.resource == {"repo": "r"}


@pytest.mark.parametrize(("method", "name"), [("POST", "x.opaque.post"), ("HEAD", "x.opaque.get")])
def test_opaque_request_is_critical(method: str, name: str) -> None:
    action = opaque_action("x", request(method))
    assert (action.name, action.access, action.risk) == (name, Access.WRITE, Risk.CRITICAL)
    assert not action.resource_complete
    assert not action.params_complete
