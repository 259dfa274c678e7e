"""`tf audit`: who changed or decided what, and the proof that nobody changed the log."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.options import JsonOption
from tameflare_cli.remote import connect
from tameflare_cli.rendering import notice, one_line, print_json, print_line, print_table

if TYPE_CHECKING:
    from tameflare_core.audit.checkpoint import VerifyingKey

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="The audit log of the control plane."
)


@app.command("list")
def list_events(
    verb: Annotated[str | None, typer.Option(metavar="VERB", help="Like approval.approve.")] = None,
    most: Annotated[int, typer.Option("-n", metavar="COUNT", help="How many.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List events, newest first.

    For example:

      tf audit list

      tf audit list --verb kill_switch.activate
    """
    items = connect().get("/api/v1/audit", verb=verb, limit=most)["items"]
    if as_json:
        print_json(items)
        return
    print_table(
        ("seq", "time", "who", "what", "to what"),
        [
            (
                str(item["seq"]),
                item["time"][:19] + "Z",
                item["actor_name"] or item["actor"],
                item["verb"],
                item["object"],
            )
            for item in items
        ],
    )


@app.command()
def export(
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="jsonl, or csv.")
    ] = "jsonl",
) -> None:
    """Print the whole log.

    For example:

      tf audit export > audit.jsonl
    """
    for line in connect().lines("/api/v1/audit/export", format=form):
        sys.stdout.write(line)


@app.command()
def verify(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="An exported log; the control plane's unless given."),
    ] = None,
    public_key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="The key that its checkpoints have to be signed with."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Prove that no event was deleted, edited or put elsewhere, or name the first that was.

    For example:

      tf audit verify

      tf audit verify audit.jsonl
    """
    result: dict[str, Any] = (
        _verified(file, public_key) if file else connect().get("/api/v1/audit/verify")
    )
    if as_json:
        print_json(result)
    elif result["whole"]:
        print_line(f"whole: {result['events']} events, signed up to {result['signed']}")
    if not result["whole"]:
        raise CommandFailed(
            ExitCode.REFUSED, f"event {result['seq']}: {one_line(result['problem'])}"
        )


def _verified(file: Path, public_key: str | None) -> dict[str, Any]:
    from tameflare_core.audit.chain import verify as verify_chain
    from tameflare_core.audit.export import read_export
    from tameflare_core.errors import TameflareError

    try:
        with file.open(encoding="utf-8") as lines:
            head, events = read_export(lines)
            key = head.key if public_key is None else _key(public_key)
            result = verify_chain(events, head.checkpoints, key)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise CommandFailed(ExitCode.BAD_CONFIG, f"{file}: cannot be read: {why}") from None
    except TameflareError as error:
        raise CommandFailed(ExitCode.BAD_CONFIG, f"{file}: {one_line(str(error))}") from None
    if public_key is None:
        notice("the key is the file's own: name the one you know with `--public-key`")
    return {
        "whole": result.whole,
        "events": result.events,
        "signed": result.signed,
        "seq": result.seq,
        "problem": result.problem,
        "public_key": key.text,
    }


def _key(text: str) -> VerifyingKey:
    from tameflare_core.audit.checkpoint import VerifyingKey

    try:
        return VerifyingKey.from_text(text)
    except ValueError:
        raise CommandFailed(ExitCode.USAGE, "`--public-key` is no Ed25519 key in base64") from None
