"""Dialling: resolve once, check every address, connect to one that was checked."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Collection

from tameflare_core.addresses import permitted
from tameflare_core.errors import AddressRefused, UpstreamError

__all__ = ["dial"]

_CONNECT_SECONDS = 10.0


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
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )
    except (OSError, UnicodeError) as error:
        raise UpstreamError(f"`{host}` cannot be resolved: {_why(error)}") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    # INVARIANT: nothing below looks the name up again; what was checked is what is dialled.
    addresses = permitted(addresses, host=host, allow_private=allow_private)
    if any(_is_own(address, port, own) for address in addresses):
        raise AddressRefused(f"`{host}:{port}` is this gateway itself")
    failure: OSError | None = None
    for address in addresses:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                return await asyncio.open_connection(address, port)
        except OSError as error:
            failure = error
    raise UpstreamError(f"`{host}:{port}` cannot be reached: {_why(failure)}")


def _is_own(address: str, port: int, own: Collection[tuple[str, int]]) -> bool:
    target = ipaddress.ip_address(address)
    for listening, own_port in own:
        mine = ipaddress.ip_address(listening)
        # A socket bound to the unspecified address answers on every address of this machine, and
        # one on loopback on all of 127.0.0.0/8 as far as Linux routes it there.
        same = mine.is_unspecified or target == mine or (target.is_loopback and mine.is_loopback)
        if port == own_port and same:
            return True
    return False


def _why(error: BaseException | None) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return type(error).__name__
