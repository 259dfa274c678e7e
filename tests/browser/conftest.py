"""A real browser, on pages that a real control plane serves."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tameflare_dashboard.auth.gate import COOKIE
from tameflare_dashboard.settings import Settings
from tests.browser.stage import furnish
from tests.cli.conftest import environment as environment
from tests.cli.conftest import folder as folder
from tests.cli.conftest import tf as tf
from tests.cli.harness import Run
from tests.cli.stack import Stack, stacked
from tests.dashboard.conftest import ControlPlane, User, serving

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CHROMIUM = shutil.which("chromium")
DESK, PHONE = (1360, 850), (390, 844)


@contextmanager
def launched() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


# Playwright keeps an event loop running in this thread, in which no later test could run its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("there is no `chromium`: `.ci/run` installs it")
        pytest.skip("there is no `chromium`: `apt-get install chromium` gets it")
    with launched() as browser:
        yield browser


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    """A control plane on SQLite; the stores have their tests on both databases."""
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'tameflare.db'}", folder=folder)
    with serving(settings) as plane:
        yield plane


@pytest.fixture
def stage(plane: ControlPlane) -> dict[str, Any]:
    """Something to look at; the gateway that it is about."""
    return furnish(plane)


class Screen:
    """A page of a browser whose complaints fail the test.

    Attributes:
        page: it.
        complaints: what the browser's console said; a test that expects any empties it.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._asked(request.url))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.text} ({message.location.get('url')})")

    def _asked(self, url: str) -> None:
        if not url.startswith((self.url, "data:", "blob:")):
            self.elsewhere.append(url)

    def go(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page


@pytest.fixture
def open_screen(browser: Browser, plane: ControlPlane) -> Iterator[Callable[..., Screen]]:
    """Opens pages of the control plane, as some user."""
    with screens(browser, plane.url) as open_:
        yield open_


@contextmanager
def screens(browser: Browser, url: str) -> Iterator[Callable[..., Screen]]:
    """Opens pages below a URL, and ends with that none complained."""
    with ExitStack() as stack:
        opened: list[Screen] = []

        def open_(
            user: User | None = None,
            *,
            size: tuple[int, int] = DESK,
            dark: bool = False,
            **options: Any,
        ) -> Screen:
            context = browser.new_context(
                viewport={"width": size[0], "height": size[1]},
                color_scheme="dark" if dark else "light",
                **options,
            )
            stack.callback(context.close)
            context.set_default_timeout(10_000)
            if user is not None:
                value = user.client.cookies[COOKIE]
                context.add_cookies([{"name": COOKIE, "value": value, "url": url}])
            screen = Screen(context.new_page(), url)
            opened.append(screen)
            return screen

        yield open_
        for screen in opened:
            assert screen.complaints == []
            assert screen.elsewhere == []


@pytest.fixture
def screen(open_screen: Callable[..., Screen], plane: ControlPlane) -> Screen:
    """A page as the owner sees it."""
    return open_screen(plane.owner)


@pytest.fixture
def stack(tf: Run, environment: dict[str, str], folder: Path) -> Iterator[Stack]:
    """Real processes of `tf`."""
    with stacked(tf, environment, folder) as stack:
        yield stack


@pytest.fixture
def stack_screen(browser: Browser, stack: Stack) -> Iterator[Screen]:
    """A page of what `stack` has started."""
    with screens(browser, stack.url) as open_:
        yield open_()
