"""How commands print: escaped, aligned, in colour where the terminal wants it, or as JSON.

Host names, paths, action names and reasons come from agents and services: nothing of them reaches a
terminal without `one_line`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["fields", "notice", "one_line", "print_json", "print_line", "print_row", "print_table"]

_STYLES = {
    "allow": "green",
    "forwarded": "green",
    "ok": "green",
    "require_approval": "yellow",
    "warning": "yellow",
    "would_deny": "yellow",
    "would_hold": "yellow",
    "cancelled": "red",
    "denied": "red",
    "deny": "red",
    "expired": "red",
    "failed": "red",
    "fault": "red",
    "rejected": "red",
}


def one_line(text: str) -> str:
    """Untrusted text for one line of a terminal: bounded, and with every control escaped."""
    # Commands that print nothing of others' do without the core.
    from tameflare_core.approval import preview_line

    return preview_line(text)


def fields(values: Iterable[tuple[str, object]]) -> str:
    """`key=value` pairs on one line, escaped."""
    return " ".join(f"{one_line(key)}={one_line(str(value))}" for key, value in values)


def notice(text: str) -> None:
    """Say something on standard error that is no part of the command's result."""
    sys.stderr.write(f"tf: {text}\n")
    sys.stderr.flush()


def print_json(document: object) -> None:
    """Print a document as indented JSON."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def print_line(text: str, *, flush: bool = False) -> None:
    """Print one line of our own words; what is not ours in it has been through `one_line`."""
    sys.stdout.write(text + "\n")
    if flush:
        sys.stdout.flush()


def print_row(cells: Sequence[str], widths: Sequence[int], *, style: str = "") -> None:
    """Print cells padded to `widths`; a cell that names an outcome is coloured."""
    from rich.text import Text

    line = Text(style=style)
    for index, cell in enumerate(cells):
        shown = one_line(cell)
        line.append(shown, _STYLES.get(cell, ""))
        if index < len(cells) - 1:
            line.append(" " * (max(widths[index] - len(shown), 0) + 2))
    _console().print(line)


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a heading and rows in aligned columns."""
    listed = list(rows)
    widths = [
        max(len(one_line(row[column])) for row in (header, *listed))
        for column in range(len(header))
    ]
    print_row(header, widths, style="bold")
    for row in listed:
        print_row(row, widths)


@cache
def _console() -> Console:
    from rich.console import Console

    # NO_COLOR and TERM are rich's to read. Lines are never wrapped: they are searched and piped.
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
