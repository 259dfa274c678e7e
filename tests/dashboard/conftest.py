"""A control plane over real sockets, on both databases."""

from __future__ import annotations

import asyncio
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import pytest

from tameflare_dashboard.app import create_app, setup_link
from tameflare_dashboard.backend import Backend
from tameflare_dashboard.server import ControlPlaneServer
from tameflare_dashboard.settings import Settings
from tests.postgres import Postgres

PASSWORD = "correct horse battery"
DOCUMENT = """\
version: 1
gateway: {name}
connectors:
  - type: github
permissions:
  - {{connector: github, action: "github.*", access: read, decision: allow}}
  - {{connector: github, action: "github.*", decision: require_approval}}
"""


def document(name: str = "prod-agent") -> str:
    return DOCUMENT.format(name=name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that is new, on each kind that there is."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tameflare.db'}"
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.database()


@dataclass
class User:
    """Somebody who is logged in, by session."""

    client: httpx.Client
    email: str
    csrf: str

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.client.get(path, **options)

    def write(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"X-CSRF-Token": self.csrf, **options.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        return self.write("POST", path, json={} if json is None else json, **options)

    def put(self, path: str, json: Any, *, version: str = "*", **options: Any) -> httpx.Response:
        return self.write("PUT", path, json=json, headers={"If-Match": version}, **options)

    def delete(self, path: str, *, version: str = "*") -> httpx.Response:
        return self.write("DELETE", path, headers={"If-Match": version})

    def gateway(self, name: str = "prod-agent", text: str | None = None) -> dict[str, Any]:
        answer = self.post("/api/v1/gateways", {"document": text or document(name)})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made


@dataclass
class ControlPlane:
    """A process of the control plane, in a thread of this one."""

    backend: Backend
    url: str
    loop: asyncio.AbstractEventLoop
    app: Any
    stack: ExitStack = field(default_factory=ExitStack)

    def client(self, **options: Any) -> httpx.Client:
        return self.stack.enter_context(
            httpx.Client(base_url=self.url, timeout=20, trust_env=False, **options)
        )

    def run[Result](self, work: Any) -> Any:
        """Await something on the control plane's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    @cached_property
    def owner(self) -> User:
        link = self.run(setup_link(self.backend))
        client = self.client()
        answer = client.post(
            "/api/v1/setup",
            json={
                "token": link.partition("#")[2],
                "organization": "Example",
                "email": "owner@example.com",
                "name": "Olga",
                "password": PASSWORD,
            },
        )
        assert answer.status_code == 201, answer.text
        return User(client, "owner@example.com", answer.json()["csrf"])

    def user(self, role: str) -> User:
        """Somebody with a role, who was invited by the owner."""
        email = f"{role}-{uuid.uuid4().hex[:6]}@example.com"
        made = self.owner.post("/api/v1/invitations", {"email": email, "role": role}).json()
        client = self.client()
        answer = client.post(
            "/api/v1/invitations/accept",
            json={
                "token": made["link"].rpartition("/")[2],
                "name": role.title(),
                "password": PASSWORD,
            },
        )
        assert answer.status_code == 201, answer.text
        return User(client, email, answer.json()["csrf"])

    def as_gateway(self, token: str, **headers: str) -> httpx.Client:
        return self.client(headers={"Authorization": f"Bearer {token}", **headers})


@contextmanager
def serving(settings: Settings, *, port: int = 0, **options: Any) -> Iterator[ControlPlane]:
    """Serve the control plane, on a free port unless one is named, until the end of the context."""
    # With the protocol named, the event loop sends small answers at once (TCP_NODELAY).
    listening = socket.socket(proto=socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(256)
    started: list[ControlPlane] = []
    ready = threading.Event()
    failed: list[BaseException] = []

    async def main() -> None:
        backend = Backend(settings, **options)
        app = create_app(settings, backend=backend)
        server = ControlPlaneServer(app)
        port = listening.getsockname()[1]
        plane = ControlPlane(backend, f"http://127.0.0.1:{port}", asyncio.get_running_loop(), app)
        serving = asyncio.ensure_future(server.serve(sockets=[listening]))
        while not (server.started or serving.done()):  # noqa: ASYNC110  # it has no event
            await asyncio.sleep(0.005)
        plane.stack.callback(lambda: setattr(server, "should_exit", True))
        started.append(plane)
        ready.set()
        await serving

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:  # noqa: BLE001  # told to the test
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="control plane")
    thread.start()
    ready.wait(30)
    try:
        if failed or not started:
            raise RuntimeError("the control plane did not start") from (failed or [None])[0]
        yield started[0]
    finally:
        for plane in started:
            plane.stack.close()
        thread.join(30)
        listening.close()
        assert not thread.is_alive()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    return Settings(database_url=database_url, folder=folder)


@pytest.fixture
def control_plane(settings: Settings) -> Iterator[ControlPlane]:
    with serving(settings) as plane:
        yield plane


@pytest.fixture
def serve() -> Iterator[Callable[..., ControlPlane]]:
    """Starts further control planes."""
    with ExitStack() as stack:
        yield lambda settings, **options: stack.enter_context(serving(settings, **options))
