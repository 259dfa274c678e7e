"""Transports for httpx that judge every request of a client in its own process.

::

    with httpx.Client(transport=EnforcingTransport.from_file("tameflare.yaml")) as client:
        client.get("https://api.github.com/repos/o/r")

Each is a driver of `enforce`: it carries out the commands and decides nothing. httpx follows
redirects by calling its transport again, so each hop is judged anew, with a credential of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Self, cast

import anyio
import httpcore
import httpx

from tameflare_core.approvals import (
    Approvals,
    Approver,
    AsyncApprovals,
    AsyncApprover,
    AsyncNobodyToAsk,
    NobodyToAsk,
)
from tameflare_core.commands import Command, Enforcement, Forward, ReadBody, Refuse, Reply
from tameflare_core.config.document import GatewayConfig
from tameflare_core.current_point import CurrentPoint
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.enforcement import enforce
from tameflare_core.errors import ClientGone
from tameflare_core.folders import state_folder
from tameflare_core.frontend import AsyncServices, Credentials, Recorder, Services
from tameflare_core.kill_switch_file import KillSwitchFile
from tameflare_core.plugins import Plugins, load_plugins
from tameflare_core.traffic_log import TrafficLog
from tameflare_core.transports.dialling import Pools, async_pool, pool
from tameflare_core.transports.translation import (
    AsyncUpload,
    AsyncUpstreamStream,
    Upload,
    UpstreamStream,
    outbound_request,
    refusal_response,
    upstream_error,
    upstream_request,
    upstream_response,
)

__all__ = ["AsyncEnforcingTransport", "EnforcingTransport"]

_NOBODY = "this client has no approver: pass `approver=` to the transport"
# The errors of httpcore that a request can end with; they have no base of their own.
_FAILURES = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError)
_WITHDRAW_SECONDS = 5.0


class EnforcingTransport(httpx.BaseTransport):
    """Judges, holds, credentials, forwards and records the requests of an `httpx.Client`.

    A refusal is an ordinary response with a problem document as its body. What fails after the head
    of an upstream's response is httpx's own exception, as without this transport.

    Args:
        point: the decision point in force; asked for every request.
        services: who is asked, what records, and where credentials come from.
    """

    def __init__(self, point: Callable[[], DecisionPoint], services: Services) -> None:
        self._point = point
        self._services = services
        self._pools = Pools(pool)

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        *,
        approver: Approver | None = None,
        recorder: Recorder | None = None,
        plugins: Plugins | None = None,
    ) -> Self:
        """A transport for one gateway.

        Args:
            path: its `tameflare.yaml`.
            approver: asks a human; by default what needs an approval is refused.
            recorder: keeps traffic records; by default `traffic.jsonl` in the user's state folder.
            plugins: connector types and credential sources; by default the built-in and installed
                ones.

        Raises:
            ConfigError: the file cannot be read, or something in it is wrong.
            PluginError: an installed plugin cannot be loaded.
        """
        point, credentials = _loaded(path, plugins)
        services = Services(
            approvals=Approvals(approver or NobodyToAsk(_NOBODY)),
            recorder=recorder or _default_recorder(),
            credentials=credentials,
        )
        return cls(point, services)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        upload = Upload(cast(httpx.SyncByteStream, request.stream))
        steps = enforce(partial(outbound_request, request), self._point)
        answer: httpx.Response | None = None
        command = next(steps, None)
        try:
            while command is not None:
                reply: Reply = None
                try:
                    match command:
                        case ReadBody(limit):
                            reply = upload.read(limit)
                        case Forward():
                            answer = self._forward(command, request, upload)
                            reply = answer.status_code
                        case Refuse(refusal):
                            answer = refusal_response(request, refusal)
                        case _:
                            reply = self._services.carry_out(command)
                except BaseException as error:
                    if isinstance(error, Exception) and error is not upload.failure:
                        command = _throw(steps, error)
                        continue
                    self._give_up(steps)
                    raise
                command = _send(steps, reply)
        except BaseException:
            if answer is not None:
                answer.close()
            raise
        assert answer is not None, "an enforcement ends with an answer"
        return answer

    def _forward(self, command: Forward, request: httpx.Request, upload: Upload) -> httpx.Response:
        timeout = request.extensions.get("timeout", {})
        sent = upstream_request(command.request, upload, timeout)
        try:
            response = self._pools.of(command.connector).handle_request(sent)
        except _FAILURES as error:
            raise upstream_error(error, command.request) from error
        return upstream_response(request, response, UpstreamStream(response))

    def _give_up(self, steps: Enforcement) -> None:
        # The caller is gone, by an interrupt or an error of its own stream: what was asked is
        # withdrawn, what was done is recorded.
        command = _throw(steps, ClientGone("the caller gave up"))
        while command is not None:
            try:
                reply = self._services.carry_out(command)
            except Exception as error:  # noqa: BLE001  # the generator decides
                command = _throw(steps, error)
            else:
                command = _send(steps, reply)

    def close(self) -> None:
        for each in self._pools.take_all():
            each.close()


class AsyncEnforcingTransport(httpx.AsyncBaseTransport):
    """`EnforcingTransport` for an `httpx.AsyncClient`.

    A request that is cancelled while it is held withdraws its question.

    Args:
        point: the decision point in force; asked for every request.
        services: who is asked, what records, and where credentials come from.
    """

    def __init__(self, point: Callable[[], DecisionPoint], services: AsyncServices) -> None:
        self._point = point
        self._services = services
        self._pools = Pools(async_pool)

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        *,
        approver: AsyncApprover | None = None,
        recorder: Recorder | None = None,
        plugins: Plugins | None = None,
    ) -> Self:
        """A transport for one gateway; see `EnforcingTransport.from_file`.

        Raises:
            ConfigError: the file cannot be read, or something in it is wrong.
            PluginError: an installed plugin cannot be loaded.
        """
        point, credentials = _loaded(path, plugins)
        services = AsyncServices(
            approvals=AsyncApprovals(approver or AsyncNobodyToAsk(_NOBODY)),
            recorder=recorder or _default_recorder(),
            credentials=credentials,
        )
        return cls(point, services)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        upload = AsyncUpload(cast(httpx.AsyncByteStream, request.stream))
        steps = enforce(partial(outbound_request, request), self._point)
        answer: httpx.Response | None = None
        command = next(steps, None)
        try:
            while command is not None:
                reply: Reply = None
                try:
                    match command:
                        case ReadBody(limit):
                            reply = await upload.read(limit)
                        case Forward():
                            answer = await self._forward(command, request, upload)
                            reply = answer.status_code
                        case Refuse(refusal):
                            answer = refusal_response(request, refusal)
                        case _:
                            reply = await self._services.carry_out(command)
                except BaseException as error:
                    if isinstance(error, Exception) and error is not upload.failure:
                        command = _throw(steps, error)
                        continue
                    await self._give_up(steps)
                    raise
                command = _send(steps, reply)
        except BaseException:
            if answer is not None:
                with anyio.CancelScope(shield=True):
                    await answer.aclose()
            raise
        assert answer is not None, "an enforcement ends with an answer"
        return answer

    async def _forward(
        self, command: Forward, request: httpx.Request, upload: AsyncUpload
    ) -> httpx.Response:
        timeout = request.extensions.get("timeout", {})
        sent = upstream_request(command.request, upload, timeout)
        try:
            response = await self._pools.of(command.connector).handle_async_request(sent)
        except _FAILURES as error:
            raise upstream_error(error, command.request) from error
        return upstream_response(request, response, AsyncUpstreamStream(response))

    async def _give_up(self, steps: Enforcement) -> None:
        command = _throw(steps, ClientGone("the caller gave up"))
        while command is not None:
            reply: Reply = None
            try:
                # This task may be cancelled already, and its record is to be kept all the same.
                with anyio.move_on_after(_WITHDRAW_SECONDS, shield=True):
                    reply = await self._services.carry_out(command)
            except Exception as error:  # noqa: BLE001  # the generator decides
                command = _throw(steps, error)
            else:
                command = _send(steps, reply)

    async def aclose(self) -> None:
        for each in self._pools.take_all():
            await each.aclose()


def _loaded(path: str | Path, plugins: Plugins | None) -> tuple[CurrentPoint, Credentials]:
    plugins = plugins or load_plugins()
    gateway = GatewayConfig.from_file(path).bind(plugins)
    point = CurrentPoint(gateway, KillSwitchFile.of_user().current)
    return point, Credentials(plugins.credential_sources, gateway.folder)


def _default_recorder() -> Recorder:
    return TrafficLog(state_folder() / "traffic.jsonl")


def _send(steps: Enforcement, reply: Reply) -> Command | None:
    try:
        return steps.send(reply)
    except StopIteration:
        return None


def _throw(steps: Enforcement, error: Exception) -> Command | None:
    try:
        return steps.throw(error)
    except StopIteration:
        return None
