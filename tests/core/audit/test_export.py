"""Exported logs: verified again elsewhere, and safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io

import pytest

from tameflare_core.audit.chain import verify
from tameflare_core.audit.event import AuditEvent
from tameflare_core.audit.export import csv_lines, json_lines, read_export
from tameflare_core.errors import TameflareError
from tests.core.audit.test_chain import AT, EVENTS, KEY, SIGNED


def exported() -> list[str]:
    return list(json_lines(EVENTS, SIGNED, KEY.public))


def test_exported_log_verifies() -> None:
    head, events = read_export(exported())
    assert verify(events, head.checkpoints, head.key).signed == len(EVENTS)


def test_line_taken_out_of_the_file_is_located() -> None:
    lines = exported()
    del lines[4]
    head, events = read_export(lines)
    assert verify(events, head.checkpoints, head.key).seq == 4


@pytest.mark.parametrize(
    "first", ["", "x", "{}", '{"audit": 2}', "[]", '{"audit":1,"public_key":3}']
)
def test_other_file_is_refused(first: str) -> None:
    with pytest.raises(TameflareError, match="line 1"):
        read_export([first])


def test_damaged_line_is_named() -> None:
    lines = exported()
    lines[2] = lines[2][:-10]
    with pytest.raises(TameflareError, match="line 3"):
        list(read_export(lines)[1])


def test_csv_holds_every_event() -> None:
    rows = list(csv.DictReader(io.StringIO("".join(csv_lines(EVENTS)))))
    assert [row["hash"] for row in rows] == [event.hash for event in EVENTS]


def test_cell_is_never_a_formula() -> None:
    event = AuditEvent.next(
        None, time=AT, actor="system", actor_name="=1+1", verb="v", object="@x", after="-1"
    )
    row = next(iter(csv.DictReader(io.StringIO("".join(csv_lines([event]))))))
    assert (row["actor_name"], row["object"], row["after"]) == ("'=1+1", "'@x", "'-1")
