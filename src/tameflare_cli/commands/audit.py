"""`tf audit`: who changed what, and whether the log of it is whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.options import JsonOption
from tameflare_cli.rendering import notice, one_line, print_json, print_line

if TYPE_CHECKING:
    from tameflare_core.audit.chain import Verification
    from tameflare_core.audit.checkpoint import PublicKey
    from tameflare_core.audit.export import AuditExport

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Who changed what, and proof that it is whole."
)


@app.callback()
def _group() -> None:
    pass  # a group of one command would be that command


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An export in JSON Lines.")],
    public_key: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT|FILE",
            help="The key that signs checkpoints, in base64, as you know it from elsewhere; the"
            " one that the file names unless given.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Prove that an exported audit log is whole, or name the first event that is not.

    Events that were edited, removed, added or put in another order are found, also when every hash
    was computed anew: the checkpoints between them are signed. Only a key that you know from
    elsewhere proves whose checkpoints they are; then a file without any is not whole.

    It exits with 0 when the log is whole, with 4 when it is not, and with 5 when the file is no
    export.

    For example:

      tf audit verify audit.jsonl --public-key audit.pub
    """
    from tameflare_core.audit.chain import verify_audit
    from tameflare_core.audit.export import AuditExport
    from tameflare_core.errors import AuditError

    trusted = None if public_key is None else _key(public_key)
    try:
        export = AuditExport.open(file)
        found = verify_audit(
            export.events(),
            export.checkpoints(),
            public_keys=[trusted or export.public_key],
            require_checkpoint=trusted is not None,
        )
    except OSError as error:
        message = f"`{one_line(str(file))}` cannot be read: {error.strerror}"
        raise CommandFailed(ExitCode.BAD_CONFIG, message) from None
    except AuditError as error:
        raise CommandFailed(ExitCode.BAD_CONFIG, f"{one_line(f'{file}: {error}')}") from None
    if as_json:
        print_json(_document(found, trusted or export.public_key, trusted is not None))
    else:
        _tell(found, export, trusted)
    if found.problem is not None:
        raise typer.Exit(_code(found))


def _key(given: str) -> PublicKey:
    from tameflare_core.audit.checkpoint import PublicKey
    from tameflare_core.errors import AuditError

    try:
        return PublicKey(given)
    except AuditError:
        pass
    try:
        return PublicKey(Path(given).read_text("ascii"))
    except (AuditError, OSError, ValueError):
        raise CommandFailed(
            ExitCode.USAGE,
            f"`--public-key`: `{one_line(given)}` is neither a public key nor a file with one",
            "a public key is the base64 of 32 bytes",
        ) from None


def _code(found: Verification) -> ExitCode:
    from tameflare_core.audit.chain import ProblemKind

    if found.problem is not None and found.problem.kind is ProblemKind.UNREADABLE:
        return ExitCode.BAD_CONFIG
    return ExitCode.REFUSED


def _document(found: Verification, key: PublicKey, trusted: bool) -> dict[str, object]:
    problem = found.problem
    return {
        "whole": found.whole,
        "events": found.events,
        "head": {"seq": found.head.seq, "hash": found.head.hash} if found.head else None,
        "checkpoints": found.checkpoints,
        "last_checkpoint": found.signed.to_dict() if found.signed else None,
        "unsigned_events": found.unsigned,
        "key": {"id": key.id, "public_key": key.text, "trusted": trusted},
        "problem": {"seq": problem.seq, "kind": problem.kind.value, "why": problem.why}
        if problem
        else None,
    }


def _tell(found: Verification, export: AuditExport, trusted: PublicKey | None) -> None:
    problem, signed = found.problem, found.signed
    if problem is None:
        print_line(f"whole: {_counted(found.events, 'event')}")
    else:
        print_line(f"not whole: event {problem.seq}: {problem.kind}: {one_line(problem.why)}")
        print_line(f"  {_counted(found.events, 'event')} before it in one chain")
    if signed is None:
        print_line("  no checkpoint: no event is signed")
    else:
        print_line(
            f"  {_counted(found.checkpoints, 'checkpoint')}, the last for event {signed.seq},"
            f" signed {signed.time:%Y-%m-%d %H:%M:%S} UTC with key {signed.key_id}"
        )
        if found.unsigned:
            print_line(f"  {_counted(found.unsigned, 'event')} after it not signed yet")
    if trusted is None:
        notice(
            f"the key {export.public_key.id} is the file's own, and nobody has checked whose it is:"
            " name the one you know with `--public-key`"
        )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
