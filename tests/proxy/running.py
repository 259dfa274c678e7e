"""A gateway that runs in a thread of its own, and clients that speak to it in bytes."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h11

from tameflare_core.approval import Answer, Approval, ApprovalState
from tameflare_core.kill_switch import NO_KILL_SWITCHES, KillScope, KillSwitch, KillSwitches
from tameflare_core.plugins import load_plugins
from tameflare_core.record import TrafficRecord
from tameflare_core.testing import gateway_from
from tameflare_proxy.authority import Authority
from tameflare_proxy.bounds import Limits
from tameflare_proxy.one_gateway import OneGateway
from tameflare_proxy.server import GatewayServer

DEADLINE = 10
TOKEN = "gwtk_test"
CREDENTIAL = "ghp_REAL_SECRET"


class Records:
    """Keeps records, and lets a test wait for them."""

    def __init__(self) -> None:
        self.all: list[TrafficRecord] = []
        self.failing = False
        self._changed = threading.Condition()

    def prepare(self) -> None:
        if self.failing:
            raise OSError("disk full")

    def record(self, record: TrafficRecord) -> None:
        with self._changed:
            self.all.append(record)
            self._changed.notify_all()

    def wait(self, count: int = 1) -> list[TrafficRecord]:
        with self._changed:
            enough = self._changed.wait_for(lambda: len(self.all) >= count, DEADLINE)
            assert enough, f"{len(self.all)} records, not {count}"
            return list(self.all)


class Humans:
    """An approver whose answers a test gives from its own thread."""

    def __init__(self) -> None:
        self.asked: list[Approval] = []
        self.withdrawn: list[str] = []
        self.cancelled = 0
        self._answers: dict[str, asyncio.Future[Answer]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = threading.Condition()

    async def open(self, approval: Approval) -> None:
        self._loop = asyncio.get_running_loop()
        with self._changed:
            self._answers[approval.id] = self._loop.create_future()
            self.asked.append(approval)
            self._changed.notify_all()

    async def wait(self, approval: Approval) -> Answer:
        try:
            return await self._answers[approval.id]
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def withdraw(self, approval: Approval) -> None:
        with self._changed:
            self.withdrawn.append(approval.id)
            self._changed.notify_all()

    def wait_asked(self, count: int = 1) -> Approval:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.asked) >= count, DEADLINE)
            return self.asked[count - 1]

    def wait_withdrawn(self, count: int = 1) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.withdrawn) >= count, DEADLINE)

    def answer(self, approval: Approval, state: ApprovalState) -> None:
        assert self._loop is not None
        future = self._answers[approval.id]
        self._loop.call_soon_threadsafe(
            lambda: future.done() or future.set_result(Answer(state=state, by="ada"))
        )


class RunningGateway:
    """A gateway on a free port of 127.0.0.1."""

    def __init__(self, document: str, folder: Path, limits: Limits | None = None) -> None:
        self.folder = folder
        key = folder / "key"
        key.write_text(CREDENTIAL)
        key.chmod(0o600)
        self.records = Records()
        self.humans = Humans()
        self.kill_switches = NO_KILL_SWITCHES
        self.authority = Authority.load_or_create(folder / "authority")
        self._document = document
        self._limits = limits or Limits(drain_seconds=0.05)
        self._ready: Future[int] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = self._ready.result(DEADLINE)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop and wait until it has."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()

    def call[Result](self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Run something in the gateway's event loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(DEADLINE)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        try:
            gateway = gateway_from(self._document, folder=self.folder)
            self.server = GatewayServer(
                gateways=lambda spawn: OneGateway(
                    gateway=gateway,
                    plugins=load_plugins(entry_points=False),
                    token=TOKEN,
                    approver=self.humans,
                    recorder=self.records,
                    kill_switches=lambda: self.kill_switches,
                    limits=self._limits,
                    spawn=spawn,
                ),
                authority=self.authority,
                limits=self._limits,
            )
            async with self.server:
                self._ready.set_result(self.server.port)
                await self._stopping.wait()
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)
            raise

    def kill(self, scope: str) -> float:
        """Activate a kill switch; return when that was, on the clock of `time.monotonic`."""
        switch = KillSwitch.new(
            KillScope.parse(scope), reason="an incident", by="ada", at=datetime.now(UTC)
        )
        self.kill_switches = KillSwitches([*self.kill_switches, switch])
        return time.monotonic()

    @property
    def client_context(self) -> ssl.SSLContext:
        """Trusts this gateway's authority and nothing else."""
        return ssl.create_default_context(cadata=self.authority.certificate_pem.decode())

    @property
    def proxy_url(self) -> str:
        return f"http://{TOKEN}:@127.0.0.1:{self.port}"


