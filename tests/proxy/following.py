"""A proxy that follows a real control plane, both in threads of this process."""

from __future__ import annotations

import asyncio
import ssl
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from tameflare_core.kill_switch import NO_KILL_SWITCHES
from tameflare_core.plugins import load_plugins
from tameflare_core.sync.cache import ConfigCache
from tameflare_core.sync.client import ControlPlane, new_instance_id, proxy_id
from tameflare_core.sync.gateways import SyncedGateways
from tameflare_proxy.authority import Authority
from tameflare_proxy.bounds import Limits
from tameflare_proxy.fleet import Fleet
from tameflare_proxy.server import GatewayServer
from tameflare_proxy.spool import Spool
from tameflare_proxy.telemetry import Telemetry

DEADLINE = 15


class FollowingProxy:
    """A context manager that runs a proxy; `folder` outlives it."""

    def __init__(
        self, url: str, folder: Path, *, poll: float = 60.0, silence: float = 35.0, **options: Any
    ) -> None:
        self.url = url
        self.folder = folder
        self.poll = poll
        self.silence = silence
        self.options = options
        self.limits = options.pop("limits", Limits())
        self.max_bytes = options.pop("max_bytes", 1 << 30)
        self.authority = Authority.load_or_create(folder / "authority")
        self.instance = new_instance_id()
        self.telemetry = Telemetry()
        self._ready: Future[int] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> FollowingProxy:
        self._thread.start()
        self.port = self._ready.result(DEADLINE)
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()

    @property
    def client_context(self) -> ssl.SSLContext:
        """Trusts this proxy's authority and nothing else."""
        return ssl.create_default_context(cadata=self.authority.certificate_pem.decode())

    def status(self) -> dict[str, Any]:
        async def ask() -> dict[str, Any]:
            return self.fleet.status()

        return asyncio.run_coroutine_threadsafe(ask(), self.loop).result(DEADLINE)

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        plane = ControlPlane(
            self.url,
            instance=self.instance,
            proxy=proxy_id(self.folder),
            silence=self.silence,
        )
        synced = SyncedGateways(
            plane,
            cache=ConfigCache(self.folder / "configs"),
            plugins=load_plugins(entry_points=False),
            folder=self.folder,
            kill_switches=lambda: NO_KILL_SWITCHES,
            poll_seconds=self.poll,
            **self.options,
        )
        spool = Spool(self.folder / "spool", self.instance, max_bytes=self.max_bytes)

        def make(spawn: Any) -> Fleet:
            self.fleet = Fleet(plane, synced, spool, self.limits, self.telemetry, spawn)
            return self.fleet

        server = GatewayServer(gateways=make, authority=self.authority, limits=self.limits)
        try:
            async with server:
                self._ready.set_result(server.port)
                await self._stopping.wait()
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)
            raise
        finally:
            await self.fleet.close()
