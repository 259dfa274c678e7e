from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tameflare_proxy.bounds import Limits
from tests.proxy.documents import DOCUMENT
from tests.proxy.origin import Origin, Vendor
from tests.proxy.running import Client, RunningGateway


@pytest.fixture(scope="session")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Vendor:
    return Vendor(tmp_path_factory.mktemp("vendor"))


@pytest.fixture
def start_origin(vendor: Vendor) -> Iterator[Callable[..., Origin]]:
    with ExitStack() as running:

        def start(host: str = "localhost", *, tls: bool = True, h2: bool = False) -> Origin:
            context = vendor.context(host, h2=h2) if tls else None
            return running.enter_context(Origin(context))

        yield start


@pytest.fixture
def origin(start_origin: Callable[..., Origin]) -> Origin:
    return start_origin()


@pytest.fixture
def start_gateway(tmp_path: Path, vendor: Vendor) -> Iterator[Callable[..., RunningGateway]]:
    """Starts a gateway, by default one whose GitHub is `origin`."""
    with ExitStack() as running:

        def start(
            port: int = 1,
            *,
            document: str = DOCUMENT,
            timeout: float = 60,
            extra: str = "",
            limits: Limits | None = None,
        ) -> RunningGateway:
            text = document.format(port=port, ca_file=vendor.ca_file, timeout=timeout, extra=extra)
            return running.enter_context(RunningGateway(text, tmp_path, limits))

        yield start


@pytest.fixture
def gateway(start_gateway: Callable[..., RunningGateway], origin: Origin) -> RunningGateway:
    return start_gateway(origin.port)


@pytest.fixture
def tunnel(gateway: RunningGateway, origin: Origin) -> Iterator[Callable[..., Client]]:
    """Opens connections to `origin` through `gateway`, with TLS inside."""
    with ExitStack() as opened:

        def open_tunnel(*, alpn: str = "http/1.1", port: int | None = None) -> Client:
            client = opened.enter_context(Client(gateway))
            assert client.connect(f"localhost:{port or origin.port}").status == 200
            client.start_tls(alpn=alpn)
            return client

        yield open_tunnel
