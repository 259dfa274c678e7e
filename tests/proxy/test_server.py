from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress

import pytest

from tameflare_core.approval import ApprovalState
from tameflare_proxy.bounds import Limits
from tests.proxy.origin import Arrived, head
from tests.proxy.running import Client

READ = "/api/v3/repos/o/r"
MERGE = f"{READ}/pulls/1/merge"
PROMPT = 2.0
"""Seconds that are far less than any of the gateway's own time limits."""


def held(gateway, origin, path: str = MERGE) -> Client:
    client = Client(gateway)
    client.connect(f"localhost:{origin.port}")
    client.start_tls()
    client.send(head(origin, "PUT", path, "Content-Length: 0"))
    return client


def test_many_connections_are_served_at_once(gateway, origin) -> None:
    clients = []
    for _ in range(100):
        client = Client(gateway)
        client.connect(f"localhost:{origin.port}")
        client.start_tls()
        clients.append(client)
    for client in clients:
        client.send(head(origin, "GET", READ))
    assert {client.got().status for client in clients} == {200}
    for client in clients:
        client.close()


def test_connections_beyond_the_limit_are_refused(start_gateway, origin) -> None:
    gateway = start_gateway(origin.port, limits=Limits(connections=2, drain_seconds=0.05))
    target = f"localhost:{origin.port}"
    first, second = Client(gateway), Client(gateway)
    assert [first.connect(target).status, second.connect(target).status] == [200, 200]
    with Client(gateway) as third:
        got = third.connect(target)
        assert got.problem["type"].endswith("/too-many-connections")
        assert (got.status, got.headers["retry-after"]) == (503, "1")
        assert third.ended()
    # One that ends makes room.
    first.close()
    statuses = []
    deadline = time.monotonic() + 10
    while 200 not in statuses and time.monotonic() < deadline:
        with Client(gateway) as fourth:
            statuses.append(fourth.connect(target).status)
    assert statuses[-1] == 200
    second.close()


def test_holds_beyond_the_limit_are_refused(start_gateway, origin) -> None:
    gateway = start_gateway(origin.port, limits=Limits(held=1, drain_seconds=0.05))
    with held(gateway, origin) as first:
        asked = gateway.humans.wait_asked()
        with held(gateway, origin, "/api/v3/repos/o/r/pulls/2/merge") as second:
            problem = second.got("PUT").problem
            assert problem["type"].endswith("/approval-unavailable")
        gateway.humans.answer(asked, ApprovalState.DENIED)
        assert first.got("PUT").status == 403
    with held(gateway, origin) as third:
        gateway.humans.answer(gateway.humans.wait_asked(2), ApprovalState.APPROVED)
        assert third.got("PUT").status == 200


@pytest.mark.parametrize("said", [b"", b"CONNECT a:1 HTTP/1.1\r\n", b"GET"])
def test_slow_head_is_timed_out(start_gateway, origin, said) -> None:
    gateway = start_gateway(origin.port, limits=Limits(head_seconds=0.2))
    with Client(gateway) as client:
        client.send(said)
        assert client.ended()


@pytest.mark.parametrize("said", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n"])
def test_slow_start_in_tunnel_is_timed_out(start_gateway, origin, said) -> None:
    gateway = start_gateway(origin.port, limits=Limits(head_seconds=0.2))
    with Client(gateway) as client:
        assert client.connect(f"localhost:{origin.port}").status == 200
        client.send(said)
        assert client.ended()


def test_slow_head_behind_tls_is_timed_out(start_gateway, origin) -> None:
    gateway = start_gateway(origin.port, limits=Limits(head_seconds=0.2))
    with Client(gateway) as client:
        client.connect(f"localhost:{origin.port}")
        client.start_tls()
        client.send(b"GET / HTTP")
        assert client.ended()


def test_used_connection_may_rest(start_gateway, origin) -> None:
    gateway = start_gateway(origin.port, limits=Limits(head_seconds=0.2))
    with Client(gateway) as client:
        client.connect(f"localhost:{origin.port}")
        client.start_tls()
        client.send(head(origin, "GET", READ))
        assert client.got().status == 200
        with Client(gateway) as other:
            assert other.ended()  # the limit has passed
        client.send(head(origin, "GET", READ))
        assert client.got().status == 200


def test_stop_ends_idle_connections(gateway, origin) -> None:
    clients = [Client(gateway) for _ in range(3)]
    clients[1].connect(f"localhost:{origin.port}")
    clients[2].connect(f"localhost:{origin.port}")
    clients[2].start_tls()
    started = time.monotonic()
    gateway.stop()

    assert time.monotonic() - started < PROMPT
    for client in clients:
        assert client.ended()
        client.close()


def test_stop_withdraws_what_is_held(gateway, origin) -> None:
    with held(gateway, origin) as client:
        asked = gateway.humans.wait_asked()
        gateway.stop()

        assert gateway.humans.withdrawn == [asked.id]
        assert [record.outcome for record in gateway.records.all] == ["cancelled"]
        assert client.ended()
    assert origin.connections == 0


def test_stop_ends_what_is_forwarded(gateway, origin) -> None:
    closed = threading.Event()

    def wait(request: Arrived) -> None:
        if request.socket.recv(1) == b"":
            closed.set()

    origin.handle = wait
    with Client(gateway) as client:
        client.connect(f"localhost:{origin.port}")
        client.start_tls()
        client.send(head(origin, "GET", READ))
        origin.wait_for_requests(1)
        gateway.stop()
        assert client.ended()
    assert closed.wait(10)
    assert [record.outcome for record in gateway.records.all] == ["abandoned"]


def test_stopped_gateway_forwards_nothing_more(gateway, origin) -> None:
    async def serve() -> None:
        await gateway.server.__aexit__(None, None, None)
        left = {task.get_name() for task in asyncio.all_tasks()}
        assert not {name for name in left if "connection handler" in name}

    with Client(gateway) as client:
        client.connect(f"localhost:{origin.port}")
        client.start_tls()
        client.send(head(origin, "GET", READ))
        assert client.got().status == 200
        gateway.call(serve())  # its event loop goes on
        with suppress(OSError):
            client.send(head(origin, "GET", READ))
        assert client.ended()
    assert len(origin.requests) == 1


def test_taken_address_is_an_error(gateway, start_gateway) -> None:
    from tameflare_core.plugins import load_plugins
    from tameflare_core.testing import MemoryRecorder, gateway_from
    from tameflare_proxy.one_gateway import OneGateway
    from tameflare_proxy.server import GatewayServer

    async def start() -> None:
        own = GatewayServer(
            gateways=lambda spawn: OneGateway(
                gateway=gateway_from("version: 1\ngateway: agent\n"),
                plugins=load_plugins(entry_points=False),
                token="gwtk_x",
                approver=gateway.humans,
                recorder=MemoryRecorder(),
                spawn=spawn,
            ),
            authority=gateway.authority,
            port=gateway.port,
        )
        await own.__aenter__()

    with pytest.raises(OSError, match=r"(?i)address already in use"):
        gateway.call(start())
