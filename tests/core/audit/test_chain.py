"""Whatever is done to a log is found, and where."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tameflare_core.audit.chain import verify
from tameflare_core.audit.checkpoint import Checkpoint, SigningKey
from tameflare_core.audit.event import AuditEvent

KEY = SigningKey(bytes(range(32)))
AT = datetime(2026, 3, 1, tzinfo=UTC)
LENGTH = 12


def chain(length: int = LENGTH, *, odd: str = "") -> list[AuditEvent]:
    events: list[AuditEvent] = []
    for number in range(length):
        last = events[-1] if events else None
        events.append(
            AuditEvent.next(
                last,
                time=AT + timedelta(seconds=number),
                actor="user:usr_a",
                actor_name="ana",
                verb="gateway.update",
                object="gateway:gw_a",
                after={"number": number, "odd": odd if number >= 4 else ""},
            )
        )
    return events


EVENTS = chain()
SIGNED = [KEY.sign(seq=seq, hash=EVENTS[seq - 1].hash, time=AT) for seq in (5, LENGTH)]


def test_honest_log_is_whole() -> None:
    result = verify(EVENTS, SIGNED, KEY.public)
    assert result.whole
    assert (result.events, result.signed) == (LENGTH, LENGTH)


def test_empty_log_is_whole() -> None:
    assert verify([], [], KEY.public).whole


@given(st.integers(0, LENGTH - 1))
def test_deleted_event_is_located(index: int) -> None:
    result = verify(EVENTS[:index] + EVENTS[index + 1 :], SIGNED, KEY.public)
    assert result.seq == index + 1
    assert "missing" in result.problem


@given(st.integers(0, LENGTH - 1), st.integers(0, LENGTH - 1))
def test_swapped_events_are_located(one: int, other: int) -> None:
    events = list(EVENTS)
    events[one], events[other] = events[other], events[one]
    result = verify(events, SIGNED, KEY.public)
    assert result.seq == (None if one == other else min(one, other) + 1)


@given(st.integers(0, LENGTH - 1))
def test_doubled_event_is_located(index: int) -> None:
    result = verify([*EVENTS[: index + 1], *EVENTS[index:]], SIGNED, KEY.public)
    assert result.seq == index + 2 or result.problem.startswith(f"event {index + 1} ")


@settings(max_examples=300)
@given(st.integers(0, LENGTH - 1), st.data())
def test_any_changed_character_is_located(index: int, data: st.DataObject) -> None:
    text = json.dumps(EVENTS[index].to_dict())
    at = data.draw(st.integers(0, len(text) - 1))
    flipped = text[:at] + chr(ord(text[at]) ^ (1 << data.draw(st.integers(0, 6)))) + text[at + 1 :]
    try:
        event = AuditEvent.from_dict(json.loads(flipped))
    except (ValueError, KeyError, TypeError):
        return  # it is no event any more, which a reader sees before
    if event == EVENTS[index]:
        return  # another way to write the same
    result = verify([*EVENTS[:index], event, *EVENTS[index + 1 :]], SIGNED, KEY.public)
    # An event whose own hash was changed along is told by the one after it, or by a checkpoint.
    assert not result.whole
    assert result.seq in {index + 1, index + 2}


def test_history_made_anew_is_found_at_the_next_checkpoint() -> None:
    result = verify(chain(odd="x"), SIGNED, KEY.public)
    assert result.seq == 5
    assert "checkpoint" in result.problem


def test_end_cut_off_is_found_by_the_last_checkpoint() -> None:
    result = verify(EVENTS[:-2], SIGNED, KEY.public)
    assert (result.seq, result.events) == (LENGTH - 1, LENGTH - 2)


def test_checkpoint_of_another_key_is_found() -> None:
    forged = SigningKey(b"x" * 32).sign(seq=5, hash=EVENTS[4].hash, time=AT)
    result = verify(EVENTS, [forged, SIGNED[1]], KEY.public)
    assert result.seq == 5
    assert "signed" in result.problem


def test_edited_checkpoint_is_found() -> None:
    edited: Checkpoint = replace(SIGNED[0], hash="0" * 64)
    assert verify(EVENTS, [edited], KEY.public).seq == 5


@pytest.mark.parametrize("seq", [1, 7, LENGTH])
def test_edit_with_its_own_hash_made_anew_is_located(seq: int) -> None:
    last = EVENTS[seq - 2] if seq > 1 else None
    event = AuditEvent.next(last, time=AT, actor="user:usr_b", actor_name="", verb="v", object="o")
    events = [*EVENTS[: seq - 1], event, *EVENTS[seq:]]
    assert verify(events, SIGNED, KEY.public).seq == (LENGTH if seq == LENGTH else seq + 1)


def test_log_is_looked_at_as_it_comes(tmp_path: Path) -> None:
    seen = 0

    def events() -> object:
        nonlocal seen
        for event in EVENTS:
            seen += 1
            yield replace(event, verb="other") if event.seq == 3 else event

    assert verify(events(), SIGNED, KEY.public).seq == 3  # type: ignore[arg-type]
    assert seen == 3
