"""The decision point: a pure function from a request and a gateway to a verdict."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from copy import copy
from dataclasses import dataclass
from datetime import datetime

from tameflare_core.action import Action
from tameflare_core.connectors.matching import OriginIndex
from tameflare_core.decision import (
    Decision,
    Judgement,
    Rule,
    RuleKind,
    Verdict,
    strictest,
)
from tameflare_core.enforcement_level import EnforcementLevel
from tameflare_core.errors import RequestRejected
from tameflare_core.gateway import BoundConnector, Gateway
from tameflare_core.kill_switch import NO_KILL_SWITCHES, KillSwitch, KillSwitches
from tameflare_core.permission import PermissionTable
from tameflare_core.policy.facts import Facts
from tameflare_core.policy.rules import PolicyTable
from tameflare_core.reading import actions_of, needs_body, readable_actions
from tameflare_core.request import BodyState, OutboundRequest
from tameflare_core.respond_async import STATUS_HOST
from tameflare_core.usage import Charge

__all__ = ["DecisionPoint", "Tables"]

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
        kill_switches: what is stopped whatever the gateway says.

    Raises:
        ValueError: two connectors own the same origin.
    """

    def __init__(self, gateway: Gateway, kill_switches: KillSwitches = NO_KILL_SWITCHES) -> None:
        self.gateway = gateway
        self.kill_switches = kill_switches
        self._owners = OriginIndex(gateway.connectors)
        self._tables = {bound.id: Tables.of(bound, gateway) for bound in gateway.connectors}

    def with_kill_switches(self, kill_switches: KillSwitches) -> DecisionPoint:
        """The same rules below other kill switches; nothing is compiled again."""
        point = copy(self)
        point.kill_switches = kill_switches
        return point

    def connector_for(self, scheme: str, host: str, port: int) -> BoundConnector | None:
        """The connector that owns a canonical destination; None when there is none."""
        return self._owners.find(scheme, host, port)

    def tables_of(self, connector: str) -> Tables:
        """The rules about the connector with an id."""
        return self._tables[connector]

    def decide_destination(self, host: str, port: int) -> Verdict | None:
        """Judge a destination of which nothing but host and port is known.

        Returns:
            A verdict when no request to it can be allowed; None when that depends on the request.
        """
        if any(self.connector_for(scheme, host, port) for scheme in ("https", "http")):
            return None
        if host == STATUS_HOST:
            return None
        verdict = self._unowned(host, f"{host}:{port}")
        return verdict if verdict.applied is Decision.DENY else None

    def needs_body(self, request: OutboundRequest) -> bool:
        """Whether the body has to be read before `request` can be judged."""
        if request.body.state is not BodyState.UNREAD:
            return False
        bound = self.connector_for(request.scheme, request.host, request.port)
        if bound is None or self._killed(bound) is not None:
            return False
        if needs_body(bound.connector, request):
            return True
        policies = self._tables[bound.id].policies
        return policies.reads_body(
            lambda: [action.name for action in actions_of(bound.connector, request)]
        )

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
            return self._unowned(request.host, f"{request.scheme}://{request.authority}")
        try:
            killed = self._killed(bound)
            if killed is not None:
                return self._killed_verdict(killed, bound, request)
            blocked = self._blocked_host(request.host)
            tables = self._tables[bound.id]
            judgements = tuple(
                self._judge(tables, action, request, now, blocked)
                for action in actions_of(bound.connector, request)
            )
            if request.method == "TRACE":
                judgements = tuple(map(_without_trace, judgements))
            return self._verdict(judgements, bound.id)
        except RequestRejected:
            raise
        except Exception as error:  # noqa: BLE001  # connectors may raise anything
            return _failed(error, bound.id)

    def decide_actions(
        self, connector: str, actions: Iterable[Action], request: OutboundRequest, now: datetime
    ) -> Verdict:
        """Judge actions that were named before, as those of a traffic record.

        Args:
            connector: the id of the connector that owns the destination of `request`.
            actions: at least one.
            request: what is known of the request.
            now: the time that rules refer to.
        """
        try:
            tables = self._tables[connector]
            blocked = self._blocked_host(request.host)
            return self._verdict(
                tuple(self._judge(tables, each, request, now, blocked) for each in actions),
                connector,
            )
        except Exception as error:  # noqa: BLE001  # classifiers may raise anything
            return _failed(error, connector)

    def with_usage(self, verdict: Verdict, over: Collection[Charge]) -> Verdict:
        """The verdict on the same request, where some of its charges are over their limits."""
        judgements = tuple(judgement.exceeding(over) for judgement in verdict.judgements)
        return self._verdict(judgements, verdict.connector)

    def stopped_by(self, verdict: Verdict) -> KillSwitch | None:
        """The kill switch that stops a request that was judged before; None when there is none."""
        switches, gateway = self.kill_switches, self.gateway.name
        if not switches:
            return None
        bound = next(
            (each for each in self.gateway.connectors if each.id == verdict.connector), None
        )
        if bound is None:
            whole = switches.for_gateway(gateway)
        else:
            whole = switches.for_connector(gateway, bound.id, bound.connector.type)
        if whole is not None:
            return whole
        found = (switches.for_action(action.name) for action in verdict.actions)
        return next((switch for switch in found if switch is not None), None)

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

    def _killed(self, bound: BoundConnector | None) -> _Stop | None:
        """The kill switch on every request to a connector, or to where there is none."""
        switches, name = self.kill_switches, self.gateway.name
        if not switches:
            return None
        if bound is None:
            switch = switches.for_gateway(name)
        else:
            switch = switches.for_connector(name, bound.id, bound.connector.type)
        return None if switch is None else _killed_by(switch)

    def _blocked_host(self, host: str) -> _Stop | None:
        gateway = self.gateway
        if gateway.blocked_categories:
            for category in sorted(gateway.host_categories.of(host)):
                place = gateway.blocked_categories.get(category)
                if place is not None:
                    rule = Rule(kind=RuleKind.BLOCKED_CATEGORY, id=place, pattern=category)
                    return _Stop(rule, f"{host} is in the blocked category `{category}`")
        return None

    def _killed_verdict(
        self, killed: _Stop, bound: BoundConnector, request: OutboundRequest
    ) -> Verdict:
        actions = readable_actions(bound.connector, request)
        return Verdict(
            decision=Decision.DENY,
            applied=Decision.DENY,
            rule=killed.rule,
            reason=killed.reason,
            judgements=tuple(map(killed.judgement, actions)),
            connector=bound.id,
        )

    def _unowned(self, host: str, destination: str) -> Verdict:
        try:
            stopped = self._killed(None) or self._blocked_host(host)
        except Exception as error:  # noqa: BLE001  # classifiers may raise anything
            return _failed(error, None)
        if stopped is None:
            stopped = _Stop(_NO_CONNECTOR, f"no connector owns {destination}")
        return Verdict(
            decision=Decision.DENY,
            applied=self._applied(stopped),
            rule=stopped.rule,
            reason=stopped.reason,
        )

    def _judge(
        self,
        tables: Tables,
        action: Action,
        request: OutboundRequest,
        now: datetime,
        blocked: _Stop | None,
    ) -> Judgement:
        gateway = self.gateway
        if self.kill_switches:
            switch = self.kill_switches.for_action(action.name)
            if switch is not None:
                return _killed_by(switch).judgement(action)
        if blocked is not None:
            return blocked.judgement(action)
        if gateway.blocked_categories:
            for category in sorted(action.categories):
                place = gateway.blocked_categories.get(category)
                if place is not None:
                    rule = Rule(kind=RuleKind.BLOCKED_CATEGORY, id=place, pattern=category.value)
                    reason = f"{action.name} is in the blocked category `{category.value}`"
                    return _Stop(rule, reason).judgement(action)
        permission = tables.permissions.most_specific(action)
        if permission is None:
            reason = f"no permission of connector `{tables.connector}` matches {action.name}"
            return _Stop(_NO_PERMISSION, reason).judgement(action)
        judgement = Judgement(
            action=action,
            decision=permission.decision,
            rule=Rule(kind=RuleKind.PERMISSION, id=permission.id, pattern=permission.action.text),
            reason=f"{action.name} {_PERMITTED[permission.decision]}"
            f" `{permission.action.text}` ({permission.id})",
        )
        return tables.policies.tightened(
            judgement, lambda: self.facts(tables, action, request, now)
        )

    def facts(
        self, tables: Tables, action: Action, request: OutboundRequest, now: datetime
    ) -> Facts:
        """What policies about an action of `request` look at."""
        return Facts(
            request=request,
            action=action,
            connector=tables.connector,
            gateway=self.gateway.name,
            environment=self.gateway.environment,
            now=now,
        )

    def _applied(self, stopped: _Stop) -> Decision:
        held = self.gateway.enforcement.holds(stopped.rule.kind)
        return Decision.DENY if held else Decision.ALLOW

    def _verdict(self, judgements: tuple[Judgement, ...], connector: str | None) -> Verdict:
        deciding = strictest(judgements)
        level = self.gateway.enforcement
        enforced = level is EnforcementLevel.ENFORCE or deciding.decision is Decision.ALLOW
        return Verdict(
            decision=deciding.decision,
            applied=deciding.decision if enforced else level.applied(judgements),
            rule=deciding.rule,
            reason=deciding.reason,
            judgements=judgements,
            connector=connector,
        )


