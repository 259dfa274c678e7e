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
        page = screen.go(path)
        page.wait_for_load_state("load")
        page.wait_for_timeout(250)
        page.screenshot(path=folder / f"{name}-{look}.png", full_page=True)
        found = AXE.run(page).response["violations"]
        serious = [
            f"{name}: {each['id']}: {node['html'][:150]} {node['failureSummary'][:200]}"
            for each in found
            if each["impact"] in {"serious", "critical"}
            for node in each["nodes"][:3]
        ]
        assert serious == []
        assert len(AXE.run(page).response["passes"]) > 10, "the rules were looked at"
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{name} is {wide} px too wide"
