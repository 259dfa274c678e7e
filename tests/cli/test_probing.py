"""The one request that tells whether a credential works."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.probing import send_probe
from tameflare_core import Action, Connector, GatewayConfig, OutboundRequest, hookimpl, load_plugins
from tameflare_core.action import Access, Category, Risk
from tameflare_core.connectors.base import ConnectorSettings
from tameflare_core.injection.placement import Header
from tameflare_core.testing import MemoryRecorder
from tests.standin import Standin, as_json


class Service(Connector):
    """A service with a request to test with."""

    type = "service"
    provider = "service"
    placement = Header()
    probe = "GET /me"
    probe_headers = (("x-version", "7"),)

    def __init__(self, settings: ConnectorSettings) -> None:
        super().__init__(settings)
        assert settings.base_url is not None
        self.origins = (settings.base_url.origin,)

    def parse(self, request: OutboundRequest) -> Sequence[Action]:
        return (
            Action(
                name="service.me.get",
                access=Access.READ,
                risk=Risk.LOW,
                categories=frozenset({Category.IDENTITY}),
            ),
        )


class Plugin:
    @hookimpl
    def register_connectors(self) -> list[type[Connector]]:
        return [Service]


@pytest.fixture
def probed(tmp_path: Path, standin: Standin) -> Callable[..., Any]:
    """Sends the probe of `service`, whose gateway denies everything."""
    (tmp_path / "key").touch(mode=0o600)
    (tmp_path / "key").write_text("k-1")
    plugins = load_plugins([Plugin()], entry_points=False)

    def send(*, ca_file: bool = True) -> tuple[Any, MemoryRecorder]:
        trust = f", ca_file: {standin.ca_file}" if ca_file else ""
        gateway = GatewayConfig.from_text(
            "version: 1\ngateway: g\nblocked_categories: [identity]\nconnectors:\n"
            f"  - {{type: service, base_url: '{standin.url}/v1', credential: 'file:key',"
            f" allow_private_network: true{trust}}}\n",
            folder=tmp_path,
        ).bind(plugins)
        recorder = MemoryRecorder()
        sources = plugins.credential_sources
        return send_probe(gateway, "service", sources=sources, recorder=recorder), recorder

    return send


@pytest.mark.parametrize(
    ("status", "body", "works"),
    [
        (200, {"ok": True}, True),
        (200, ["anything"], True),
        (204, None, True),
        (200, {"ok": False, "error": "invalid_auth"}, False),
        (401, {}, False),
        (403, {}, False),
        (404, {"ok": False}, None),
        (302, {}, None),
        (500, {}, None),
    ],
)
def test_answer_says_whether_the_credential_works(
    status: int, body: object, works: bool | None, standin: Standin, probed: Callable[..., Any]
) -> None:
    standin.answer("GET", "/v1/me", as_json(body, status=status))
    probe, recorder = probed()
    assert (probe.status, probe.works) == (status, works)
    assert probe.request == f"GET {standin.url}/v1/me"
    assert [(sent.method, sent.target) for sent in standin.requests] == [("GET", "/v1/me")]
    assert standin.last.header("authorization") == "Bearer k-1"
    assert standin.last.header("x-version") == "7"
    assert [record.outcome for record in recorder.records] == ["forwarded"]


def test_large_answer_is_not_read_to_its_end(standin: Standin, probed: Callable[..., Any]) -> None:
    standin.answer("GET", "/v1/me", as_json("x" * 1_000_000))
    probe, _ = probed()
    assert probe.works


def test_service_without_a_trusted_certificate_gets_nothing(
    standin: Standin, probed: Callable[..., Any]
) -> None:
    with pytest.raises(CommandFailed) as failed:
        probed(ca_file=False)
    assert failed.value.code is ExitCode.UNREACHABLE
    assert standin.requests == []
