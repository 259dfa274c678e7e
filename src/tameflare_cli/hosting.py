"""A gateway in this process, from its configuration; the one place that imports the proxy."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from anyio.from_thread import start_blocking_portal

from tameflare_cli.environment import ProxyAddress
from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_core.config.document import GatewayConfig
from tameflare_core.folders import data_folder, state_folder
from tameflare_core.gateway import Gateway
from tameflare_core.kill_switch_file import KillSwitchFile
from tameflare_core.plugins import load_plugins
from tameflare_core.traffic_log import TrafficLog

if TYPE_CHECKING:
    from tameflare_core.approvals import AsyncApprover
    from tameflare_core.frontend import Recorder

__all__ = [
    "AUTHORITY_FOLDER",
    "TRAFFIC_LOG",
    "HostedGateway",
    "env_credentials",
    "hosted",
    "hosted_beside",
]

AUTHORITY_FOLDER = "authority"
"""The authority's folder in the user's data folder."""

TRAFFIC_LOG = "traffic.jsonl"
"""The traffic log in the user's state folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedGateway:
    """A gateway that listens.

    Attributes:
        gateway: what it serves.
        address: where, with its token.
        certificate: its authority's, PEM.
    """

    gateway: Gateway
    address: ProxyAddress
    certificate: Path


@asynccontextmanager
async def hosted(
    config: Path,
    *,
    token: str,
    approver: AsyncApprover,
    recorder: Recorder | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> AsyncIterator[HostedGateway]:
    """Serve the gateway of `config` until the context ends.

    Args:
        config: its file.
        token: what clients present.
        approver: whom to ask.
        recorder: keeps the traffic records; the user's traffic log unless given.
        host: the address to listen on.
        port: the port; 0 takes a free one.

    Raises:
        ConfigError: the configuration is wrong.
        CommandFailed: the proxy is not installed, or the address is taken.
    """
    try:
        from tameflare_proxy.authority import Authority
        from tameflare_proxy.one_gateway import OneGateway
        from tameflare_proxy.server import GatewayServer
    except ModuleNotFoundError as error:
        raise CommandFailed(
            ExitCode.BAD_CONFIG,
            f"the gateway is not installed: there is no module `{error.name}`",
            "install `tameflare-cli[proxy]`, or name a gateway elsewhere with `--proxy URL`",
        ) from None
    plugins = load_plugins()
    gateway = GatewayConfig.from_file(config).bind(plugins)
    authority = Authority.load_or_create(data_folder() / AUTHORITY_FOLDER)
    server = GatewayServer(
        gateways=lambda spawn: OneGateway(
            gateway=gateway,
            plugins=plugins,
            token=token,
            approver=approver,
            recorder=recorder or TrafficLog(state_folder() / TRAFFIC_LOG),
            kill_switches=KillSwitchFile.of_user().current,
            spawn=spawn,
        ),
        authority=authority,
        host=host,
        port=port,
    )
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(server)
        except OSError as error:
            raise CommandFailed(
                ExitCode.BAD_CONFIG,
                f"{host}:{port} cannot be listened on: {error.strerror or error}",
                "name another address with `--listen HOST:PORT`",
            ) from None
        yield HostedGateway(
            gateway=gateway,
            address=ProxyAddress(host=host, port=server.port, token=token),
            certificate=authority.certificate_path,
        )


@contextmanager
def hosted_beside(
    config: Path, *, token: str, approver: AsyncApprover, recorder: Recorder | None = None
) -> Iterator[HostedGateway]:
    """Serve the gateway of `config` in a thread of its own, on a free port, until the context ends.

    Raises:
        ConfigError: the configuration is wrong.
        CommandFailed: the proxy is not installed.
    """
    # Every signal is the main thread's: it passes them on to the child. Threads inherit the mask.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    with ExitStack() as stack:
        try:
            portal = stack.enter_context(
                start_blocking_portal("asyncio", {"use_uvloop": find_spec("uvloop") is not None})
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        yield stack.enter_context(
            portal.wrap_async_context_manager(
                hosted(config, token=token, approver=approver, recorder=recorder)
            )
        )


def env_credentials(gateway: Gateway) -> frozenset[str]:
    """The environment variables that hold credentials of `gateway`."""
    return frozenset(
        bound.credential.name
        for bound in gateway.connectors
        if bound.credential is not None and bound.credential.scheme == "env"
    )
