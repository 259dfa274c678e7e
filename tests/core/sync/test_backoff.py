"""Waiting times grow, stay bounded, and differ."""

from __future__ import annotations

from tameflare_core.sync.backoff import Backoff


def test_waiting_grows_to_a_bound_and_starts_again() -> None:
    backoff = Backoff(first=1.0, most=8.0)
    waits = [backoff.next() for _ in range(50)]
    assert waits[0] <= 1.0
    assert all(2.0 <= wait <= 8.0 for wait in waits[4:])
    assert len(set(waits)) > 40
    backoff.reset()
    assert backoff.next() <= 1.0
