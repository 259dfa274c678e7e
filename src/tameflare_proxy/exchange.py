"""Drives the enforcement generator of one request, in the steps that an engine can pause between.

A lane calls `start` when the head is there, `resume` with what the generator waits for (the body, the
status of the upstream's answer), `fail` when that did not come, and `abandon` when the client went
away. After each call `command` says what the lane has to do: `ReadBody`, `Forward`, `Refuse`, or
nothing more (None).
"""

from __future__ import annotations

from collections.abc import Callable

import anyio

from tameflare_core.decision import Refusal
from tameflare_core.enforcement import (
    AwaitApproval,
    Command,
    Enforcement,
    Forward,
    ReadBody,
    Refuse,
    Reply,
    enforce,
)
from tameflare_core.errors import ClientGone
from tameflare_core.request import OutboundRequest
from tameflare_proxy.served import ServedGateway

__all__ = ["Exchange"]


class Exchange:
    """One request on its way through the enforcement point.

    Attributes:
        command: what the lane has to do next; None when nothing is left.
        refusal: the answer to give instead of the upstream's, once there is one.
        gone: whether the client went away.
    """

    def __init__(self, served: ServedGateway, read: Callable[[], OutboundRequest]) -> None:
        self._services = served.services
        self._generator: Enforcement = enforce(read, lambda: served.point, served.surroundings)
        self._hold: anyio.CancelScope | None = None
        self.gone = False
        self._running = False
        self.command: ReadBody | Forward | None = None
        self.refusal: Refusal | None = None

    async def start(self) -> None:
        """Run until the lane is needed."""
        await self._run(lambda: self._generator.send(None))

    async def resume(self, reply: Reply) -> None:
        """Run on with what the generator waited for."""
        await self._run(lambda: self._generator.send(reply))

    async def fail(self, error: Exception) -> None:
        """Run on with the news that it did not come."""
        await self._run(lambda: self._generator.throw(error))

    async def abandon(self) -> None:
        """The client went away while the lane was busy."""
        if self.command is not None:
            await self.fail(ClientGone("the client closed the connection"))

    def client_gone(self) -> None:
        """End a hold at once, because its client went away; may be called at any time."""
        self.gone = True
        if self._hold is not None:
            self._hold.cancel()

    async def _run(self, step: Callable[[], Command]) -> None:
        self.command = None
        while True:
            try:
                command = step()
            except StopIteration:
                return
            match command:
                case ReadBody() | Forward():
                    self.command = command
                    return
                case Refuse(refusal):
                    self.refusal = refusal
                    reply: Reply = None
                case _:
                    try:
                        reply = await self._carry_out(command)
                    except Exception as error:  # noqa: BLE001  # the generator decides, and refuses
                        step = _throwing(self._generator, error)
                        continue
            step = _sending(self._generator, reply)

    async def _carry_out(self, command: Command) -> Reply:
        if not isinstance(command, AwaitApproval):
            return await self._services.carry_out(command)
        with anyio.CancelScope() as self._hold:
            if self.gone:
                self._hold.cancel()
            reply = await self._services.carry_out(command)
            if not self.gone:
                return reply
        raise ClientGone("the client closed the connection")


def _sending(generator: Enforcement, reply: Reply) -> Callable[[], Command]:
    return lambda: generator.send(reply)


def _throwing(generator: Enforcement, error: Exception) -> Callable[[], Command]:
    return lambda: generator.throw(error)
