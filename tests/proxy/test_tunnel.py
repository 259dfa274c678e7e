from __future__ import annotations

import pytest

from tameflare_proxy.tunnel import Tunnel


@pytest.mark.parametrize(
    ("host", "address"), [("a.example", "a.example"), ("127.0.0.1", "127.0.0.1"), ("[::1]", "::1")]
)
def test_address_is_one_that_sockets_take(host: str, address: str) -> None:
    assert Tunnel(host, 443, tls=True).address == (address, 443)