@dataclass
class Got:
    """A response as the client saw it."""

    status: int
    headers: dict[str, str]
    body: bytes
    interim: list[int]

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/problem+json"
        assert self.headers["x-tameflare-request-id"]
        document: dict[str, Any] = json.loads(self.body)
        assert document["status"] == self.status
        return document

    @property
    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document


class Client:
    """One connection to a gateway."""

    def __init__(self, gateway: RunningGateway) -> None:
        self.gateway = gateway
        self.socket: socket.socket = socket.create_connection(("127.0.0.1", gateway.port), DEADLINE)
        self._engine = h11.Connection(h11.CLIENT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ended(self) -> bool:
        """Whether the gateway closes the connection without a further byte."""
        try:
            return self.socket.recv(65536) == b""
        except (ConnectionError, ssl.SSLError):
            return True

    def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        data = b""
        try:
            while more := self.socket.recv(65536):
                data += more
        except (ConnectionError, ssl.SSLError):
            pass
        return data

    def connect(self, target: str, *fields: str, token: str | None = TOKEN) -> Got:
        own = [f"Proxy-Authorization: Bearer {token}"] if token else []
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", *own, *fields]
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")
        got = self.got("CONNECT")
        self._engine = h11.Connection(h11.CLIENT)
        return got

    def start_tls(
        self, name: str | None = "localhost", *, alpn: str = "http/1.1", verify: bool = True
    ) -> None:
        context = self.gateway.client_context
        if not verify or name is None:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols([alpn])
        self.socket = context.wrap_socket(self.socket, server_hostname=name)

    def got(self, method: str = "GET") -> Got:
        """The next response, which answers a `method` request that was sent."""
        engine = self._engine
        if engine.our_state is h11.DONE and engine.their_state is h11.DONE:
            engine.start_next_cycle()
        elif engine.our_state is not h11.IDLE:
            self._engine = engine = h11.Connection(h11.CLIENT)
        engine.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
        engine.send(h11.EndOfMessage())
        interim: list[int] = []
        head: h11.Response | None = None
        body = b""
        while True:
            event = engine.next_event()
            if event is h11.NEED_DATA:
                engine.receive_data(self.socket.recv(65536))
            elif isinstance(event, h11.InformationalResponse):
                interim.append(event.status_code)
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage) or event is h11.PAUSED:
                assert head is not None
                return Got(head.status_code, _fields(head), body, interim)
            elif isinstance(event, h11.ConnectionClosed):
                raise EOFError("closed without an answer")

    def switched(self) -> bool:
        """Whether the answer is 101, behind which something else than HTTP is spoken."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.socket.recv(1)
        return head.startswith(b"HTTP/1.1 101 ")


def _fields(head: h11.Response) -> dict[str, str]:
    return {name.decode(): value.decode("latin-1") for name, value in head.headers}


def in_thread(work: Callable[[], object]) -> Future[object]:
    """Run `work` beside the test."""
    future: Future[object] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001
            future.set_exception(error)

    threading.Thread(target=run).start()
    return future
