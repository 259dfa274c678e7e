"""Drives the enforcement generator of one request, in steps that an engine can pause between.

A lane calls `start` when the head is there, `resume` with what the generator waits for (the body,
the status of the upstream's answer), `fail` when that did not come, and `client_gone` or `abandon`
when the client went away. After each call `command` says what the lane has to do: `ReadBody`,
`Forward`, or nothing more (None).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import anyio

from tameflare_core.commands import (
    AwaitApproval,
    Command,
    Enforcement,
    Forward,
    OpenApproval,
    ReadBody,
    Refuse,
    Reply,
)
from tameflare_core.decision import Refusal
from tameflare_core.enforcement import enforce
from tameflare_core.errors import ClientGone, ExchangeKilled
from tameflare_core.kill_switch import KillSwitch
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
        self._generator: Enforcement = enforce(read, served.point, served.surroundings)
        self._hold: anyio.CancelScope | None = None
        self._step = asyncio.Lock()
        self.gone = False
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

    async def kill(self, switch: KillSwitch) -> None:
        """End it because a kill switch stops it, if it has been sent and not been answered."""
        async with self._step:
            if isinstance(self.command, Forward):
                error = ExchangeKilled(
                    f"kill switch `{switch.scope}` ({switch.by}): {switch.reason}"
                )
                await self._run_to_lane(lambda: self._generator.throw(error))

    async def abandon(self) -> None:
        """End it because its client went away; afterwards nothing of it is under way any more."""
        self.client_gone()
        async with self._step:
            pending = self.command is not None
        if pending:
            await self.fail(ClientGone("the client closed the connection"))

    def client_gone(self) -> None:
        """End a hold at once, because its client went away; may be called at any time."""
        self.gone = True
        if self._hold is not None:
            self._hold.cancel()

    async def _run(self, step: Callable[[], Command]) -> None:
        async with self._step:
            await self._run_to_lane(step)

    async def _run_to_lane(self, step: Callable[[], Command]) -> None:
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
        if not isinstance(command, OpenApproval | AwaitApproval):
            return await self._services.carry_out(command)
        with anyio.CancelScope() as self._hold:
            if not self.gone:
                reply = await self._services.carry_out(command)
            if not self.gone:
                return reply
        raise ClientGone("the client closed the connection")


def _sending(generator: Enforcement, reply: Reply) -> Callable[[], Command]:
    return lambda: generator.send(reply)


def _throwing(generator: Enforcement, error: Exception) -> Callable[[], Command]:
    return lambda: generator.throw(error)
