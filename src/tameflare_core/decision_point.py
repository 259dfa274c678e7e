"""The decision point: a pure function from a request and a gateway to a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tameflare_core.action import Action, Risk
from tameflare_core.connectors.base import Connector, opaque_action
from tameflare_core.connectors.matching import OriginIndex
from tameflare_core.decision import (
    Decision,
    EnforcementLevel,
    Judgement,
    Rule,
    RuleKind,
    Verdict,
    strictest,
)
from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.gateway import BoundConnector, Gateway
from tameflare_core.permission import PermissionTable
from tameflare_core.request import BodyState, OutboundRequest

__all__ = ["DecisionPoint"]

_NO_CONNECTOR = Rule(kind=RuleKind.NO_CONNECTOR, id="no_connector")
_NO_PERMISSION = Rule(kind=RuleKind.DEFAULT, id="default")
_NO_TRACE = Rule(kind=RuleKind.BUILTIN, id="trace")
_FAILED = Rule(kind=RuleKind.ERROR, id="error")

_UNSHOWN = "/…"

_PERMITTED = {
    Decision.ALLOW: "is allowed by permission",
    Decision.REQUIRE_APPROVAL: "needs approval by permission",
    Decision.DENY: "is denied by permission",
}


class DecisionPoint:
    """Judges the requests of one gateway.

    It touches no network, disk, clock or lock; the gateway is compiled once, here, and never
    changes: a new configuration is a new decision point.

    Args:
        gateway: what to judge by.

    Raises:
        ValueError: two connectors own the same origin.
    """

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._owners = OriginIndex(gateway.connectors)
        self._permissions = {
            bound.id: PermissionTable(
                rule for rule in gateway.permissions if rule.connector == bound.id
            )
            for bound in gateway.connectors
        }

    def connector_for(self, scheme: str, host: str, port: int) -> BoundConnector | None:
        """The connector that owns a canonical destination; None when there is none."""
        return self._owners.find(scheme, host, port)

    def decide_destination(self, host: str, port: int) -> Verdict | None:
        """Judge a destination of which nothing but host and port is known.

        Returns:
            A verdict when no request to it can be allowed; None when that depends on the request.
        """
        if any(self.connector_for(scheme, host, port) for scheme in ("https", "http")):
            return None
        verdict = self._unowned(f"{host}:{port}")
        return verdict if verdict.applied is Decision.DENY else None

    def needs_body(self, request: OutboundRequest) -> bool:
        """Whether the body has to be read before `request` can be judged."""
        if request.body.state is not BodyState.UNREAD:
            return False
        bound = self.connector_for(request.scheme, request.host, request.port)
        if bound is None:
            return False
        connector = bound.connector
        # A form may carry `_method`, which makes another request of it.
        is_form = request.method == "POST" and request.is_form
        if is_form and connector.takes_method_from_body(request):
            return True
        return any(connector.needs_body(variant) for variant in _variants(connector, request))

    def decide(self, request: OutboundRequest, now: datetime) -> Verdict:
        """Judge a request; whatever goes wrong while judging is a deny.

        Args:
            request: in its canonical form, with its body if `needs_body` asked for it.
            now: the time that rules refer to.

        Raises:
            RequestRejected: the connector finds that the request can be read in two ways.
        """
        bound = self.connector_for(request.scheme, request.host, request.port)
        if bound is None:
            # Nothing about the path decides, so it need not have one reading either.
            return self._unowned(f"{request.scheme}://{request.authority}")
        try:
            actions = _read(bound, request)
            judgements = tuple(self._judge(bound, action) for action in actions)
            if request.method == "TRACE":
                judgements = tuple(map(_without_trace, judgements))
            deciding = strictest(judgements)
        except RequestRejected:
            raise
        except Exception as error:  # noqa: BLE001  # connectors may raise anything
            # INVARIANT: an error while judging never lets a request pass.
            return Verdict(
                decision=Decision.DENY,
                applied=Decision.DENY,
                rule=_FAILED,
                reason=f"the request could not be judged: {type(error).__name__}",
                connector=bound.id,
            )
        return Verdict(
            decision=deciding.decision,
            applied=self._applied(deciding, judgements, request),
            rule=deciding.rule,
            reason=deciding.reason,
            judgements=judgements,
            connector=bound.id,
        )

    def shown_path(self, request: OutboundRequest) -> str:
        """The path of `request` as it may be shown and kept: without a secret that is in it."""
        bound = self.connector_for(request.scheme, request.host, request.port)
        if bound is None:
            return request.path
        try:
            return bound.connector.shown_path(request)
        except Exception:  # noqa: BLE001  # connectors may raise anything
            return _UNSHOWN

    def shown_url(self, request: OutboundRequest) -> str:
        """The URL of `request` with the path that `shown_path` gives.

        Where the path holds a secret, the query is taken to hold one as well, unless the connector
        shows what the query is with the path.
        """
        path = self.shown_path(request)
        url = f"{request.scheme}://{request.authority}{path}"
        if request.query is None or "?" in path:
            return url
        return f"{url}?{request.query if path == request.path else '…'}"

    def considered(self, request: OutboundRequest) -> list[tuple[Action, list[str]]]:
        """For each action of `request`, the ids of the permissions that match, deciding one first.

        Raises:
            RequestRejected: the request can be read in two ways.
        """
        bound = self.connector_for(request.scheme, request.host, request.port)
        if bound is None:
            return []
        table = self._permissions[bound.id]
        return [
            (action, [rule.id for rule in table.matching(action)])
            for action in _read(bound, request)
        ]

    def _unowned(self, destination: str) -> Verdict:
        enforced = self.gateway.enforcement is EnforcementLevel.ENFORCE
        return Verdict(
            decision=Decision.DENY,
            applied=Decision.DENY if enforced else Decision.ALLOW,
            rule=_NO_CONNECTOR,
            reason=f"no connector owns {destination}",
        )

    def _judge(self, bound: BoundConnector, action: Action) -> Judgement:
        for category in sorted(action.categories):
            place = self.gateway.blocked_categories.get(category)
            if place is not None:
                rule = Rule(kind=RuleKind.BLOCKED_CATEGORY, id=place, pattern=category.value)
                reason = f"{action.name} is in the blocked category `{category.value}`"
                return Judgement(action=action, decision=Decision.DENY, rule=rule, reason=reason)
        permission = self._permissions[bound.id].most_specific(action)
        if permission is None:
            reason = f"no permission of connector `{bound.id}` matches {action.name}"
            return Judgement(
                action=action, decision=Decision.DENY, rule=_NO_PERMISSION, reason=reason
            )
        return Judgement(
            action=action,
            decision=permission.decision,
            rule=Rule(kind=RuleKind.PERMISSION, id=permission.id, pattern=permission.action.text),
            reason=f"{action.name} {_PERMITTED[permission.decision]}"
            f" `{permission.action.text}` ({permission.id})",
        )

    def _applied(
        self, deciding: Judgement, judgements: tuple[Judgement, ...], request: OutboundRequest
    ) -> Decision:
        level = self.gateway.enforcement
        if level is EnforcementLevel.ENFORCE or deciding.decision is Decision.ALLOW:
            return deciding.decision
        if request.method == "TRACE":
            return Decision.DENY
        if level is EnforcementLevel.MONITOR:
            return Decision.ALLOW
        held_to = [j for j in judgements if _binding_when_soft(j)]
        return strictest(tuple(held_to)).decision if held_to else Decision.ALLOW


def _binding_when_soft(judgement: Judgement) -> bool:
    return judgement.rule.kind is RuleKind.BLOCKED_CATEGORY or judgement.action.risk in {
        Risk.HIGH,
        Risk.CRITICAL,
    }


def _read(bound: BoundConnector, request: OutboundRequest) -> tuple[Action, ...]:
    connector = bound.connector
    if not request.ambiguities <= connector.tolerates:
        raise RequestRejected(_ambiguous(request))
    return tuple(
        action
        for variant in _variants(connector, request)
        for action in _actions(connector, variant)
    )


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


def _without_trace(judgement: Judgement) -> Judgement:
    return Judgement(
        action=judgement.action,
        decision=Decision.DENY,
        rule=_NO_TRACE,
        reason="TRACE makes a service send back the credential that was injected",
    )


def _ambiguous(request: OutboundRequest) -> str:
    return " and ".join(sorted(ambiguity.value for ambiguity in request.ambiguities))
