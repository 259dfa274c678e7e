"""The control plane and the gateway of the demo, and the colleague who is asked."""

from __future__ import annotations

import secrets
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyio.from_thread import start_blocking_portal

from tameflare_cli.commands.dashboard import plane_settings
from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.remote import Remote
from tameflare_cli.rendering import print_line
from tameflare_cli.stack import serving_fleet, serving_plane

__all__ = ["Stage", "running_stage"]

_COLLEAGUE = "the demo's colleague"
_PATIENCE = 15.0
_GATEWAY = "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What runs.

    Attributes:
        remote: the control plane, as its owner calls it.
        proxy: the URL of the gateway's proxy.
        certificate: its authority's.
        password: the owner's.
    """

    remote: Remote
    proxy: str
    certificate: Path
    password: str

    def put_credential(self, name: str, value: str) -> None:
        """Put a credential into the vault."""
        self.remote.write("PUT", f"/api/v1/credentials/{name}", {"value": value})

    def make_gateway(self, document: str) -> str:
        """Make a gateway; return its token."""
        _, made = self.remote.put_text(f"/api/v1/gateways/{_GATEWAY}/tameflare.yaml", document)
        return str(made["token"])

    @contextmanager
    def colleague(self) -> Iterator[None]:
        """Somebody who approves whatever is asked, until the end of the context."""
        gone = threading.Event()

        def answer() -> None:
            while not gone.wait(0.05):
                for asked in self.remote.get("/api/v1/approvals", state="pending")["items"]:
                    self.remote.write("POST", f"/api/v1/approvals/{asked['id']}/approve", {})

        thread = threading.Thread(target=answer, name="colleague", daemon=True)
        thread.start()
        try:
            yield
        finally:
            gone.set()
            thread.join()

    def records(self, count: int) -> list[dict[str, Any]]:
        """The traffic records, first to last.

        Raises:
            CommandFailed: there are fewer, however long one waits.
        """
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            items: list[dict[str, Any]] = self.remote.get("/api/v1/traffic")["items"]
            if len(items) >= count:
                return items[::-1]
            time.sleep(0.05)
        raise CommandFailed(ExitCode.FAILED, "the traffic records did not arrive")

    def keep(self, token: str) -> None:
        """Leave everything up until the user wants no more."""
        print_line(f"control plane  {self.remote.url}  (colleague@demo.example, {self.password})")
        print_line(f"proxy          {self.proxy}")
        print_line(f"token          {token}")
        print_line("Ctrl-C ends it", flush=True)
        ends = {signal.SIGINT, signal.SIGTERM}
        signal.pthread_sigmask(signal.SIG_BLOCK, ends)
        signal.sigwait(ends)


@contextmanager
def running_stage() -> Iterator[Stage]:
    """A control plane with an owner, and a proxy that follows it, until the context ends."""
    with ExitStack() as stack:
        # Every signal is the main thread's. Threads inherit the mask.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            portal = stack.enter_context(start_blocking_portal())
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        settings = plane_settings("127.0.0.1", 0, None)
        plane = stack.enter_context(
            portal.wrap_async_context_manager(serving_plane(settings, "127.0.0.1", 0))
        )
        fleet = stack.enter_context(
            portal.wrap_async_context_manager(serving_fleet(plane.url, "127.0.0.1", 0))
        )
        password = secrets.token_urlsafe(12)
        remote = stack.enter_context(closing(Remote(plane.url)))
        session = remote.write(
            "POST",
            "/api/v1/setup",
            {
                "token": (plane.setup_link or "").rpartition("#")[2],
                "organization": "Demo",
                "email": "colleague@demo.example",
                "name": _COLLEAGUE,
                "password": password,
            },
        )
        remote.csrf(session["csrf"])
        yield Stage(
            remote=remote,
            proxy=f"http://{fleet.host}:{fleet.port}",
            certificate=fleet.certificate,
            password=password,
        )
