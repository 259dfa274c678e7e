"""A frontend for MCP over stdio: each line from the client is judged as a request to the server.

The order of lines is kept, except that those behind a held one go on meanwhile. What is forwarded
are the bytes that were judged. Source: the Model Context Protocol, version 2025-11-25, "stdio".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import anyio
from anyio.abc import TaskGroup

from tameflare_core.body import MAX_INSPECTED
from tameflare_core.builtin.mcp_answers import error_answer
from tameflare_core.commands import AwaitApproval, Command, Forward, OpenApproval, Refuse, Reply
from tameflare_core.decision import Refusal
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.enforcement import enforce
from tameflare_core.errors import ApprovalUnavailable, ClientGone, OpaqueBody, RequestRejected
from tameflare_core.frontend import AsyncServices
from tameflare_core.parsers.jsonrpc import Message, MessageKind, read_messages
from tameflare_core.parsers.strict_json import Json, parse_json
from tameflare_core.request import Body, OutboundRequest

__all__ = ["StdioFrontend"]

# Nothing is known yet of what becomes of a call: the server has it, and will answer for itself.
_HANDED_OVER = 202
_MAX_HELD = 32

# Programs that read lines end them here too: a message within another would be judged as a part of
# it. (Python's text files, Node's readline, `str.splitlines`.)
_OTHER_LINE_ENDS = (b"\r", "\u0085".encode(), "\u2028".encode(), "\u2029".encode())


@dataclass(slots=True, eq=False)
class _Line:
    """A line on its way.

    Attributes:
        data: its bytes; None when it was too long to be kept.
        settled: set when the next line may be looked at.
        hold: cancelled when the client no longer waits.
    """

    data: bytes | None
    settled: anyio.Event = field(default_factory=anyio.Event)
    hold: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    @property
    def is_batch(self) -> bool:
        """Whether it is an array of messages that can be read."""
        return bool(self.messages()) and (self.data or b"").lstrip().startswith(b"[")

    def messages(self) -> tuple[Message, ...]:
        """What can be read of it; nothing when it is ambiguous."""
        try:
            return read_messages(self.data or b"")
        except OpaqueBody:
            return ()

    def awaited(self) -> list[Json]:
        """The ids that the client expects answers for; None where it cannot be known."""
        messages = self.messages()
        if messages:
            return [message.id for message in messages if message.kind is MessageKind.REQUEST]
        return [_readable_id(self.data or b"")]


def _readable_id(data: bytes) -> str | int | None:
    try:
        document = parse_json(data)
    except OpaqueBody:
        return None
    ident = document.get("id") if isinstance(document, dict) else None
    return ident if isinstance(ident, str) or type(ident) is int else None


class StdioFrontend:
    """Drives `enforce` for the lines of one client.

    Args:
        url: what stands for the server's address.
        point: the decision point in force.
        services: who is asked, and what records.
        forward: hands a line to the server; raises `UpstreamError` when it takes no more.
        say: tells the client a line.
    """

    def __init__(
        self,
        *,
        url: str,
        point: Callable[[], DecisionPoint],
        services: AsyncServices,
        forward: Callable[[bytes], Awaitable[None]],
        say: Callable[[bytes], Awaitable[None]],
    ) -> None:
        self._url = url
        self._point = point
        self._services = services
        self._forward = forward
        self._say = say
        self._reading = anyio.CancelScope()
        self._ended = False
        self._held: dict[_Line, list[Json]] = {}

    async def run(self, lines: AsyncIterator[bytes | None]) -> None:
        """Judge lines until their end or `stop`; what is held then is withdrawn."""
        async with anyio.create_task_group() as group:
            with self._reading:
                async for data in lines:
                    if data is None or data.strip():
                        await self._take(_Line(data), group)
            self._ended = True
            for line in self._held:
                line.hold.cancel()

    def stop(self) -> None:
        """Take no more lines."""
        self._reading.cancel()

    async def _take(self, line: _Line, group: TaskGroup) -> None:
        for message in line.messages():
            if message.method == "notifications/cancelled":
                self._withdraw(message.params.get("requestId"))
        group.start_soon(self._carry, line)
        await line.settled.wait()

    def _withdraw(self, ident: Json) -> None:
        for line, awaited in self._held.items():
            # Who gives up on one call of a batch still waits for the others.
            match awaited:
                case [only] if type(only) is type(ident) and only == ident:
                    line.hold.cancel()

    async def _carry(self, line: _Line) -> None:
        steps = enforce(partial(_request, self._url, line.data), self._point)
        step: Callable[[], Command] = partial(next, steps)
        with suppress(StopIteration):
            while True:
                command = step()
                try:
                    reply = await self._carry_out(command, line)
                except Exception as error:  # noqa: BLE001  # the generator decides
                    step = partial(steps.throw, error)
                else:
                    step = partial(steps.send, reply)
        line.settled.set()

    async def _carry_out(self, command: Command, line: _Line) -> Reply:
        match command:
            case OpenApproval() if len(self._held) == _MAX_HELD:
                raise ApprovalUnavailable(f"{_MAX_HELD} other calls wait for an answer already")
            case AwaitApproval():
                return await self._hold(command, line)
            case Forward():
                assert line.data is not None
                await self._forward(line.data)
                return _HANDED_OVER
            case Refuse(refusal):
                answer = _answer(line, refusal)
                if answer:
                    await self._say(answer)
                return None
            case _:
                return await self._services.carry_out(command)

    async def _hold(self, command: AwaitApproval, line: _Line) -> Reply:
        self._held[line] = line.awaited()
        line.settled.set()
        if self._ended:
            line.hold.cancel()
        try:
            with line.hold:
                reply = await self._services.carry_out(command)
                if not line.hold.cancel_called:
                    return reply
        finally:
            self._held.pop(line, None)
        raise ClientGone("the client no longer waits")


def _request(url: str, data: bytes | None) -> OutboundRequest:
    if data is None:
        raise RequestRejected(f"a message is longer than {MAX_INSPECTED} bytes")
    message = data.removesuffix(b"\n").removesuffix(b"\r")
    if any(end in message for end in _OTHER_LINE_ENDS):
        raise RequestRejected("a message has an unescaped line end in it")
    return OutboundRequest.from_url(
        "POST",
        url,
        headers=[("content-type", "application/json")],
        body=Body.complete(message),
    )


def _answer(line: _Line, refusal: Refusal) -> bytes:
    """The line that tells the client of a refusal; empty when it expects no answer."""
    awaited = line.awaited()
    if not awaited:
        return b""
    return error_answer(awaited, refusal, is_batch=line.is_batch) + b"\n"
