"""Ids and clocks."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from tameflare_core.surroundings import Surroundings, uuid7


def test_id_is_a_uuid_of_version_7() -> None:
    value = uuid.UUID(uuid7())
    assert value.version == 7
    assert value.variant == uuid.RFC_4122
    stamp = datetime.fromtimestamp((value.int >> 80) / 1000, UTC)
    assert abs(datetime.now(UTC) - stamp) < timedelta(minutes=1)


def test_ids_do_not_repeat() -> None:
    assert len({uuid7() for _ in range(10_000)}) == 10_000


def test_clock_has_a_zone() -> None:
    surroundings = Surroundings()
    assert surroundings.now().tzinfo is UTC
    assert surroundings.monotonic() <= surroundings.monotonic()
    assert surroundings.new_id() != surroundings.new_id()
