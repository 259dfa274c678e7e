"""From a request to the actions that it would run, as its connector reads it."""

from __future__ import annotations

from collections.abc import Sequence

from tameflare_core.action import Action
from tameflare_core.connectors.base import Connector, opaque_action
from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.request import BodyState, OutboundRequest

__all__ = ["actions_of", "needs_body", "readable_actions"]


def needs_body(connector: Connector, request: OutboundRequest) -> bool:
    """Whether the body has to be read to name the actions of a request whose body is unread."""
    # A form may carry `_method`, which makes another request of it.
    is_form = request.method == "POST" and request.is_form
    if is_form and connector.takes_method_from_body(request):
        return True
    return any(connector.needs_body(variant) for variant in _variants(connector, request))


def actions_of(connector: Connector, request: OutboundRequest) -> tuple[Action, ...]:
    """Everything that `request` would do, under each method that its service may run it with.

    Raises:
        RequestRejected: it can be read in two ways.
        ValueError: the connector named no action.
    """
    if not request.ambiguities <= connector.tolerates:
        raise RequestRejected(_ambiguous(request))
    return tuple(
        action
        for variant in _variants(connector, request)
        for action in _actions(connector, variant)
    )


def readable_actions(connector: Connector, request: OutboundRequest) -> tuple[Action, ...]:
    """The actions of a request that is refused in any case, so far as they can be told."""
    try:
        if request.body.state is BodyState.UNREAD and needs_body(connector, request):
            return ()
        return actions_of(connector, request)
    except Exception:  # noqa: BLE001  # connectors may raise anything
        return ()


def _variants(connector: Connector, request: OutboundRequest) -> tuple[OutboundRequest, ...]:
    return request.variants(method_in_body=connector.takes_method_from_body(request))


def _actions(connector: Connector, request: OutboundRequest) -> Sequence[Action]:
    try:
        actions = connector.parse(request)
    except OpaqueBody:
        return (opaque_action(connector.provider, request),)
    if not actions:
        raise ValueError("the connector named no action")
    return actions


def _ambiguous(request: OutboundRequest) -> str:
    return " and ".join(sorted(ambiguity.value for ambiguity in request.ambiguities))