@dataclass(frozen=True, slots=True)
class Tables:
    """The rules about one connector.

    Attributes:
        connector: its id.
        permissions: found by action.
        policies: the same.
    """

    connector: str
    permissions: PermissionTable
    policies: PolicyTable

    @classmethod
    def of(cls, bound: BoundConnector, gateway: Gateway) -> Tables:
        """Those of one of the connectors of `gateway`."""
        return cls(
            bound.id,
            PermissionTable(rule for rule in gateway.permissions if rule.connector == bound.id),
            PolicyTable(
                gateway.policies,
                gateway=gateway.name,
                environment=gateway.environment,
                connector=bound.id,
                spelled=bound.connector.constraint,
                folded=bound.connector.case_insensitive,
            ),
        )


@dataclass(frozen=True, slots=True)
class _Stop:
    """A deny that no permission was asked about."""

    rule: Rule
    reason: str

    def judgement(self, action: Action) -> Judgement:
        return Judgement(action=action, decision=Decision.DENY, rule=self.rule, reason=self.reason)


def _killed_by(switch: KillSwitch) -> _Stop:
    rule = Rule(kind=RuleKind.KILL_SWITCH, id=switch.id, pattern=str(switch.scope))
    return _Stop(rule, f"stopped by kill switch `{switch.scope}` ({switch.by}): {switch.reason}")


def _failed(error: Exception, connector: str | None) -> Verdict:
    # INVARIANT: an error while judging never lets a request pass.
    return Verdict(
        decision=Decision.DENY,
        applied=Decision.DENY,
        rule=_FAILED,
        reason=f"the request could not be judged: {type(error).__name__}",
        connector=connector,
    )


def _without_trace(judgement: Judgement) -> Judgement:
    return Judgement(
        action=judgement.action,
        decision=Decision.DENY,
        rule=_NO_TRACE,
        reason="TRACE makes a service send back the credential that was injected",
    )
