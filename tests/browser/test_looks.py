"""Every page as it looks: nothing in the console, nothing that a screen reader trips over."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import DESK, PHONE, Screen
from tests.dashboard.conftest import ControlPlane

AXE = Axe()
PAGES = {
    "overview": "/",
    "approvals": "/approvals",
    "history": "/approvals/history",
    "traffic": "/traffic",
    "gateways": "/gateways",
    "gateway": "/gateways/prod-agent",
    "new-gateway": "/gateways/new",
    "permissions": "/gateways/prod-agent/permissions",
    "document": "/gateways/prod-agent/document",
    "kill-switches": "/kill-switches",
    "audit": "/audit",
    "team": "/team",
    "settings": "/settings",
    "account": "/account",
    "confirm": "/login/confirm?code=BCDF-GHJK",
}


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_pages_look_as_they_should(
    open_screen: Callable[..., Screen],
    plane: ControlPlane,
    stage: dict[str, Any],
    look: str,
    tmp_path: Path,
) -> None:
    folder = Path(os.environ.get("TAMEFLARE_SCREENSHOTS", tmp_path))
    screen = open_screen(plane.owner, size=PHONE if look == "phone" else DESK, dark=look == "dark")
    for name, path in PAGES.items():
        look_at(screen, path, folder / f"{name}-{look}.png")
    reason = {"scope": "gateway:prod-agent", "reason": "it deletes branches"}
    assert plane.owner.post("/api/v1/kill-switches", reason).status_code == 201
    look_at(screen, "/kill-switches", folder / f"stopped-{look}.png")
    page = screen.go("/traffic")
    page.locator("#rows a").first.click()
    page.get_by_text("Where the time went").wait_for()
    page.screenshot(path=folder / f"drawer-{look}.png")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Stop…").click()
    page.screenshot(path=folder / f"stop-{look}.png")


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_pages_for_strangers_look_as_they_should(
    open_screen: Callable[..., Screen], plane: ControlPlane, look: str, tmp_path: Path
) -> None:
    folder = Path(os.environ.get("TAMEFLARE_SCREENSHOTS", tmp_path))
    screen = open_screen(size=PHONE if look == "phone" else DESK, dark=look == "dark")
    look_at(screen, "/setup#code", folder / f"setup-{look}.png")
    assert plane.owner.email
    look_at(screen, "/login", folder / f"login-{look}.png")
    look_at(screen, "/invitations/some-token", folder / f"invitation-{look}.png")
    owner = open_screen(plane.owner, size=PHONE if look == "phone" else DESK, dark=look == "dark")
    look_at(owner, "/", folder / f"empty-{look}.png")


def look_at(screen: Screen, path: str, picture: Path) -> None:
    """Load a page, take its picture, and check that everybody can use it."""
    page = screen.go(path)
    page.wait_for_load_state("load")
    page.wait_for_timeout(250)
    page.screenshot(path=picture, full_page=True)
    found = AXE.run(page).response
    assert len(found["passes"]) > 5, "the rules were looked at"
    serious = [
        f"{path}: {each['id']}: {node['html'][:150]} {node['failureSummary'][:200]}"
        for each in found["violations"]
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"][:3]
    ]
    assert serious == []
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(ids) == len(set(ids)), f"{path}: an id stands for two things"
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{path} is {wide} px too wide"
