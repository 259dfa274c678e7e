"""`tf explain`: what would happen to a request, and why."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from tameflare_cli.context import load_gateway
from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.options import ConfigOption, JsonOption
from tameflare_cli.rendering import fields, one_line, print_json, print_line, print_row

if TYPE_CHECKING:
    from tameflare_core.decision import Verdict
    from tameflare_core.decision_point import DecisionPoint
    from tameflare_core.explanation import Asked, Explanation

app = typer.Typer(add_completion=False)

_MOST_RULES = 20


@app.command()
def explain(
    request: Annotated[
        str | None, typer.Argument(metavar="'METHOD URL'", help="The request to judge.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    batch: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|-", help="Judge the requests of a JSON Lines file, `-` for stdin."
        ),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option("-H", "--header", metavar="'NAME: VALUE'", help="A header field of it."),
    ] = None,
    data: Annotated[
        str | None, typer.Option("-d", "--data", metavar="TEXT|@FILE", help="Its body.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When, like 2026-01-05T10:00:00+01:00; now unless said."),
    ] = None,
) -> None:
    """Say what would happen to a request, which rule decides, why each other one does not, and
    what would change the verdict.

    Nothing is sent anywhere. The user's kill switches count, as they do in a gateway; what limits
    have counted so far does not.

    For example:

      tf explain 'PUT https://api.github.com/repos/o/r/pulls/1/merge'

      tf explain -d '{"state":"closed"}' 'PATCH https://api.github.com/repos/o/r/issues/1'

      tf explain --batch requests.jsonl
    """
    from tameflare_core.decision_point import DecisionPoint
    from tameflare_core.explanation import explain as judge
    from tameflare_core.kill_switch_file import KillSwitchFile

    if (request is None) == (batch is None):
        raise CommandFailed(
            ExitCode.USAGE,
            "name one request, or a file of them with `--batch`",
            "for example: tf explain 'GET https://api.github.com/user'",
        )
    now = _time(at)
    point = DecisionPoint(load_gateway(config), KillSwitchFile.of_user().current())
    if batch is not None:
        _answer_batch(point, batch, now)
        return
    assert request is not None
    explanation = judge(point, _asked(request, header or [], data), now, account=True)
    if as_json:
        print_json(explanation.account())
    else:
        _Account(point, explanation).print()


def _time(at: str | None) -> datetime:
    if at is None:
        return datetime.now(UTC)
    try:
        time = datetime.fromisoformat(at)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        message = f"`{one_line(at)}` is not a time with a zone like 2026-01-05T10:00:00+01:00"
        raise CommandFailed(ExitCode.USAGE, message)
    return time


def _answer_batch(point: DecisionPoint, batch: str, now: datetime) -> None:
    from tameflare_core.explanation import Explanation, read_line
    from tameflare_core.explanation import explain as judge

    with _opened(batch) as lines:
        for number, line in enumerate(lines, start=1):
            asked = read_line(line, number)
            answer = asked if isinstance(asked, Explanation) else judge(point, asked, now)
            sys.stdout.write(json.dumps(answer.document()) + "\n")
            sys.stdout.flush()


@contextmanager
def _opened(batch: str) -> Iterator[BinaryIO]:
    if batch == "-":
        yield sys.stdin.buffer
        return
    with ExitStack() as stack:
        try:
            file = stack.enter_context(Path(batch).open("rb"))
        except OSError as error:
            message = f"`{batch}` cannot be read: {error.strerror}"
            raise CommandFailed(ExitCode.USAGE, message) from None
        yield file


def _asked(request: str, headers: list[str], data: str | None) -> Asked:
    from tameflare_core.explanation import Asked

    method, separator, url = request.strip().partition(" ")
    if not separator:
        method, url = "GET" if data is None else "POST", request
    pairs = []
    for text in headers:
        name, colon, value = text.partition(":")
        if not colon:
            raise CommandFailed(ExitCode.USAGE, f"`{text}` is not a header like 'Accept: */*'")
        pairs.append((name, value))
    return Asked(method=method, url=url.strip(), headers=tuple(pairs), body=_body(data))


def _body(data: str | None) -> bytes | None:
    if data is None or not data.startswith("@"):
        return None if data is None else data.encode()
    try:
        return Path(data[1:]).read_bytes()
    except OSError as error:
        message = f"`{data[1:]}` cannot be read: {error.strerror}"
        raise CommandFailed(ExitCode.USAGE, message) from None


class _Account:
    """An explanation told to a human."""

    def __init__(self, point: DecisionPoint, explanation: Explanation) -> None:
        self._point = point
        self._explanation = explanation

    def print(self) -> None:
        request, verdict = self._explanation.request, self._explanation.verdict
        if request is not None:
            print_line(f"{request.method} {one_line(self._explanation.url or '')}")
        if request is None or verdict is None:
            self._print_rejection()
            return
        print_row([verdict.decision.value, verdict.reason], [0])
        gateway = self._point.gateway
        print_line(f"connector    {verdict.connector or 'none'}")
        print_line(f"rule         {_rule(verdict)}")
        print_line(f"enforcement  {gateway.enforcement.value}: {_done(verdict)}")
        self._print_considered()
        self._print_changes(verdict)
        if verdict.decision.value == "deny":
            from tameflare_core.refusals import denied

            print_line(f"hint         {one_line(denied(verdict, gateway.name, '').hint)}")

    def _print_rejection(self) -> None:
        from tameflare_core.errors import RequestRejected
        from tameflare_core.refusals import rejected

        error = self._explanation.error or ""
        print_row(["rejected", error], [0])
        print_line(f"hint         {rejected(RequestRejected(error), '').hint}")

    def _print_considered(self) -> None:
        from tameflare_core.policy.fields import risk_score

        for each in self._explanation.considered:
            action = each.action
            kinds = ", ".join(sorted(action.categories)) or "no category"
            weight = f"{action.access}, risk {action.risk} ({risk_score(action)}), {kinds}"
            print_line(f"action       {one_line(action.name)}  {weight}")
            told = [*action.resource.items(), *action.params.items()]
            if told:
                print_line(f"               {fields(told)}")
            if not any(rule.kind == "permission" for rule in each.rules):
                print_line("               no permission covers it")
            for rule in each.rules[:_MOST_RULES]:
                fate = f"{rule.outcome}: {rule.why}" if rule.why else rule.outcome
                print_line(f"               {one_line(f'{rule.id}  {rule.text}  ({fate})')}")
            if len(each.rules) > _MOST_RULES:
                print_line(f"               … {len(each.rules) - _MOST_RULES} more; see --json")

    def _print_changes(self, verdict: Verdict) -> None:
        steps = self._explanation.changes
        if not steps:
            return
        allowed = verdict.decision.value == "allow"
        print_line("to end it" if allowed else "to allow it")
        for number, step in enumerate(steps, start=1):
            then = f"  → {step.decision}" if step.decision else ""
            print_line(f"             {number}. {one_line(step.text)}{then}")


def _rule(verdict: Verdict) -> str:
    rule = verdict.rule
    return one_line(f"{rule.kind} {rule.id} {rule.pattern}".rstrip())


def _done(verdict: Verdict) -> str:
    match verdict.applied.value:
        case "allow":
            return "the request would be forwarded"
        case "deny":
            return "the request would be refused"
        case _:
            return "the request would be held until a human decides"
