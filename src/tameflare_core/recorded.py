"""Traffic records read back, as far as a decision needs them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from tameflare_core.action import Access, Action, Category, Risk, action_name
from tameflare_core.decision import Decision, RuleKind

__all__ = ["Recorded", "Unreadable", "read_records"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One judged request as its record tells it.

    Attributes:
        time: when it was judged, with a zone.
        gateway: the gateway's name.
        method, scheme, host, port, path: of the request; the path without secrets and query.
        connector: the id of the connector that owned the destination; None without one.
        actions: what it did; nothing is known of their params.
        decision, applied: what was decided, and what was done.
        rule: the kind of rule that decided.
        outcome: as `TrafficRecord` has it.
        approved: whether a human approved it.
    """

    time: datetime
    gateway: str
    method: str
    scheme: str
    host: str
    port: int
    path: str
    connector: str | None
    actions: tuple[Action, ...]
    decision: Decision
    applied: Decision
    rule: RuleKind
    outcome: str
    approved: bool

    @property
    def passed(self) -> bool:
        """Whether it was let through."""
        return self.applied is Decision.ALLOW or self.approved


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is no record of a judged request.

    Attributes:
        line: its number, from 1.
        why: one sentence; empty for a record of what was never judged.
    """

    line: int
    why: str


def read_records(lines: Iterable[bytes]) -> Iterator[Recorded | Unreadable]:
    """Read the lines of a traffic log, one by one."""
    for number, line in enumerate(lines, start=1):
        try:
            document = json.loads(line)
            if document["decision"] is None or document["host"] is None:
                yield Unreadable(number, "")
            else:
                yield _recorded(document)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            yield Unreadable(number, f"not a traffic record: {type(error).__name__}")


def _recorded(document: dict[str, object]) -> Recorded:
    match document:
        case {
            "time": str(time),
            "gateway": str(gateway),
            "method": str(method),
            "scheme": str(scheme),
            "host": str(host),
            "port": int(port),
            "path": str(path),
            "connector": str() | None as connector,
            "actions": list(actions),
            "decision": str(decision),
            "applied": str(applied),
            "rule": {"kind": str(kind)},
            "outcome": str(outcome),
            **rest,
        }:
            when = datetime.fromisoformat(time)
            if when.tzinfo is None:
                raise ValueError("a time has a zone")
            return Recorded(
                time=when,
                gateway=gateway,
                method=method,
                scheme=scheme,
                host=host,
                port=port,
                path=path,
                connector=connector,
                actions=tuple(map(_action, actions)),
                decision=Decision(decision),
                applied=Decision(applied),
                rule=RuleKind(kind),
                outcome=outcome,
                approved=rest.get("approval_state") == "approved" and outcome == "forwarded",
            )
    raise ValueError("a key is missing or of another type")


def _action(document: object) -> Action:
    match document:
        case {
            "name": str(name),
            "access": str(access),
            "risk": str(risk),
            "categories": list(categories),
            "resource": dict(resource),
            **rest,
        } if all(isinstance(value, str) for value in resource.values()):
            return Action(
                name=action_name(name),
                access=Access(access),
                risk=Risk(risk),
                categories=frozenset(map(Category, categories)),
                resource=resource,
                resource_complete=rest.get("resource_complete") is True,
                params_complete=False,
            )
    raise ValueError("an action is not as records have them")
