"""The traffic records that a command is to read: a file, standard input, or this user's log."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from tameflare_cli.exit_codes import CommandFailed, ExitCode

__all__ = ["RecordsOption", "record_lines"]

RecordsOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|-", help="Traffic records, JSON Lines; the log of this user unless given."
    ),
]


@contextmanager
def record_lines(records: str | None) -> Iterator[Iterator[bytes]]:
    """The lines of a log, oldest first.

    Args:
        records: a file, `-` for standard input, or None for this user's log, the file that was set
            aside before it included.

    Raises:
        CommandFailed: it cannot be read.
    """
    if records == "-":
        yield iter(sys.stdin.buffer)
        return
    with ExitStack() as stack:
        yield _lines(_paths(records), stack)


def _paths(records: str | None) -> list[Path]:
    if records is not None:
        return [Path(records)]
    from tameflare_cli.hosting import TRAFFIC_LOG
    from tameflare_core.folders import state_folder

    path = state_folder() / TRAFFIC_LOG
    before = path.with_name(path.name + ".1")
    found = [each for each in (before, path) if each.exists()]
    if not found:
        raise CommandFailed(
            ExitCode.USAGE,
            f"no traffic yet: there is no `{path}`",
            "`tf run` and `tf gateway` record it; or name a file with `--records FILE`",
        )
    return found


def _lines(paths: list[Path], stack: ExitStack) -> Iterator[bytes]:
    for path in paths:
        try:
            file = stack.enter_context(path.open("rb"))
        except OSError as error:
            message = f"`{path}` cannot be read: {error.strerror}"
            raise CommandFailed(ExitCode.USAGE, message) from None
        yield from file
