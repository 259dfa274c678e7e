"""The gateways whose tokens were presented here, as the control plane describes them."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
from anyio import to_thread

from tameflare_core.config.document import GatewayConfig
from tameflare_core.errors import (
    ConfigError,
    ControlPlaneRefused,
    ControlPlaneUnreachable,
    TokenUnknown,
)
from tameflare_core.gateway import Gateway
from tameflare_core.kill_switch import KillSwitches
from tameflare_core.plugins import Plugins
from tameflare_core.sync.backoff import Backoff
from tameflare_core.sync.cache import ConfigCache
from tameflare_core.sync.client import ControlPlane, Event, ServedConfig
from tameflare_core.sync.gateway import SyncedGateway
from tameflare_core.sync.switches import JoinedSwitches
from tameflare_core.tokens import is_well_formed, token_digest
from tameflare_core.vault.secret import Secret

__all__ = ["Follower", "SyncedGateways"]

POLL_SECONDS = 60.0
UNKNOWN_SECONDS = 30.0

_MOST_UNKNOWN = 10_000
_AT_ONCE = 16
_TOKENS_AT_ONCE = 500
_logger = logging.getLogger(__name__)


class Follower:
    """Is told what changes; does nothing by itself."""

    def revoked(self, gateway: SyncedGateway) -> None:
        """A token is void: nothing of it may go on."""

    def kill_switches_changed(self) -> None:
        """What is under way may have to stop."""

    def answered(self, approval_id: str, values: dict[str, Any]) -> None:
        """An approval has ended."""

    def stream_changed(self) -> None:
        """Changes are heard at once from now on, or no longer."""


class SyncedGateways:
    """Learns gateways by their tokens, and keeps what is known of them up to date.

    A configuration is fetched when its token is first presented, when the control plane says that
    it has changed, and every minute besides. While the control plane cannot be reached, the last
    one stands, across restarts too.

    Args:
        control_plane: where gateways are known.
        cache: keeps configurations on disk.
        plugins: connector types and credential sources.
        folder: where relative names in documents start.
        kill_switches: those of this machine.
        local_credentials: whether documents may name credentials of this machine (`env:`, `file:`,
            plugins'): whoever may edit a gateway could read them then.
        poll_seconds: between two polls of everything.
        unknown_seconds: for which a token that is unknown is not asked about again.
        clock: seconds that never go backwards.

    Attributes:
        reachable: whether the control plane answered last; None before it was asked.
        since: from when that is so, on the clock.
        follower: is told what changes.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        *,
        cache: ConfigCache,
        plugins: Plugins,
        folder: Path,
        kill_switches: Callable[[], KillSwitches] | None = None,
        local_credentials: bool = False,
        poll_seconds: float = POLL_SECONDS,
        unknown_seconds: float = UNKNOWN_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plane = control_plane
        self._cache = cache
        self._plugins = plugins
        self._folder = folder
        self._switches = JoinedSwitches(kill_switches)
        self._local_credentials = local_credentials
        self._poll_seconds = poll_seconds
        self._unknown_seconds = unknown_seconds
        self._clock = clock
        self._known: dict[bytes, SyncedGateway] = {}
        self._unknown: OrderedDict[bytes, float] = OrderedDict()
        self._fetching: dict[bytes, anyio.Lock] = {}
        self._fetches = anyio.Semaphore(_AT_ONCE)
        self._news = anyio.Event()
        self._stream: str | None = None
        self._added: set[bytes] = set()
        self._background: anyio.abc.TaskGroup | None = None
        self._order = 0
        self.reachable: bool | None = None
        self.since = clock()
        self.follower = Follower()

    @property
    def streaming(self) -> bool:
        """Whether changes are heard at once."""
        return self._stream is not None

    def __iter__(self) -> Iterator[SyncedGateway]:
        return iter(tuple(self._known.values()))

    def __len__(self) -> int:
        return len(self._known)

    async def find(self, token: str) -> SyncedGateway | None:
        """The gateway of a token; None when the control plane knows none.

        Raises:
            ControlPlaneUnreachable: it was never heard, and nothing is kept of that gateway.
        """
        digest = token_digest(token)
        known = self._known.get(digest)
        if known is not None:
            return known
        if not is_well_formed(token) or self._is_unknown(digest):
            return None
        with self._turn(digest) as lock:
            async with lock:
                if digest in self._known or self._is_unknown(digest):
                    return self._known.get(digest)
                return await self._learn(Secret(token), digest)

    async def run(self) -> None:
        """Keep everything up to date; runs until it is cancelled."""
        async with anyio.create_task_group() as tasks:
            self._background = tasks
            tasks.start_soon(self._poll)
            tasks.start_soon(self._listen)
            tasks.start_soon(self._announce)

    async def refresh(self, gateways: Iterable[SyncedGateway] | None = None) -> None:
        """Fetch again what has changed.

        Args:
            gateways: which; all unless given.
        """
        async with anyio.create_task_group() as tasks:
            for gateway in tuple(self._known.values()) if gateways is None else tuple(gateways):
                tasks.start_soon(self._refresh, gateway)

    async def _learn(self, token: Secret, digest: bytes) -> SyncedGateway | None:
        if self.reachable is False:
            # Nobody has to wait for what gave no answer a moment ago, if something is kept.
            with suppress(ControlPlaneUnreachable):
                return await self._recall(token, digest)
        order = self._next()
        try:
            async with self._fetches:
                config = await self._plane.config(token)
        except TokenUnknown:
            self._heard(reachable=True)
            self._note_unknown(digest)
            with suppress(OSError):
                await to_thread.run_sync(self._cache.forget, token)
            return None
        except (ControlPlaneUnreachable, ControlPlaneRefused):
            self._heard(reachable=False)
            return await self._recall(token, digest)
        assert config is not None, "nothing was said to be known already"
        self._heard(reachable=True)
        gateway = await self._made(token, digest, config, order)
        await self._store(gateway, config)
        return gateway

    async def _recall(self, token: Secret, digest: bytes) -> SyncedGateway:
        try:
            config = await to_thread.run_sync(self._cache.load, token)
        except OSError as error:
            _logger.error("cached configuration not read: %s", error.strerror)
            config = None
        if config is None:
            raise ControlPlaneUnreachable(
                f"the control plane {self._plane.url} cannot be reached, and nothing is kept of"
                " this gateway from before"
            )
        return await self._made(token, digest, config, None)

    async def _made(
        self, token: Secret, digest: bytes, config: ServedConfig, order: int | None
    ) -> SyncedGateway:
        gateway = SyncedGateway(
            token,
            digest,
            config,
            self._plugins,
            self._switches,
            local_credentials=self._local_credentials,
        )
        try:
            bound = await to_thread.run_sync(self._bound, config)
        except ConfigError as error:
            # There is no former configuration to go on with: nothing may leave.
            raise ControlPlaneUnreachable(
                f"the gateway's configuration cannot be loaded here: {error.problems[0]}"
            ) from None
        gateway.take(config, bound, from_cache=order is None, at=self._clock())
        self._take_switches(config, order)
        self._known[digest] = gateway
        self._news.set()
        return gateway

    async def _refresh(self, gateway: SyncedGateway) -> None:
        # One at a time for each gateway: an answer that was overtaken must not come last.
        async with gateway.turn, self._fetches:
            if gateway.digest in self._known:
                await self._fetch(gateway)

    async def _fetch(self, gateway: SyncedGateway) -> None:
        order = self._next()
        try:
            config = await self._plane.config(gateway.token, gateway.revision)
            self._heard(reachable=True)
            gateway.contact = self._clock()
            if config is None:
                gateway.from_cache = False
                return
            # A document that does not load changes no rule, and never holds back a kill switch.
            self._take_switches(config, order)
            bound = await to_thread.run_sync(self._bound, config)
            gateway.take(config, bound, from_cache=False, at=self._clock())
            await self._store(gateway, config)
        except ConfigError as error:
            gateway.problem = error.problems[0]
            _logger.error("gateway `%s`: %s; the former one stands", gateway.name, gateway.problem)
        except TokenUnknown:
            self._heard(reachable=True)
            self._drop(gateway)
            with suppress(OSError):
                await to_thread.run_sync(self._cache.forget, gateway.token)
        except (ControlPlaneUnreachable, ControlPlaneRefused):
            self._heard(reachable=False)
        except Exception as error:  # noqa: BLE001
            # INVARIANT: whatever goes wrong with one gateway, the others are followed on.
            gateway.problem = f"a newer configuration failed here: {type(error).__name__}"
            _logger.error("gateway `%s`: %s", gateway.name, gateway.problem)

    def _bound(self, config: ServedConfig) -> Gateway:
        return GatewayConfig.from_text(
            config.document, name=f"gateway `{config.name}`", folder=self._folder
        ).bind(self._plugins)

    async def _store(self, gateway: SyncedGateway, config: ServedConfig) -> None:
        try:
            await to_thread.run_sync(self._cache.store, gateway.token, config)
        except OSError as error:
            # It goes on, and says so: after a restart without the control plane it could not.
            _logger.error("configuration not kept on disk: %s", error.strerror)

    def _drop(self, gateway: SyncedGateway) -> None:
        # INVARIANT: it is unknown before its connections end, so that none comes in between.
        self._known.pop(gateway.digest, None)
        self._added.discard(gateway.digest)
        self._note_unknown(gateway.digest)
        self.follower.revoked(gateway)

    def _next(self) -> int:
        """A number for what is asked or heard now, higher than that of all before."""
        self._order += 1
        return self._order

    def _take_switches(self, config: ServedConfig, order: int | None) -> None:
        before = self._switches()
        if order is None:
            self._switches.keep(config.kill_switches)
        else:
            self._switches.replace(config.kill_switches, order=order)
        if self._switches() is not before:
            self.follower.kill_switches_changed()

    def _heard(self, *, reachable: bool) -> None:
        if reachable is not self.reachable:
            self.reachable = reachable
            self.since = self._clock()
            if not reachable:
                _logger.warning("the control plane cannot be reached: the last rules stand")

    def _is_unknown(self, digest: bytes) -> bool:
        until = self._unknown.get(digest)
        return until is not None and until > self._clock()

    def _note_unknown(self, digest: bytes) -> None:
        self._unknown[digest] = self._clock() + self._unknown_seconds
        self._unknown.move_to_end(digest)
        if len(self._unknown) > _MOST_UNKNOWN:
            self._unknown.popitem(last=False)

    @contextmanager
    def _turn(self, digest: bytes) -> Iterator[anyio.Lock]:
        lock = self._fetching.setdefault(digest, anyio.Lock())
        try:
            yield lock
        finally:
            if not lock.statistics().tasks_waiting:
                self._fetching.pop(digest, None)

    async def _poll(self) -> None:
        while True:
            await anyio.sleep(self._poll_seconds)
            await self.refresh()

    async def _listen(self) -> None:
        backoff = Backoff()
        while True:
            while not self._known:
                self._news = anyio.Event()
                await self._news.wait()
            gateway = next(iter(self._known.values()))
            try:
                async with self._plane.events(gateway.token) as events:
                    async for event in events:
                        backoff.reset()
                        await self._take(event)
            except TokenUnknown:
                self._drop(gateway)
                continue
            except (ControlPlaneUnreachable, ControlPlaneRefused):
                self._heard(reachable=False)
            finally:
                if self._stream is not None:
                    self._stream = None
                    self.follower.stream_changed()
            await anyio.sleep(backoff.next())

    async def _take(self, event: Event) -> None:
        match event:
            case Event("stream", {"stream": str(stream)}):
                self._heard(reachable=True)
                self._added.clear()
                self._stream = stream
                self._news.set()
                # Whatever changed while nothing was heard is fetched now, beside the next events.
                self._refresh_beside(self)
                self.follower.stream_changed()
            case Event("config", {"gateway": str(key)}):
                self._refresh_beside(one for one in self if one.id == key)
            case Event("kill_switch", {"kill_switches": list(documents)}):
                self._switches.replace(documents, order=self._next())
                self.follower.kill_switches_changed()
            case Event("approval", {"id": str(key)}):
                self.follower.answered(key, event.data)

    def _refresh_beside(self, gateways: Iterable[SyncedGateway]) -> None:
        assert self._background is not None, "events are heard while it runs"
        self._background.start_soon(self.refresh, tuple(gateways))

    async def _announce(self) -> None:
        """Add the tokens that came lately to the stream."""
        while True:
            self._news = anyio.Event() if self._news.is_set() else self._news
            stream = self._stream
            missing = [one for one in self if one.digest not in self._added]
            if stream is None or not missing:
                await self._news.wait()
                continue
            batch = missing[:_TOKENS_AT_ONCE]
            try:
                unknown = await self._plane.add_tokens(
                    batch[0].token, stream, [one.token for one in batch]
                )
            except (ControlPlaneUnreachable, ControlPlaneRefused):
                await anyio.sleep(0.5)
                continue
            self._added.update(one.digest for one in batch)
            for one in batch:
                if one.digest.hex() in unknown:
                    self._drop(one)
            # What changed between the fetch and now was told to nobody.
            await self.refresh(one for one in batch if one.digest in self._known)
