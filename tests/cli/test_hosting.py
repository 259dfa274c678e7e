from __future__ import annotations

import socket
from pathlib import Path

import anyio
import pytest

from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.hosting import env_credentials, hosted, hosted_beside
from tameflare_core.approvals import AsyncNobodyToAsk
from tameflare_core.testing import MemoryRecorder, gateway_from
from tests.cli.harness import CONFIG


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = tmp_path / "tameflare.yaml"
    path.write_text(CONFIG)
    return path


def test_gateway_beside_listens_until_the_context_ends(config: Path) -> None:
    recorder = MemoryRecorder()
    approver = AsyncNobodyToAsk()
    with hosted_beside(config, token="t", approver=approver, recorder=recorder) as gateway:
        address = gateway.address.host, gateway.address.port
        with socket.create_connection(address, timeout=10) as client:
            client.sendall(
                b"CONNECT api.github.com:443 HTTP/1.1\r\nHost: api.github.com:443\r\n\r\n"
            )
            assert client.recv(64).startswith(b"HTTP/1.1 407 ")
        assert gateway.gateway.name == "prod-agent"
        assert gateway.certificate.is_file()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=10)


def test_taken_address_says_what_to_do(config: Path) -> None:
    async def serve(port: int) -> None:
        async with hosted(config, token="t", approver=AsyncNobodyToAsk(), port=port):
            raise AssertionError

    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(CommandFailed) as failed:
        anyio.run(serve, taken.getsockname()[1])
    assert failed.value.code is ExitCode.BAD_CONFIG
    assert "--listen" in failed.value.advice


def test_env_credentials_are_named() -> None:
    gateway = gateway_from(
        "version: 1\ngateway: g\nconnectors:\n"
        "  - {type: github, credential: 'env:A_KEY'}\n"
        "  - {type: generic, hosts: [a.example], credential: 'file:env'}\n"
        "  - {type: generic, id: open, hosts: [b.example]}\n"
    )
    assert env_credentials(gateway) == {"A_KEY"}
