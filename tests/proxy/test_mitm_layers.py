from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta

import pytest

from tests.proxy.documents import GENERIC
from tests.proxy.h2_client import H2Client
from tests.proxy.origin import Origin, Vendor, head
from tests.proxy.running import Client

READ = "/api/v3/repos/o/r"


def test_upstream_connection_is_reused(tunnel, origin) -> None:
    client = tunnel()
    for _ in range(3):
        client.send(head(origin, "GET", READ))
        assert client.got().status == 200
    assert origin.connections == 1


def test_two_clients_share_no_upstream_connection(tunnel, origin) -> None:
    for _ in range(2):
        client = tunnel()
        client.send(head(origin, "GET", READ))
        assert client.got().status == 200
    assert origin.connections == 2


def test_closed_upstream_connection_is_replaced(tunnel, origin) -> None:
    origin.handle = lambda request: request.answer(b"ok", "Connection: keep-alive")
    client = tunnel()
    client.send(head(origin, "GET", READ))
    assert client.got().status == 200
    origin.handle = lambda request: request.socket.close()
    client.send(head(origin, "GET", READ))
    assert client.got().problem["detail"] == "the upstream closed the connection without an answer"
    origin.handle = lambda request: request.answer(b"again")
    client.send(head(origin, "GET", READ))
    assert client.got().body == b"again"
    assert origin.connections == 2


def test_unreachable_upstream_is_tried_again(start_gateway, vendor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    request = f"GET / HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode()
    with Client(start_gateway(port, document=GENERIC)) as client:
        client.connect(f"localhost:{port}")
        client.start_tls()
        client.send(request)
        refused = client.got().problem
        assert refused["status"] == 502
        assert refused["detail"].startswith(f"`localhost:{port}` cannot be reached: ")
        with Origin(vendor.context(), port):
            client.send(request)
            assert client.got().status == 200


def test_streams_of_one_client_run_side_by_side(start_gateway, origin) -> None:
    with Client(start_gateway(origin.port, document=GENERIC)) as client:
        client.connect(f"localhost:{origin.port}")
        client.start_tls(alpn="h2")
        engine = H2Client(client)
        streams = [engine.request("GET", f"/{number}", origin) for number in range(20)]
        assert {engine.answer(stream)[":status"] for stream in streams} == {"200"}
    assert {request.target for request in origin.requests} == {f"/{n}" for n in range(20)}


def test_h2_upstream_carries_all_streams(start_gateway, start_origin) -> None:
    origin = start_origin(h2=True)
    with Client(start_gateway(origin.port, document=GENERIC)) as client:
        client.connect(f"localhost:{origin.port}")
        client.start_tls(alpn="h2")
        engine = H2Client(client)
        streams = [engine.request("GET", f"/{number}", origin) for number in range(20)]
        assert {engine.answer(stream)[":status"] for stream in streams} == {"200"}
    assert origin.connections == 1


@pytest.mark.parametrize(
    ("certificate", "said"),
    [
        ("other authority", "unable to get local issuer certificate"),
        ("other host", "hostname mismatch"),
        ("expired", "certificate has expired"),
    ],
)
def test_wrong_certificate_gets_no_byte(start_gateway, vendor, tmp_path, certificate, said) -> None:
    if certificate == "other authority":
        context = Vendor(tmp_path / "other").context()
    elif certificate == "other host":
        context = vendor.context("other.example")
    else:
        past = datetime.now(UTC) - timedelta(days=30)
        expired = Vendor(vendor.ca_file.parent, now=lambda: past)
        context = expired.context()
    with Origin(context) as origin, Client(start_gateway(origin.port)) as client:
        client.connect(f"localhost:{origin.port}")
        client.start_tls()
        client.send(head(origin, "GET", READ))
        problem = client.got().problem
        assert problem["status"] == 502
        assert problem["detail"] == f"certificate verify failed: {said}"
        assert origin.connections == 1
        assert origin.bytes_received == 0


def test_upstream_that_speaks_no_tls_gets_no_byte(start_gateway, start_origin) -> None:
    plain = start_origin(tls=False)
    with Client(start_gateway(plain.port)) as client:
        client.connect(f"localhost:{plain.port}")
        client.start_tls()
        client.send(head(plain, "GET", READ))
        assert client.got().problem["status"] == 502
    assert plain.requests == []
