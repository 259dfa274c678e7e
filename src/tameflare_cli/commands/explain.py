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
    from tameflare_cli.explanation import Asked, Explanation
    from tameflare_core.decision import Verdict
    from tameflare_core.decision_point import DecisionPoint
    from tameflare_core.permission import Permission
    from tameflare_core.request import OutboundRequest

app = typer.Typer(add_completion=False)


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
) -> None:
    """Say what would happen to a request, which rule decides, and which others were considered.

    Nothing is sent anywhere.

    For example:

      tf explain 'PUT https://api.github.com/repos/o/r/pulls/1/merge'

      tf explain -d '{"state":"closed"}' 'PATCH https://api.github.com/repos/o/r/issues/1'

      tf explain --batch requests.jsonl
    """
    from tameflare_cli.explanation import explain as judge
    from tameflare_core.decision_point import DecisionPoint

    if (request is None) == (batch is None):
        raise CommandFailed(
            ExitCode.USAGE,
            "name one request, or a file of them with `--batch`",
            "for example: tf explain 'GET https://api.github.com/user'",
        )
    point = DecisionPoint(load_gateway(config))
    if batch is not None:
        _answer_batch(point, batch)
        return
    assert request is not None
    explanation = judge(point, _asked(request, header or [], data), datetime.now(UTC))
    if as_json:
        print_json(explanation.document())
    else:
        _Account(point, explanation).print()


def _answer_batch(point: DecisionPoint, batch: str) -> None:
    from tameflare_cli.explanation import Explanation, read_line
    from tameflare_cli.explanation import explain as judge

    with _opened(batch) as lines:
        for number, line in enumerate(lines, start=1):
            asked = read_line(line, number)
            answer = (
                asked if isinstance(asked, Explanation) else judge(point, asked, datetime.now(UTC))
            )
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
    from tameflare_cli.explanation import Asked

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
        self._print_actions(request, verdict)
        if verdict.decision.value == "deny":
            from tameflare_core.refusals import denied

            print_line(f"hint         {one_line(denied(verdict, gateway.name, '').hint)}")

    def _print_rejection(self) -> None:
        from tameflare_core.errors import RequestRejected
        from tameflare_core.refusals import rejected

        error = self._explanation.error or ""
        print_row(["rejected", error], [0])
        print_line(f"hint         {rejected(RequestRejected(error), '').hint}")

    def _print_actions(self, request: OutboundRequest, verdict: Verdict) -> None:
        rules = {rule.id: rule for rule in self._point.gateway.permissions}
        for judgement in verdict.judgements:
            action = judgement.action
            table = self._point.tables_of(verdict.connector or "").permissions
            matching = [rule.id for rule in table.matching(action)]
            kinds = ", ".join(sorted(action.categories)) or "no category"
            weight = f"{action.access}, risk {action.risk}, {kinds}"
            print_line(f"action       {one_line(action.name)}  {weight}")
            told = [*action.resource.items(), *action.params.items()]
            if told:
                print_line(f"               {fields(told)}")
            if not matching:
                print_line("               no permission matches")
            for ident in matching:
                part = "decides" if ident == judgement.rule.id else "gives way"
                print_line(f"               {_permission(rules[ident])}  ({part})")


def _rule(verdict: Verdict) -> str:
    rule = verdict.rule
    return one_line(f"{rule.kind} {rule.id} {rule.pattern}".rstrip())


def _permission(rule: Permission) -> str:
    limits = [
        (name, value)
        for name, value in (
            ("access", rule.access),
            ("risk", rule.risk),
            ("category", rule.category),
            *rule.resource.items(),
        )
        if value is not None
    ]
    return f"{rule.id}  {rule.action.text} {fields(limits)}".rstrip() + f" → {rule.decision}"


def _done(verdict: Verdict) -> str:
    match verdict.applied.value:
        case "allow":
            return "the request would be forwarded"
        case "deny":
            return "the request would be refused"
        case _:
            return "the request would be held until a human decides"
