"""An MCP server over stdio as a child, between its client and the frontend that judges."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence

import anyio
from anyio.abc import Process

from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.foreground import Foreground
from tameflare_cli.hosting import TRAFFIC_LOG
from tameflare_cli.mcp_pipes import ClientOutput, lines, readable_chunks, writer_to
from tameflare_cli.mcp_stdio import StdioFrontend
from tameflare_cli.terminal import approver_on
from tameflare_core.approvals import AsyncApprovals, kill_held
from tameflare_core.body import MAX_INSPECTED
from tameflare_core.current_point import CurrentPoint
from tameflare_core.errors import UpstreamError
from tameflare_core.folders import state_folder
from tameflare_core.frontend import AsyncServices, Credentials
from tameflare_core.gateway import Gateway
from tameflare_core.kill_switch_file import KillSwitchFile
from tameflare_core.traffic_log import TrafficLog

__all__ = ["serve"]

# What the server said before it ended is passed on. A program that it left behind may hold the pipe
# open for ever, and a client that reads no more may leave it full.
_DRAIN_SECONDS = 2.0


async def serve(gateway: Gateway, url: str, command: Sequence[str]) -> int:
    """Run a server for the client on standard input and output.

    Args:
        gateway: judges what the client says.
        url: what stands for the server's address.
        command: the server and its arguments.

    Returns:
        Its exit status; 128 and the number of the signal when it died of one.

    Raises:
        CommandFailed: there is no such program, or it cannot be executed.
    """
    terminal = Foreground.open()
    point = CurrentPoint(gateway, KillSwitchFile.of_user().current)
    approvals = AsyncApprovals(approver_on(terminal))
    async with await _started(command) as server, anyio.create_task_group() as group:
        output = ClientOutput(writer_to(sys.stdout.fileno()))
        frontend = StdioFrontend(
            url=url,
            point=point,
            services=AsyncServices(
                approvals=approvals,
                recorder=TrafficLog(state_folder() / TRAFFIC_LOG),
                # A server over stdio has a credential of its own.
                credentials=Credentials({}, gateway.folder),
            ),
            forward=_Input(server).take,
            say=output.say,
        )
        group.start_soon(_pass_signals, server, terminal)
        group.start_soon(kill_held, point, approvals)
        async with anyio.create_task_group() as talk:
            talk.start_soon(_listen, server, output, frontend)
            talk.start_soon(_talk, server, frontend)
            status = await server.wait()
            frontend.stop()
            talk.cancel_scope.deadline = anyio.current_time() + _DRAIN_SECONDS
        group.cancel_scope.cancel()
    return status if status >= 0 else 128 - status


async def _started(command: Sequence[str]) -> Process:
    try:
        return await anyio.open_process(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None
        )
    except FileNotFoundError:
        raise CommandFailed(
            ExitCode.NOT_FOUND, f"`{command[0]}` is not found", "check the name and PATH"
        ) from None
    except OSError as error:
        message = f"`{command[0]}` cannot be executed: {error.strerror}"
        raise CommandFailed(ExitCode.NOT_EXECUTABLE, message) from None


class _Input:
    """The standard input of a server."""

    def __init__(self, server: Process) -> None:
        assert server.stdin is not None
        self._stream = server.stdin

    async def take(self, line: bytes) -> None:
        try:
            await self._stream.send(line)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise UpstreamError("the server takes no more messages") from None


async def _talk(server: Process, frontend: StdioFrontend) -> None:
    assert server.stdin is not None
    await frontend.run(lines(readable_chunks(sys.stdin.fileno()), MAX_INSPECTED))
    # A server ends when its input does.
    await server.stdin.aclose()


async def _listen(server: Process, output: ClientOutput, frontend: StdioFrontend) -> None:
    assert server.stdout is not None
    try:
        async for chunk in server.stdout:
            await output.server_says(chunk)
    except BrokenPipeError:
        # The client is gone, and a server that only writes would not learn of it.
        frontend.stop()
        server.terminate()


async def _pass_signals(server: Process, terminal: Foreground | None) -> None:
    passed = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    ignored = {number for number in passed if signal.getsignal(number) is signal.SIG_IGN}
    with anyio.open_signal_receiver(*(passed - ignored)) as signals:
        async for number in signals:
            # From the keyboard it reaches every process of the group, and so the server.
            if number is not signal.SIGINT or terminal is None:
                server.send_signal(number)
