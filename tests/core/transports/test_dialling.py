"""Dialling with real sockets; a name with several addresses takes a resolver that says so."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import httpcore
import pytest

from tameflare_core.errors import AddressRefused, UpstreamError
from tameflare_core.testing import gateway_from
from tameflare_core.transports.dialling import GuardedAsyncBackend, GuardedBackend, Pools, pool
from tests.standin import Standin

type Resolve = Callable[..., list[tuple[Any, ...]]]
type Connect = Callable[[str, int], str]


def connect_now(host: str, port: int) -> str:
    """The address that was dialled, by the synchronous backend."""
    stream = GuardedBackend(allow_private=True).connect_tcp(host, port, timeout=2)
    address: str = stream.get_extra_info("server_addr")[0]
    stream.close()
    return address


def connect_in_a_loop(host: str, port: int) -> str:
    """The address that was dialled, by the asynchronous backend."""

    async def connect() -> str:
        stream = await GuardedAsyncBackend(allow_private=True).connect_tcp(host, port, timeout=2)
        address: str = stream.get_extra_info("server_addr")[0]
        await stream.aclose()
        return address

    return asyncio.run(connect())


both = pytest.mark.parametrize("connect", [connect_now, connect_in_a_loop])


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the resolver says, one answer after another; each is used once."""
    script: list[list[str]] = []
    resolve: Resolve = socket.getaddrinfo

    def scripted(host: Any, port: Any, *args: Any, **kwargs: Any) -> list[tuple[Any, ...]]:
        if host not in ("many.example", b"many.example"):
            return resolve(host, port, *args, **kwargs)
        return [
            entry for address in script.pop(0) for entry in resolve(address, port, *args, **kwargs)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", scripted)
    return script


@both
def test_checked_address_is_dialled_without_asking_again(
    connect: Connect, answers: list[list[str]], standin: Standin
) -> None:
    answers.append(["127.0.0.1"])
    assert connect("many.example", standin.port) == "127.0.0.1"
    assert answers == []


@both
def test_next_address_is_tried(
    connect: Connect, answers: list[list[str]], standin: Standin
) -> None:
    answers.append(["127.0.0.2", "127.0.0.3", "127.0.0.1"])
    assert connect("many.example", standin.port) == "127.0.0.1"


@both
def test_last_error_is_told(connect: Connect, answers: list[list[str]], standin: Standin) -> None:
    answers.append(["127.0.0.2", "127.0.0.3"])
    with pytest.raises(httpcore.ConnectError):
        connect("many.example", standin.port)


@both
def test_mixed_answer_dials_nothing(
    connect: Connect, answers: list[list[str]], standin: Standin
) -> None:
    answers.append(["127.0.0.1", "169.254.169.254"])
    with pytest.raises(AddressRefused, match="metadata"):
        connect("many.example", standin.port)
    assert standin.connections == 0


@both
def test_name_that_does_not_resolve_is_told(connect: Connect) -> None:
    with pytest.raises(UpstreamError, match=r"`no\.such\.invalid` cannot be resolved"):
        connect("no.such.invalid", 443)


@both
def test_name_that_is_no_name_is_told(connect: Connect) -> None:
    with pytest.raises(UpstreamError, match="cannot be resolved"):
        connect("x" * 64 + ".example", 443)


@both
def test_address_with_zone_dials_nothing(connect: Connect, answers: list[list[str]]) -> None:
    answers.append(["fe80::1%lo"])
    with pytest.raises(AddressRefused, match="zone"):
        connect("many.example", 443)


@both
def test_address_that_does_not_answer_is_passed_over(
    connect: Connect, answers: list[list[str]], standin: Standin
) -> None:
    # A listener whose queue is full drops what comes, as a host that is down would.
    with socket.socket() as silent, socket.socket() as waiting:
        silent.bind(("127.0.0.2", standin.port))
        silent.listen(0)
        waiting.connect(("127.0.0.2", standin.port))
        answers.append(["127.0.0.2", "127.0.0.1"])
        assert connect("many.example", standin.port) == "127.0.0.1"


def test_connectors_share_no_pool() -> None:
    gateway = gateway_from(
        """
        version: 1
        gateway: agent
        connectors:
          - {type: generic, id: a, hosts: [a.example]}
          - {type: generic, id: b, hosts: [b.example]}
          - {type: generic, id: c, hosts: [c.example], allow_private_network: true}
        """
    )
    pools = Pools(pool)
    found = [pools.of(bound) for bound in (*gateway.connectors, None)]
    assert len(set(map(id, found))) == 4
    assert [pools.of(bound) for bound in (*gateway.connectors, None)] == found
    assert pools.take_all() == found
    assert pools.take_all() == []
