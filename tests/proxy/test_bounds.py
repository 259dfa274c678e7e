from __future__ import annotations

from tameflare_proxy.bounds import too_many_connections


def test_full_gateway_says_when_to_come_again() -> None:
    refusal = too_many_connections(7, "1")
    assert refusal.status == 503
    assert "7 connections" in refusal.detail
    assert ("retry-after", "1") in refusal.fields()
