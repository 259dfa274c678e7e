"""Audit logs as files: JSON Lines, which can be verified, and CSV, which can be looked at."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tameflare_core.audit.checkpoint import Checkpoint, VerifyingKey
from tameflare_core.audit.event import AuditEvent
from tameflare_core.errors import TameflareError

__all__ = [
    "ExportedLog",
    "csv_line",
    "csv_lines",
    "event_line",
    "head_line",
    "json_lines",
    "read_export",
]

_FORMAT = 1
_COLUMNS = (
    "seq",
    "time",
    "actor",
    "actor_name",
    "verb",
    "object",
    "before",
    "after",
    "previous",
    "hash",
)
# A spreadsheet takes a cell that starts with one of these for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedLog:
    """What stands at the head of an exported file.

    Attributes:
        key: as the file itself says; who wrote the file may have chosen it.
        checkpoints: of the log.
    """

    key: VerifyingKey
    checkpoints: tuple[Checkpoint, ...]


def head_line(key: VerifyingKey, checkpoints: Iterable[Checkpoint]) -> str:
    """The first line of an exported file: format, key and checkpoints."""
    document = {
        "audit": _FORMAT,
        "public_key": key.text,
        "checkpoints": [checkpoint.to_dict() for checkpoint in checkpoints],
    }
    return json.dumps(document, separators=(",", ":")) + "\n"


def event_line(event: AuditEvent) -> str:
    """An event as a line."""
    return json.dumps(event.to_dict(), separators=(",", ":")) + "\n"


def json_lines(
    events: Iterable[AuditEvent], checkpoints: Iterable[Checkpoint], key: VerifyingKey
) -> Iterator[str]:
    """A log as lines of JSON, the first of which holds the key and the checkpoints."""
    yield head_line(key, checkpoints)
    for event in events:
        yield event_line(event)


def csv_line(event: AuditEvent | None) -> str:
    """An event as a row of CSV; None for the heading."""
    row = (
        _COLUMNS
        if event is None
        else [_cell(value) for value in (event.to_dict()[name] for name in _COLUMNS)]
    )
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(row)
    return text.getvalue()


def csv_lines(events: Iterable[AuditEvent]) -> Iterator[str]:
    """A log as rows of CSV (RFC 4180), the first of which is the heading."""
    yield csv_line(None)
    for event in events:
        yield csv_line(event)


def read_export(lines: Iterable[str]) -> tuple[ExportedLog, Iterator[AuditEvent]]:
    """Read what `json_lines` made.

    Returns:
        What stands at the head, and the events, which are read as they are asked for.

    Raises:
        TameflareError: a line is no part of an exported log; the line is named. Also while the
            events are read.
    """
    numbered = enumerate(lines, start=1)
    _, first = next(numbered, (1, ""))
    try:
        document = json.loads(first)
        if document["audit"] != _FORMAT:
            raise ValueError
        head = ExportedLog(
            key=VerifyingKey.from_text(document["public_key"]),
            checkpoints=tuple(map(Checkpoint.from_dict, document["checkpoints"])),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise TameflareError(
            "line 1: not an exported audit log: make one with `tf audit export`"
        ) from None
    return head, _events(numbered)


def _events(numbered: Iterator[tuple[int, str]]) -> Iterator[AuditEvent]:
    for number, line in numbered:
        try:
            yield AuditEvent.from_dict(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise TameflareError(f"line {number}: not an audit event: {error}") from None


def _cell(value: object) -> object:
    if value is None or isinstance(value, int):
        return value
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return f"'{text}" if text.startswith(_FORMULA) else text
