"""The control plane, and proxies that follow one, in this process."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.hosting import AUTHORITY_FOLDER
from tameflare_core.folders import data_folder, state_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tameflare_dashboard.backend import Backend
    from tameflare_dashboard.settings import Settings
    from tameflare_proxy.fleet import Fleet

__all__ = ["STATUS_FOLDER", "ServedFleet", "ServedPlane", "serving_fleet", "serving_plane"]

STATUS_FOLDER = "gateways"
"""In the user's state folder: what each gateway process says about itself."""

_STATUS_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedPlane:
    """A control plane that listens.

    Attributes:
        url: where.
        backend: it.
        setup_link: by which the first owner comes in; None when there is one.
    """

    url: str
    backend: Backend
    setup_link: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedFleet:
    """A proxy that listens, for any gateway of a control plane.

    Attributes:
        host, port: where.
        certificate: its authority's, PEM.
        fleet: what it serves.
        metrics_port: where it tells its metrics; None for nowhere.
    """

    host: str
    port: int
    certificate: Path
    fleet: Fleet
    metrics_port: int | None


@asynccontextmanager
async def serving_plane(
    settings: Settings, host: str, port: int, *, log_level: int = logging.WARNING
) -> AsyncIterator[ServedPlane]:
    """Serve the control plane until the context ends.

    Args:
        settings: what the operator decided.
        host: the address to listen on.
        port: the port; 0 takes a free one.
        log_level: from which level on its log is written, of `logging`.

    Raises:
        CommandFailed: it is not installed, the address is taken, or the database cannot be used.
    """
    try:
        from tameflare_dashboard.app import create_app, setup_link
        from tameflare_dashboard.backend import Backend
        from tameflare_dashboard.logs import configure_logs
        from tameflare_dashboard.server import ControlPlaneServer
    except ModuleNotFoundError as error:
        raise CommandFailed(
            ExitCode.BAD_CONFIG,
            f"the control plane is not installed: there is no module `{error.name}`",
            "install `tameflare-cli[dashboard]`",
        ) from None
    configure_logs(log_level)
    with _listening(host, port) as listening:
        backend = Backend(settings)
        server = ControlPlaneServer(create_app(settings, backend=backend))
        serving = asyncio.ensure_future(server.serve(sockets=[listening]))
        try:
            while not (server.started or serving.done()):  # noqa: ASYNC110  # it has no event
                await asyncio.sleep(0.01)  # uvicorn has no event for it
            if serving.done():
                serving.result()
                raise CommandFailed(
                    ExitCode.BAD_CONFIG,
                    "the control plane could not start: its log above says why",
                    "is the database there, and of this version?",
                )
            own_port = listening.getsockname()[1]
            yield ServedPlane(
                url=f"http://{_in_url(host)}:{own_port}",
                backend=backend,
                setup_link=await setup_link(backend),
            )
        finally:
            server.should_exit = True
            await asyncio.gather(serving, return_exceptions=True)


