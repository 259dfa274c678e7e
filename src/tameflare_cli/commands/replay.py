"""`tf replay`: what another configuration would have done with recorded traffic."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tameflare_cli.exit_codes import ExitCode
from tameflare_cli.options import JsonOption
from tameflare_cli.records import RecordsOption, record_lines
from tameflare_cli.rendering import notice, one_line, print_json, print_line

if TYPE_CHECKING:
    from tameflare_core.replay import Replay, ReplayedChange

app = typer.Typer(add_completion=False)


class FailOn(enum.StrEnum):
    """Which changes make the command exit with 1."""

    NOTHING = "nothing"
    NEWLY_ALLOWED = "newly-allowed"
    ANY = "any"


@app.command()
def replay(
    config: Annotated[
        Path, typer.Option("--config", metavar="NEW", help="The configuration to judge by.")
    ],
    records: RecordsOption = None,
    gateway: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only records of this gateway.")
    ] = None,
    fail_on: Annotated[FailOn, typer.Option(help="Exit with 1 on such changes.")] = FailOn.NOTHING,
    number: Annotated[int, typer.Option("-n", min=1, help="How many changes to show.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """Judge recorded traffic by another configuration, and say what would change.

    What would be newly allowed comes first. Nothing is sent anywhere. Records have no bodies and no
    parameters: where a rule looks at those, both ends of what it might do are told.

    For example:

      tf replay --config new.yaml

      tf replay --records traffic.jsonl --config new.yaml --fail-on newly-allowed
    """
    from tameflare_core.config.document import GatewayConfig
    from tameflare_core.recorded import Recorded, read_records
    from tameflare_core.replay import Replay

    result = Replay(GatewayConfig.from_file(config).bind())
    with record_lines(records) as lines:
        result.take(
            record
            for record in read_records(lines)
            if gateway is None or not isinstance(record, Recorded) or record.gateway == gateway
        )
    if as_json:
        print_json(result.document())
    else:
        _tell(result, number)
    if _fails(result, fail_on):
        raise typer.Exit(ExitCode.FAILED)


def _fails(result: Replay, fail_on: FailOn) -> bool:
    from tameflare_core.replay import ChangeKind

    match fail_on:
        case FailOn.NOTHING:
            return False
        case FailOn.ANY:
            return bool(result.changes)
        case FailOn.NEWLY_ALLOWED:
            loosened = {ChangeKind.ALLOWED, ChangeKind.MAY_BE_ALLOWED}
            return any(change.kind in loosened for change in result.changes)


def _tell(result: Replay, number: int) -> None:
    changes = result.changes
    kind = None
    for change in changes[:number]:
        if change.kind is not kind:
            kind = change.kind
            print_line(kind.value)
        _tell_change(change)
    if len(changes) > number:
        print_line(f"… {len(changes) - number} more changes; see -n or --json")
    changed = result.judged - result.unchanged
    print_line(
        f"{result.judged} of {result.read} records judged: {changed} would change,"
        f" {result.unchanged} would not"
    )
    for why, count in sorted(result.untold.items()):
        print_line(f"not judged: {count}x {why}")
    for line in result.unreadable:
        notice(f"line {line.line}: {line.why}")
    if result.unreadable_count > len(result.unreadable):
        notice(f"{result.unreadable_count} lines in all are no records")


def _tell_change(change: ReplayedChange) -> None:
    now = " or ".join(change.now)
    names = ", ".join(change.actions) or "no action"
    print_line(f"  {change.count}x {one_line(names)}: {change.was} → {now}")
    print_line(f"      {one_line(change.reason)}")
    print_line(f"      like {one_line(change.example)}")
    if change.resources:
        more = f", and {change.others} other times" if change.others else ""
        print_line(f"      on {one_line('; '.join(change.resources))}{more}")
