"""The clock and the ids that the enforcement point works with, so that tests can fix them."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = ["Surroundings", "uuid7"]


def uuid7() -> str:
    """A UUID version 7: ordered by time of creation. Source: RFC 9562 section 5.7."""
    stamp = (time.time_ns() // 1_000_000) & (2**48 - 1)
    random = secrets.randbits(74)
    value = stamp << 80 | 0x7 << 76 | (random >> 62) << 64 | 0b10 << 62 | random & (2**62 - 1)
    return str(uuid.UUID(int=value))


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is not a function of the request.

    Attributes:
        now: the current time, with a zone.
        monotonic: seconds that never go backwards, for measuring.
        new_id: a fresh id for a request.
    """

    now: Callable[[], datetime] = _now
    monotonic: Callable[[], float] = time.perf_counter
    new_id: Callable[[], str] = uuid7