@asynccontextmanager
async def serving_fleet(
    url: str,
    host: str,
    port: int,
    *,
    metrics: tuple[str, int] | None = None,
    local_credentials: bool = False,
) -> AsyncIterator[ServedFleet]:
    """Serve the gateways of a control plane until the context ends.

    Args:
        url: of the control plane.
        host: the address to listen on.
        port: the port; 0 takes a free one.
        metrics: where to tell metrics and health.
        local_credentials: whether documents may name credentials of this machine.

    Raises:
        CommandFailed: the proxy is not installed, or an address is taken.
    """
    try:
        from tameflare_proxy.authority import Authority
        from tameflare_proxy.bounds import Limits
        from tameflare_proxy.fleet import Fleet
        from tameflare_proxy.server import GatewayServer
        from tameflare_proxy.spool import Spool
        from tameflare_proxy.telemetry import Telemetry, serving_telemetry
    except ModuleNotFoundError as error:
        raise CommandFailed(
            ExitCode.BAD_CONFIG,
            f"the gateway is not installed: there is no module `{error.name}`",
            "install `tameflare-cli[proxy]`",
        ) from None
    from tameflare_core.kill_switch_file import KillSwitchFile
    from tameflare_core.otel import instruments
    from tameflare_core.plugins import load_plugins
    from tameflare_core.sync.cache import ConfigCache
    from tameflare_core.sync.client import ControlPlane, new_instance_id, proxy_id
    from tameflare_core.sync.gateways import SyncedGateways

    state, instance, limits = state_folder(), new_instance_id(), Limits(held=10_000)
    # Two processes of one user on one machine are told apart by where they listen. One on any port
    # comes after no other one.
    folder = state / "proxies" / f"{host.replace(':', '_')}_{port}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    plane = ControlPlane(url, instance=instance, proxy=proxy_id(folder) if port else "")
    synced = SyncedGateways(
        plane,
        cache=ConfigCache(state / "configs"),
        plugins=load_plugins(),
        folder=data_folder(),
        kill_switches=KillSwitchFile.of_user().current,
        local_credentials=local_credentials,
    )
    spool, telemetry = Spool(state / "spool", instance), Telemetry()
    made: list[Fleet] = []
    told = instruments("tameflare-gateway")

    def make(spawn: Any) -> Fleet:
        fleet = Fleet(plane, synced, spool, limits, telemetry, spawn, instruments=told)
        made.append(fleet)
        return fleet

    authority = Authority.load_or_create(data_folder() / AUTHORITY_FOLDER)
    server = GatewayServer(
        gateways=make,
        authority=authority,
        host=host,
        port=port,
        limits=limits,
        refused=await _addresses(url),
    )
    async with AsyncExitStack() as stack:
        if told is not None:
            stack.push_async_callback(asyncio.to_thread, told.close)
        try:
            stack.push_async_callback(_closed, made)  # once nothing is served any more
            await stack.enter_async_context(server)
            fleet = made[0]
            metrics_port = None
            if metrics is not None:
                metrics_port = stack.enter_context(
                    serving_telemetry(telemetry, fleet.status, *metrics)
                )
        except OSError as error:
            raise _taken(host, port, error) from None
        listens = f"{host}:{server.port}"
        await stack.enter_async_context(_telling(fleet, instance, state / STATUS_FOLDER, listens))
        yield ServedFleet(
            host=host,
            port=server.port,
            certificate=authority.certificate_path,
            fleet=fleet,
            metrics_port=metrics_port,
        )


async def _closed(made: list[Fleet]) -> None:
    for fleet in made:
        await fleet.close()


@asynccontextmanager
async def _telling(fleet: Fleet, instance: str, folder: Path, listens: str) -> AsyncIterator[None]:
    """Say for `tf status` how the process stands, until the context ends."""
    from tameflare_core.sync.status import forget_status, write_status

    async def tell() -> None:
        while True:
            document = {"listens": listens, **fleet.status()}
            await asyncio.to_thread(write_status, folder, instance, document)
            await asyncio.sleep(_STATUS_SECONDS)

    task = asyncio.ensure_future(tell())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        forget_status(folder, instance)


async def _addresses(url: str) -> list[tuple[str, int]]:
    """Where the control plane is: no agent may reach it through a gateway."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            parts.hostname, port, type=socket.SOCK_STREAM
        )
    except OSError:
        return []
    return [(str(entry[4][0]), port) for entry in found]


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, the event loop sends small answers at once (TCP_NODELAY): without it,
    # each waits some 40 ms for the client's acknowledgement of its head.
    with socket.socket(family, proto=socket.IPPROTO_TCP) as listening:
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, port))
            listening.listen(1024)
        except OSError as error:
            raise _taken(host, port, error) from None
        yield listening


def _taken(host: str, port: int, error: OSError) -> CommandFailed:
    return CommandFailed(
        ExitCode.BAD_CONFIG,
        f"{host}:{port} cannot be listened on: {error.strerror or error}",
        "name another address with `--listen HOST:PORT`",
    )


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
