"""Dialling: resolve once, check every address, connect to one that was checked."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Collection
from typing import Protocol

from tameflare_core.addresses import permitted
from tameflare_core.errors import AddressRefused, UpstreamError

__all__ = ["Dialler", "dial"]

_RESOLVE_SECONDS = 10.0
_CONNECT_SECONDS = 10.0
_MAX_TRIED = 4

type _Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Dialler(Protocol):
    """Opens a connection to an upstream whose addresses have been checked."""

    async def __call__(
        self, host: str, port: int, *, allow_private: bool
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect; raise `UpstreamError` when that is refused or fails."""


async def dial(
    host: str, port: int, *, allow_private: bool, own: Collection[tuple[str, int]] = ()
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a host.

    Args:
        host: canonical host; IPv6 without brackets.
        port: its port.
        allow_private: whether private addresses may be dialled.
        own: the gateway's own listening addresses, which are never dialled.

    Raises:
        AddressRefused: the name has an address that must not be dialled.
        UpstreamError: the name does not resolve, or no address answers.
    """
    addresses = await _resolved(host, port)
    # INVARIANT: nothing below looks the name up again; what was checked is what is dialled.
    addresses = permitted(addresses, host=host, allow_private=allow_private)
    if any(_is_own(address, port, own) for address in addresses):
        raise AddressRefused(f"`{host}:{port}` is this gateway itself")
    failure: OSError | None = None
    for address in addresses[:_MAX_TRIED]:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                return await asyncio.open_connection(address, port)
        except OSError as error:
            failure = error
    raise UpstreamError(f"`{host}:{port}` cannot be reached: {_why(failure)}")


async def _resolved(host: str, port: int) -> list[str]:
    try:
        async with asyncio.timeout(_RESOLVE_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
            )
    except (OSError, UnicodeError) as error:
        raise UpstreamError(f"`{host}` cannot be resolved: {_why(error)}") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _is_own(address: str, port: int, own: Collection[tuple[str, int]]) -> bool:
    target = _plain(address)
    for listening, own_port in own:
        mine = _plain(listening)
        # The unspecified address leads to loopback when it is dialled, and to every address of this
        # machine when it is listened on; of 127.0.0.0/8 all may lead to one listener.
        inside = target.is_loopback or target.is_unspecified
        same = target == mine or (inside and (mine.is_loopback or mine.is_unspecified))
        if port == own_port and (same or (mine.is_unspecified and _is_of_this_machine(target))):
            return True
    return False


def _plain(text: str) -> _Address:
    address = ipaddress.ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address


def _is_of_this_machine(address: _Address) -> bool:
    # The kernel sends from the very address that is dialled only when that is its own. Connecting a
    # datagram socket sends nothing.
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((str(address), 9))
        except OSError:
            return False
        return _plain(probe.getsockname()[0]) == address


def _why(error: BaseException | None) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return type(error).__name__
