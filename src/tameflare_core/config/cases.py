"""Cases of policies: requests with the decision that each is meant to get, beside the config."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, PrivateAttr, ValidationError

from tameflare_core.body import MAX_INSPECTED
from tameflare_core.config.document import worded
from tameflare_core.config.parts import Part
from tameflare_core.decision import Verdict
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.errors import ConfigError, RequestRejected
from tameflare_core.injection.forwarding import forwardable
from tameflare_core.kill_switch import KillScope, KillSwitch, KillSwitches
from tameflare_core.request import Body, OutboundRequest
from tameflare_core.yaml_source import Place, YamlSource

__all__ = ["CaseResult", "PolicyCases"]

_REJECTED = "rejected"


class _Case(Part):
    name: str
    request: str
    headers: dict[str, str] = Field(default_factory=dict)
    body: str | dict[str, object] | list[object] | None = None
    at: datetime | None = None
    kill_switches: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    expect: Literal["allow", "require_approval", "deny", "rejected"]
    action: str | None = None
    rule: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """One case, and what came of it.

    Attributes:
        name: the case's.
        line: where it stands in its file.
        expected: the decision that it expects.
        got: the decision that there was.
        problems: what is not as expected, each in one sentence; empty when it passes.
        reason: of the verdict.
    """

    name: str
    line: int
    expected: str
    got: str
    problems: tuple[str, ...]
    reason: str

    @property
    def passed(self) -> bool:
        """Whether all is as expected."""
        return not self.problems

    def document(self) -> dict[str, object]:
        """As plain values."""
        return {
            "name": self.name,
            "line": self.line,
            "passed": self.passed,
            "expected": self.expected,
            "got": self.got,
            "problems": list(self.problems),
            "reason": self.reason,
        }


class PolicyCases(Part):
    """A table of cases as a document; the keys are those of `docs/how-to/test-policies.md`."""

    version: Literal[1]
    config: str = "tameflare.yaml"
    cases: tuple[_Case, ...]

    _source: YamlSource = PrivateAttr()
    _folder: Path = PrivateAttr()

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read a file of cases.

        Raises:
            ConfigError: it cannot be read, or something in it is wrong; all problems are listed.
        """
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise ConfigError(f"{path}: cannot be read: {why}") from None
        source = YamlSource.parse(text, str(path))
        if not isinstance(source.data, dict):
            raise ConfigError(f"{path}:1: not a table of cases: it starts with `version: 1`")
        try:
            found = cls.model_validate(source.data)
        except ValidationError as error:
            raise ConfigError(
                *(
                    source.problem(item["loc"], worded(item["type"], item["msg"]))
                    for item in error.errors()
                )
            ) from None
        found._source = source
        found._folder = path.resolve().parent
        return found

    @property
    def config_path(self) -> Path:
        """The configuration that the cases are about."""
        return self._folder / self.config

    def run(self, point: DecisionPoint) -> tuple[CaseResult, ...]:
        """Judge every case.

        Args:
            point: the gateway's; kill switches are those of each case alone.

        Raises:
            ConfigError: a case is wrong: its request, a header, a scope or the name of a limit.
        """
        problems: list[str] = []
        results: list[CaseResult] = []
        for index, case in enumerate(self.cases):
            place: Place = ("cases", index)
            try:
                results.append(_result(case, point, self._source.line(place)))
            except _WrongCase as error:
                problems.append(self._source.problem((*place, error.key), str(error)))
        if problems:
            raise ConfigError(*problems)
        return tuple(results)


class _WrongCase(Exception):
    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def _result(case: _Case, point: DecisionPoint, line: int) -> CaseResult:
    now = case.at or datetime.now(UTC)
    if now.tzinfo is None:
        raise _WrongCase("at", "a time has a zone, like 2026-01-05T10:00:00+01:00")
    point = point.with_kill_switches(_switches(case, now))
    try:
        verdict = _judged(case, point, now)
    except RequestRejected as error:
        return _compared(case, line, _REJECTED, str(error), None)
    return _compared(case, line, verdict.decision.value, verdict.reason, verdict)


def _switches(case: _Case, now: datetime) -> KillSwitches:
    try:
        return KillSwitches(
            KillSwitch.new(KillScope.parse(scope), reason="of this case", by="case", at=now)
            for scope in case.kill_switches
        )
    except ValueError as error:
        raise _WrongCase("kill_switches", str(error)) from None


def _judged(case: _Case, point: DecisionPoint, now: datetime) -> Verdict:
    method, space, url = case.request.strip().partition(" ")
    if not space:
        raise _WrongCase("request", "write a method and a URL, like `GET https://a.example/`")
    body, headers = _content(case)
    request = forwardable(
        OutboundRequest.from_url(
            method,
            url.strip(),
            headers=headers,
            body=Body.absent() if body is None else Body.unread(),
        )
    )
    if body is not None and point.needs_body(request):
        request = request.with_body(Body.inspected(body, MAX_INSPECTED))
    verdict = point.decide(request, now)
    if not case.over:
        return verdict
    reached = {charge for charge in verdict.charges if charge.key[1] in case.over}
    for name in set(case.over) - {rule.name for rule in point.gateway.policies if rule.limit}:
        raise _WrongCase("over", f"no policy `{name}` with a limit")
    return point.with_usage(verdict, reached)


def _content(case: _Case) -> tuple[bytes | None, list[tuple[str, str]]]:
    headers = list(case.headers.items())
    if case.body is None or isinstance(case.body, str):
        return None if case.body is None else case.body.encode(), headers
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("content-type", "application/json"))
    return json.dumps(case.body).encode(), headers


def _compared(case: _Case, line: int, got: str, reason: str, verdict: Verdict | None) -> CaseResult:
    return CaseResult(
        name=case.name,
        line=line,
        expected=case.expect,
        got=got,
        problems=tuple(_differences(case, got, verdict)),
        reason=reason,
    )


def _differences(case: _Case, got: str, verdict: Verdict | None) -> Iterator[str]:
    if got != case.expect:
        yield f"expected {case.expect}, got {got}"
    names = [action.name for action in verdict.actions] if verdict else []
    if case.action is not None and case.action not in names:
        yield f"expected action {case.action}, got {', '.join(names) or 'none'}"
    rule = verdict.rule if verdict else None
    if case.rule is not None and (rule is None or case.rule not in (rule.id, rule.pattern)):
        told = f"{rule.id} {rule.pattern}".strip() if rule else "none"
        yield f"expected rule {case.rule}, got {told}"
