"""Kill switches: what is stopped at once, whatever the rules of a gateway say."""

from __future__ import annotations

import base64
import enum
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from tameflare_core.patterns import ActionPattern, PatternIndex

__all__ = [
    "ID_PREFIX",
    "NO_KILL_SWITCHES",
    "REASON_LENGTH",
    "KillScope",
    "KillScopeKind",
    "KillSwitch",
    "KillSwitches",
]

ID_PREFIX = "ks_"
"""What ids start with, and no scope."""

REASON_LENGTH = 500
"""Characters of a reason at the most."""

_ID = re.compile(rf"{ID_PREFIX}[a-z2-7]{{12}}")
_RANDOM_BYTES = 8  # 13 digits of base 32, of which 12 are kept

_FORMS = "`org`, `gateway:NAME`, `connector:ID` or `action:PATTERN`"
_NAME = re.compile(r"[a-z0-9_][a-z0-9_-]*")


class KillScopeKind(enum.StrEnum):
    """By what a kill switch tells requests apart."""

    ORG = "org"
    GATEWAY = "gateway"
    CONNECTOR = "connector"
    ACTION = "action"


@dataclass(frozen=True, slots=True, kw_only=True)
class KillScope:
    """What a kill switch stops.

    Attributes:
        kind: how `target` is meant.
        target: the name of a gateway, the id or type of a connector, or an action pattern; empty
            for the whole org.

    Raises:
        ValueError: `target` can be no such thing, so that the switch would stop nothing.
    """

    kind: KillScopeKind
    target: str = ""

    def __post_init__(self) -> None:
        match self.kind:
            case KillScopeKind.ORG:
                if self.target:
                    raise ValueError(f"`{self}` is no scope: `org` stands alone")
            case KillScopeKind.GATEWAY | KillScopeKind.CONNECTOR:
                if not _NAME.fullmatch(self.target):
                    raise ValueError(
                        f"`{self.target}` is not the name of a {self.kind}: it has lower-case"
                        " letters, digits, `-` and `_`"
                    )
            case KillScopeKind.ACTION:
                pattern = ActionPattern(self.target)
                if pattern.is_exact and len(pattern.segments) == 1:
                    raise ValueError(
                        f"`{self.target}` covers no action: write `{self.target}.*` for all of a"
                        " provider"
                    )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `org`, `gateway:prod-agent`, `connector:github` or `action:github.pr.*`.

        Raises:
            ValueError: it is none of these.
        """
        kind, colon, target = text.partition(":")
        if kind not in KillScopeKind or bool(colon) != (kind != KillScopeKind.ORG):
            raise ValueError(f"`{text}` is no scope: write {_FORMS}")
        return cls(kind=KillScopeKind(kind), target=target)

    def __str__(self) -> str:
        return f"{self.kind}:{self.target}" if self.target else self.kind.value


@dataclass(frozen=True, slots=True, kw_only=True)
class KillSwitch:
    """One active kill switch.

    Attributes:
        id: `ks_` and 12 characters of lower-case base 32.
        scope: what it stops.
        reason: why; one sentence.
        by: who activated it.
        at: when, with a zone.

    Raises:
        ValueError: the id has another form, the reason is empty or too long, or the time has no
            zone.
    """

    id: str
    scope: KillScope
    reason: str
    by: str
    at: datetime

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ValueError(f"`{self.id}` is not the id of a kill switch")
        if not self.reason.strip() or len(self.reason) > REASON_LENGTH:
            raise ValueError(f"a reason has between 1 and {REASON_LENGTH} characters")
        if self.at.tzinfo is None:
            raise ValueError("the time of a kill switch has a zone")

    @classmethod
    def new(cls, scope: KillScope, *, reason: str, by: str, at: datetime) -> Self:
        """A kill switch with a fresh id.

        Raises:
            ValueError: as for any.
        """
        random = base64.b32encode(secrets.token_bytes(_RANDOM_BYTES)).decode().lower()
        return cls(id=f"{ID_PREFIX}{random[:12]}", scope=scope, reason=reason, by=by, at=at)

    def document(self) -> dict[str, str]:
        """As plain values, the scope as text and the time in UTC."""
        return {
            "id": self.id,
            "scope": str(self.scope),
            "reason": self.reason,
            "by": self.by,
            "at": self.at.astimezone(UTC).isoformat(),
        }

    @classmethod
    def from_document(cls, values: object) -> Self:
        """Read what `document` made.

        Raises:
            ValueError: it is anything else.
        """
        match values:
            case {
                "id": str(id_),
                "scope": str(scope),
                "reason": str(reason),
                "by": str(by),
                "at": str(at),
                **rest,
            } if not rest:
                return cls(
                    id=id_,
                    scope=KillScope.parse(scope),
                    reason=reason,
                    by=by,
                    at=datetime.fromisoformat(at),
                )
        raise ValueError("a kill switch has `id`, `scope`, `reason`, `by` and `at`, each a text")


class KillSwitches:
    """The kill switches that are active together, oldest first; none is false.

    Where several stop a request, the oldest one is named.
    """

    def __init__(self, switches: Iterable[KillSwitch] = ()) -> None:
        self._switches = tuple(sorted(switches, key=_age))
        self._org = next((one for one in self if one.scope.kind is KillScopeKind.ORG), None)
        self._gateways = self._oldest_by_target(KillScopeKind.GATEWAY)
        self._connectors = self._oldest_by_target(KillScopeKind.CONNECTOR)
        patterns = self._oldest_by_target(KillScopeKind.ACTION)
        self._actions = PatternIndex(
            ((ActionPattern(text), one) for text, one in patterns.items()), ActionPattern.covers
        )
        self._providers: dict[str, KillSwitch] = {}
        for text, one in patterns.items():
            self._providers.setdefault(text.split(".", 1)[0], one)

    def for_gateway(self, name: str) -> KillSwitch | None:
        """The switch that stops everything of a gateway, whatever the destination."""
        return _oldest(self._org, self._gateways.get(name))

    def for_connector(self, gateway: str, connector: str, connector_type: str) -> KillSwitch | None:
        """The switch that stops everything that a connector of a gateway owns.

        Args:
            gateway: the gateway's name; what stops all of it stops its connectors.
            connector: the connector's id.
            connector_type: its type; a switch may name either.
        """
        return _oldest(
            self.for_gateway(gateway),
            self._connectors.get(connector),
            self._connectors.get(connector_type),
        )

    def for_action(self, action_name: str) -> KillSwitch | None:
        """The switch that stops an action in every gateway.

        Nobody knows what an opaque action does, so whatever stops any action of its provider stops
        it as well.
        """
        provider, _, rest = action_name.partition(".")
        if rest.split(".", 1)[0] == "opaque":
            return _oldest(self._providers.get(provider), self._providers.get("*"))
        return _oldest(*self._actions.find(action_name))

    def _oldest_by_target(self, kind: KillScopeKind) -> Mapping[str, KillSwitch]:
        found: dict[str, KillSwitch] = {}
        for one in self:
            if one.scope.kind is kind:
                found.setdefault(one.scope.target, one)
        return found

    def __iter__(self) -> Iterator[KillSwitch]:
        return iter(self._switches)

    def __len__(self) -> int:
        return len(self._switches)


def _age(switch: KillSwitch) -> tuple[datetime, str]:
    return switch.at, switch.id


def _oldest(*switches: KillSwitch | None) -> KillSwitch | None:
    return min((one for one in switches if one is not None), key=_age, default=None)


NO_KILL_SWITCHES = KillSwitches()
"""Nothing is stopped."""
