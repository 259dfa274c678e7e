"""Events: one byte form, one hash, no secrets."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tameflare_core.audit.event import NO_EVENT, AuditEvent, redacted

AT = datetime(2026, 3, 1, 12, 30, 15, 250, tzinfo=UTC)


def first(**changes: object) -> AuditEvent:
    values: dict[str, object] = {
        "time": AT,
        "actor": "user:usr_a",
        "actor_name": "ana@example.com",
        "verb": "gateway.update",
        "object": "gateway:gw_a",
        "before": {"name": "a", "n": 1.5},
        "after": {"name": "ä"},
    }
    return AuditEvent.next(None, **{**values, **changes})  # type: ignore[arg-type]


def test_first_event_follows_nothing() -> None:
    event = first()
    assert (event.seq, event.previous) == (1, NO_EVENT)
    assert event.is_genuine


def test_next_event_is_bound_to_the_one_before() -> None:
    one = first()
    two = AuditEvent.next(one, time=AT, actor="system", actor_name="", verb="v", object="o")
    assert (two.seq, two.previous) == (2, one.hash)


def test_hash_never_changes_between_versions() -> None:
    assert first().hash == "caa74ec8774082724bba42d7db28588d2a012b25c997f8950e44102aefcfe719"


def test_zone_of_the_time_makes_no_difference() -> None:
    east = AT.astimezone(timezone(timedelta(hours=5)))
    assert first(time=east).hash == first().hash


def test_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        first(time=AT.replace(tzinfo=None))


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        first(after={"n": float("nan")})


def test_round_trip_keeps_everything() -> None:
    event = first()
    assert AuditEvent.from_dict(json.loads(json.dumps(event.to_dict()))) == event


@pytest.mark.parametrize(
    "change",
    [{"seq": "1"}, {"seq": True}, {"more": 1}, {"time": 3}, {"time": "2026-03-01T12:00:00"}],
)
def test_other_documents_are_no_events(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        AuditEvent.from_dict({**first().to_dict(), **change})


def test_a_document_that_lacks_a_field_is_no_event() -> None:
    values = first().to_dict()
    del values["verb"]
    with pytest.raises(ValueError, match="fields"):
        AuditEvent.from_dict(values)


@pytest.mark.parametrize("field", ["actor", "verb", "object", "before", "after", "time"])
def test_edited_event_is_not_genuine(field: str) -> None:
    changed: object = "2026-03-01T12:30:16+00:00" if field == "time" else "other"
    assert not AuditEvent.from_dict({**first().to_dict(), field: changed}).is_genuine


def test_secrets_are_taken_out_at_any_depth() -> None:
    assert redacted({"a": [{"Token": "x", "b": {"password": "y"}}], "token": None}) == {
        "a": [{"Token": "…", "b": {"password": "…"}}],
        "token": None,
    }
