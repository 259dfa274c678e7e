"""Dialling: a name is resolved once, every address is checked, and a checked one is connected to.

httpcore asks a network backend for a connection to a host; the ones here put the address guard
between the name and the socket. TLS is then verified for the name, whatever the address.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpcore

from tameflare_core.addresses import permitted
from tameflare_core.errors import UpstreamError
from tameflare_core.gateway import BoundConnector

__all__ = ["GuardedAsyncBackend", "GuardedBackend", "Pools", "Reach", "async_pool", "pool"]

# httpx's own defaults.
_MAX_CONNECTIONS = 100
_MAX_KEEPALIVE_CONNECTIONS = 20
_KEEPALIVE_SECONDS = 5.0

_UNREACHABLE = (httpcore.ConnectError, httpcore.ConnectTimeout)


@dataclass(frozen=True, slots=True)
class Reach:
    """What connections may be shared by: the same connector, trust and addresses.

    Attributes:
        connector: its id; None for destinations that nobody owns.
        allow_private: whether addresses that are not public may be dialled.
        ca_file: further trust anchors, PEM.
    """

    connector: str | None
    allow_private: bool
    ca_file: Path | None

    @classmethod
    def of(cls, bound: BoundConnector | None) -> Reach:
        """The reach of a connector."""
        if bound is None:
            return cls(None, allow_private=False, ca_file=None)
        return cls(bound.id, bound.allow_private_network, bound.ca_file)


class Pools[Pool]:
    """One connection pool per reach, built when it is first needed.

    Args:
        build: makes one.
    """

    def __init__(self, build: Callable[[Reach], Pool]) -> None:
        self._build = build
        self._pools: dict[Reach, Pool] = {}
        self._lock = threading.Lock()

    def of(self, bound: BoundConnector | None) -> Pool:
        """The pool for a connector's requests.

        Raises:
            UpstreamError: its trust anchors cannot be loaded.
        """
        reach = Reach.of(bound)
        with self._lock:
            if reach not in self._pools:
                self._pools[reach] = self._build(reach)
            return self._pools[reach]

    def take_all(self) -> list[Pool]:
        """Every pool, to be closed; the next request builds its own."""
        with self._lock:
            pools, self._pools = list(self._pools.values()), {}
        return pools


def pool(reach: Reach) -> httpcore.ConnectionPool:
    """A pool that dials within `reach`; HTTP/1.1, never through a proxy."""
    return httpcore.ConnectionPool(
        ssl_context=_trusting(reach.ca_file),
        max_connections=_MAX_CONNECTIONS,
        max_keepalive_connections=_MAX_KEEPALIVE_CONNECTIONS,
        keepalive_expiry=_KEEPALIVE_SECONDS,
        network_backend=GuardedBackend(allow_private=reach.allow_private),
    )


def async_pool(reach: Reach) -> httpcore.AsyncConnectionPool:
    """`pool` for an event loop."""
    return httpcore.AsyncConnectionPool(
        ssl_context=_trusting(reach.ca_file),
        max_connections=_MAX_CONNECTIONS,
        max_keepalive_connections=_MAX_KEEPALIVE_CONNECTIONS,
        keepalive_expiry=_KEEPALIVE_SECONDS,
        network_backend=GuardedAsyncBackend(allow_private=reach.allow_private),
    )


def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise UpstreamError(
                f"`{ca_file}` holds no trust anchors: {error}; nothing was sent"
            ) from error
    return context


class GuardedBackend(httpcore.NetworkBackend):
    """Connects to addresses that the guard lets pass.

    Args:
        allow_private: whether addresses that are not public may be dialled.
    """

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        deadline = _Deadline(timeout)
        with _resolving(host):
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        # INVARIANT: nothing below resolves the name again; what was checked is what is dialled.
        *others, last = permitted(_texts(found), host=host, allow_private=self._allow_private)
        for index, address in enumerate(others):
            with suppress(*_UNREACHABLE):
                share = deadline.share(len(others) + 1 - index)
                return self._sockets.connect_tcp(
                    address, port, share, local_address, socket_options or ()
                )
        return self._sockets.connect_tcp(
            last, port, deadline.share(1), local_address, socket_options or ()
        )


class GuardedAsyncBackend(httpcore.AsyncNetworkBackend):
    """`GuardedBackend` for an event loop.

    Args:
        allow_private: whether addresses that are not public may be dialled.
    """

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        deadline = _Deadline(timeout)
        with _resolving(host), anyio.fail_after(timeout):
            found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        # INVARIANT: nothing below resolves the name again; what was checked is what is dialled.
        *others, last = permitted(_texts(found), host=host, allow_private=self._allow_private)
        for index, address in enumerate(others):
            with suppress(*_UNREACHABLE):
                share = deadline.share(len(others) + 1 - index)
                return await self._sockets.connect_tcp(
                    address, port, share, local_address, socket_options or ()
                )
        return await self._sockets.connect_tcp(
            last, port, deadline.share(1), local_address, socket_options or ()
        )


@contextmanager
def _resolving(host: str) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeError) as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else str(error)
        raise UpstreamError(f"`{host}` cannot be resolved: {why}; nothing was sent") from error


def _texts(found: Sequence[tuple[Any, ...]]) -> list[str]:
    """The addresses of a `getaddrinfo` answer, an IPv6 zone included."""
    texts = []
    for *_, address in found:
        zone = address[3] if len(address) > 3 else 0
        texts.append(f"{address[0]}%{zone}" if zone else str(address[0]))
    return texts


class _Deadline:
    """The time until which a connection must stand, shared out among the addresses to try."""

    def __init__(self, timeout: float | None) -> None:
        self._end = None if timeout is None else time.monotonic() + timeout

    def share(self, tries: int) -> float | None:
        """Seconds for the next of `tries` tries; None when there is no limit."""
        # Never 0: to a socket that means not to wait at all, and to say so in another way.
        return None if self._end is None else max((self._end - time.monotonic()) / tries, 0.001)
