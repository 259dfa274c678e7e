"""From recorded traffic to the smallest set of permissions that allows it, and nothing else.

What was seen was written by an agent: values are quoted, a `*` never becomes a wildcard, and what a
request did not say is never left open.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import yaml

from tameflare_core.action import Access, Action
from tameflare_core.approval import preview_line
from tameflare_core.decision import Decision, RuleKind
from tameflare_core.patterns import ActionPattern
from tameflare_core.permission import Permission, PermissionTable
from tameflare_core.recorded import Recorded, Unreadable

__all__ = ["Learned", "Lesson", "learn"]

_MOST_ADVICE = 3
_HTTPS = 443
_PLAIN = re.compile(r"[a-z][a-z0-9_-]*(?:\.[a-z0-9_*-]+)*")
_GUARDED = frozenset({"unmapped", "opaque"})

type _Resource = tuple[tuple[str, str], ...]
type _Key = tuple[str, str, Access | None, _Resource]
"""Connector, action or pattern, access, and resource."""


@dataclass(slots=True)
class Lesson:
    """One action on one resource, as often as it was seen.

    Attributes:
        connector: the connector's id.
        action: what was seen, the first time.
        count: how often it was let through; for what never was, how often it was seen.
        first, last: when.
        passed: whether it was ever let through.
        unasked: whether it was ever let through without an approval.
    """

    connector: str
    action: Action
    first: datetime
    last: datetime
    count: int = 0
    passed: bool = False
    unasked: bool = False

    def note(self, record: Recorded) -> None:
        """Add a record of it."""
        if record.passed and not self.passed:
            self.passed, self.count = True, 0
        if record.passed == self.passed:
            self.count += 1
        self.unasked = self.unasked or (record.passed and not record.approved)
        self.first, self.last = min(self.first, record.time), max(self.last, record.time)


@dataclass(slots=True)
class Learned:
    """What was seen, and the rules that come of it.

    Attributes:
        lessons: each action on each resource.
        any_fields: resource fields that a rule leaves open, because the user said so.
        all_reads: whether reads of a resource become one rule.
        denied_too: whether what was never let through becomes a rule as well.
        hosts: where each connector was seen, `host` or `host:port`.
        gateways: the names of the gateways.
        unreadable: how many lines were no records of judged requests.
    """

    lessons: dict[tuple[str, str, _Resource], Lesson] = field(default_factory=dict)
    any_fields: frozenset[str] = frozenset()
    all_reads: bool = False
    denied_too: bool = False
    hosts: dict[str, set[str]] = field(default_factory=dict)
    gateways: set[str] = field(default_factory=set)
    unreadable: int = 0
    _fields: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    def note(self, record: Recorded) -> None:
        """Add what one request did; what no connector owned, or was stopped, teaches nothing."""
        if record.connector is None or record.rule is RuleKind.KILL_SWITCH:
            return
        self.gateways.add(record.gateway)
        host = record.host if record.port == _HTTPS else f"{record.host}:{record.port}"
        self.hosts.setdefault(record.connector, set()).add(host)
        for action in record.actions:
            resource = tuple(sorted(action.resource.items()))
            key = (record.connector, action.name, resource)
            lesson = self.lessons.get(key)
            if lesson is None:
                lesson = self.lessons[key] = Lesson(
                    connector=record.connector,
                    action=action,
                    first=record.time,
                    last=record.time,
                )
                self._fields.setdefault(key[:2], set()).update(action.resource)
            lesson.note(record)

    def wanted(self) -> list[Lesson]:
        """What is to be permitted, sorted."""
        found = [one for one in self.lessons.values() if one.passed or self.denied_too]
        return sorted(found, key=_order)

    def permissions(self) -> tuple[Permission, ...]:
        """The rules: as few as allow all that is wanted and can be said in rules."""
        return tuple(
            Permission(
                id=f"permissions[{index}]",
                connector=connector,
                action=ActionPattern(name),
                decision=_decision(lessons),
                access=access,
                resource=dict(resource),
            )
            for index, ((connector, name, access, resource), lessons) in enumerate(
                self._rules().items()
            )
        )

    def left_out(self) -> dict[str, list[Lesson]]:
        """What is wanted and cannot be said without allowing more, by the reason."""
        found: dict[str, list[Lesson]] = {}
        for lesson in self.wanted():
            why = self._obstacle(lesson)
            if why:
                found.setdefault(why, []).append(lesson)
        return found

    def exceptions(self) -> list[str]:
        """What the rules do otherwise than they are meant to; empty unless something is wrong."""
        tables: dict[str, PermissionTable] = {}
        for connector in {lesson.connector for lesson in self.lessons.values()}:
            tables[connector] = PermissionTable(
                rule for rule in self.permissions() if rule.connector == connector
            )
        wrong: list[str] = []
        for lesson in self.lessons.values():
            rule = tables[lesson.connector].most_specific(lesson.action)
            wanted = (lesson.passed or self.denied_too) and not self._obstacle(lesson)
            if wanted and (rule is None or rule.decision is Decision.DENY):
                wrong.append(f"{lesson.action.name} was seen and is not allowed")
            elif rule is not None and not wanted and not self._is_widened(lesson):
                wrong.append(f"{lesson.action.name} is allowed and was not let through")
        return wrong

    def advice(self) -> list[tuple[str, int]]:
        """Fields that would leave fewer rules if they were left open, and how many."""
        fields = {name for _, _, _, resource in self._rules() for name, _ in resource}
        now = len(self._rules())
        found = [
            (name, len(replace(self, any_fields=self.any_fields | {name})._rules()))
            for name in sorted(fields)
        ]
        shorter = sorted((number, name) for name, number in found if number < now)
        return [(name, number) for number, name in shorter[:_MOST_ADVICE]]

    def yaml(self) -> Iterator[str]:
        """The lines of `permissions:`, with comments."""
        rules = self._rules()
        yield "permissions:" if rules else "permissions: []"
        for key, lessons in rules.items():
            yield from (f"  # {line}" for line in _comment(lessons))
            yield f"  - {_written(key, _decision(lessons))}"
        for why, lessons in self.left_out().items():
            yield f"  # Not allowed: {why}."
            yield from (f"  #   {_told(lesson)}" for lesson in lessons)
        denied = [one for one in self.lessons.values() if not (one.passed or self.denied_too)]
        if denied:
            yield "  # Seen, and never let through:"
            yield from (f"  #   {_told(lesson)}" for lesson in sorted(denied, key=_order))

    def _rules(self) -> dict[_Key, list[Lesson]]:
        rules: dict[_Key, list[Lesson]] = {}
        for lesson in self.wanted():
            if not self._obstacle(lesson):
                rules.setdefault(self._key(lesson), []).append(lesson)
        return rules

    def _key(self, lesson: Lesson) -> _Key:
        action = lesson.action
        resource = self._narrowed(action.resource)
        if self.all_reads and action.access is Access.READ and resource:
            return lesson.connector, f"{action.name.split('.')[0]}.*", Access.READ, resource
        return lesson.connector, action.name, None, resource

    def _narrowed(self, resource: Mapping[str, str]) -> _Resource:
        return tuple(
            sorted((key, value) for key, value in resource.items() if key not in self.any_fields)
        )

    def _obstacle(self, lesson: Lesson) -> str:
        """Why a rule for this would allow more than was seen; empty when it would not."""
        action = lesson.action
        if action.name.split(".")[1] in _GUARDED:
            return "nobody knows what these do; write a rule with their own name if you do"
        if any("*" in value for _, value in self._narrowed(action.resource)):
            return "a `*` in a value would stand for anything"
        if not action.resource_complete:
            return "the requests do not say all that they act on"
        seen_with = self._fields[lesson.connector, action.name]
        missing = seen_with - set(action.resource) - self.any_fields
        if missing:
            told = ", ".join(f"`{name}`" for name in sorted(missing))
            return f"without {told} a rule would be about any"
        return ""

    def _is_widened(self, lesson: Lesson) -> bool:
        """Whether it is allowed because the user asked for more than was seen."""
        return self.all_reads or bool(self.any_fields & set(lesson.action.resource))


def learn(
    records: Iterable[Recorded | Unreadable],
    *,
    any_fields: Collection[str] = (),
    all_reads: bool = False,
    denied_too: bool = False,
) -> Learned:
    """Collect what was seen; see `Learned` for what the arguments mean."""
    learned = Learned(any_fields=frozenset(any_fields), all_reads=all_reads, denied_too=denied_too)
    for record in records:
        if isinstance(record, Unreadable):
            learned.unreadable += 1
        else:
            learned.note(record)
    return learned


def _order(lesson: Lesson) -> tuple[str, str, _Resource]:
    return lesson.connector, lesson.action.name, tuple(sorted(lesson.action.resource.items()))


def _decision(lessons: Iterable[Lesson]) -> Decision:
    # What a human has always been asked about goes on being asked.
    asked = not any(lesson.unasked or not lesson.passed for lesson in lessons)
    return Decision.REQUIRE_APPROVAL if asked else Decision.ALLOW


def _comment(lessons: list[Lesson]) -> Iterator[str]:
    first, last = min(one.first for one in lessons), max(one.last for one in lessons)
    count = sum(one.count for one in lessons)
    days = " to ".join(dict.fromkeys((f"{first:%Y-%m-%d}", f"{last:%Y-%m-%d}")))
    kinds = sorted({f"risk {one.action.risk}" for one in lessons})
    kinds += sorted({category.value for one in lessons for category in one.action.categories})
    yield f"{count} {'request' if count == 1 else 'requests'}, {days}; {', '.join(kinds)}"


def _told(lesson: Lesson) -> str:
    resource = " ".join(f"{key}={value}" for key, value in sorted(lesson.action.resource.items()))
    text = f"{lesson.count}x {lesson.connector} {lesson.action.name} {resource}"
    return preview_line(text.rstrip())


def _written(key: _Key, decision: Decision) -> str:
    connector, name, access, resource = key
    parts = [f"connector: {_scalar(connector)}", f"action: {_scalar(name)}"]
    if access is not None:
        parts.append(f"access: {access}")
    if resource:
        inside = ", ".join(f"{_scalar(field)}: {_quoted(value)}" for field, value in resource)
        parts.append(f"resource: {{{inside}}}")
    return f"{{{', '.join(parts)}, decision: {decision}}}"


def _scalar(text: str) -> str:
    plain = _PLAIN.fullmatch(text) and "*" not in text and yaml.safe_load(text) == text
    return text if plain else _quoted(text)


def _quoted(text: str) -> str:
    dumped: str = yaml.safe_dump(text, default_style='"', width=float("inf"))
    return dumped.strip()
