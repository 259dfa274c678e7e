"""The first head of a connection: whose it is, where it wants to go, and which lane carries it."""

from __future__ import annotations

import asyncio
import logging

from tameflare_core.canonical import canonical_authority
from tameflare_core.decision import Refusal
from tameflare_core.errors import ControlPlaneUnreachable, RequestRejected
from tameflare_core.record import TrafficRecord
from tameflare_core.refusals import denied, rejected
from tameflare_core.surroundings import Surroundings
from tameflare_proxy.authentication import (
    control_plane_unreachable,
    presented_token,
    token_required,
)
from tameflare_proxy.bounds import Limits, too_many_connections
from tameflare_proxy.http1 import RequestHead, head_end, parse_head, render
from tameflare_proxy.lane_mitm import UniversalLane
from tameflare_proxy.served import ServedGateway, ServedGateways
from tameflare_proxy.tunnel import Tunnel

__all__ = ["Listener"]

_logger = logging.getLogger(__name__)

_CLOSE_SECONDS = 5.0
_TLS_HANDSHAKE = 0x16


class Listener:
    """Takes connections that the proxy's socket accepts.

    Args:
        gateways: those that are known here, or can be.
        lane: carries the connections of known gateways.
        surroundings: where ids come from.
        limits: bounds of each gateway.
    """

    def __init__(
        self,
        gateways: ServedGateways,
        lane: UniversalLane,
        surroundings: Surroundings,
        limits: Limits,
    ) -> None:
        self._gateways = gateways
        self._lane = lane
        self._surroundings = surroundings
        self._limits = limits

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection to its end; nothing is raised."""
        try:
            try:
                await self._carry(reader, writer)
            except RequestRejected as error:
                writer.write(render(rejected(error, self._surroundings.new_id())))
            except ControlPlaneUnreachable as error:
                refusal = control_plane_unreachable(error, self._surroundings.new_id())
                writer.write(render(refusal))
            await _let_go(reader, writer)
        except (OSError, EOFError):
            pass  # the client went away, or was too slow
        except Exception as error:  # noqa: BLE001
            # INVARIANT: whatever goes wrong here closes the connection.
            _logger.error("connection failed: %s", type(error).__name__)
        finally:
            writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data, end = await _read_head(reader, self._limits.head_seconds)
        head = parse_head(data[:end])
        token = presented_token(head.get("proxy-authorization"))
        served = None if token is None else await self._gateways.find(token)
        if served is None:
            writer.write(render(token_required(self._surroundings.new_id())))
            return
        if served.connections >= self._limits.connections:
            refusal = too_many_connections(self._limits.connections, self._surroundings.new_id())
            writer.write(render(refusal))
            return
        served.connections += 1
        try:
            await self._serve(served, head, data, end, reader, writer)
        finally:
            served.connections -= 1

    async def _serve(
        self,
        served: ServedGateway,
        head: RequestHead,
        data: bytes,
        end: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        if head.method == "CONNECT":
            await self._connect(served, head, data[end:], reader, writer)
            return
        # The lane reads this head again, so that the first request is treated like the next ones.
        await self._lane.carry(
            served,
            reader,
            writer,
            received=data,
            tunnel=None,
            authenticate=lambda value: served.presents(presented_token(value)),
        )

    async def _connect(
        self,
        served: ServedGateway,
        head: RequestHead,
        rest: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        if ":" not in head.target.rpartition("]")[2]:
            raise RequestRejected("CONNECT names no port")
        if head.body_size != 0:
            raise RequestRejected("CONNECT with a body")
        host, port = canonical_authority(head.target, scheme="https")
        named = head.get("host")
        if named is not None and canonical_authority(named, scheme="https") != (host, port):
            raise RequestRejected("`Host` header names another host than CONNECT")
        refusal = self._refused_destination(served, host, port)
        if refusal is not None:
            writer.write(render(refusal))
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        if not rest:
            async with asyncio.timeout(self._limits.head_seconds):
                rest = await reader.read(65536)
        if not rest:
            return
        first = rest[0]
        if first != _TLS_HANDSHAKE and not (0x41 <= first <= 0x5A):
            return  # neither TLS nor HTTP: nothing is relayed unread
        await self._lane.carry(
            served,
            reader,
            writer,
            received=rest,
            tunnel=Tunnel(host, port, tls=first == _TLS_HANDSHAKE),
            authenticate=lambda _: not served.ended,
        )

    def _refused_destination(self, served: ServedGateway, host: str, port: int) -> Refusal | None:
        verdict = served.point().decide_destination(host, port)
        if verdict is None:
            return None
        gateway = served.point().gateway.name
        refusal = denied(verdict, gateway, served.surroundings.new_id())
        served.services.recorder.record(
            TrafficRecord(
                id=refusal.request_id,
                time=served.surroundings.now(),
                gateway=gateway,
                request=None,
                verdict=verdict,
                outcome="denied",
                status=refusal.status,
            )
        )
        return refusal


async def _let_go(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # Closing with unread input would reset the connection and take the last answer with it.
    writer.write_eof()
    async with asyncio.timeout(_CLOSE_SECONDS):
        while await reader.read(65536):
            pass


async def _read_head(reader: asyncio.StreamReader, seconds: float) -> tuple[bytes, int]:
    data = bytearray()
    async with asyncio.timeout(seconds):
        while True:
            more = await reader.read(65536)
            if not more:
                raise EOFError
            searched = len(data)
            data += more
            end = head_end(data, searched)
            if end:
                return bytes(data), end
