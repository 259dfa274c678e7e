"""The pictures of the README: `uv run python -m tests.browser.screenshots` makes them anew."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tameflare_dashboard.settings import Settings
from tests.browser.conftest import launched, screens
from tests.browser.stage import furnish
from tests.dashboard.conftest import serving

FOLDER = Path(__file__).parents[2] / "docs" / "images"
SIZE = (1200, 720)
SHOTS = (
    ("overview", "/", False),
    ("approvals", "/approvals", True),
    ("permissions", "/gateways/prod-agent/permissions", False),
)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        keys = Path(scratch, "keys")
        keys.mkdir(mode=0o700)
        settings = Settings(database_url=f"sqlite:///{scratch}/tameflare.db", folder=keys)
        with (
            serving(settings) as plane,
            launched() as browser,
            screens(browser, plane.url) as open_,
        ):
            furnish(plane)
            for name, path, dark in SHOTS:
                page = open_(plane.owner, size=SIZE, dark=dark).go(path)
                page.wait_for_timeout(500)  # the chart is drawn
                page.screenshot(path=FOLDER / f"{name}.png")
                print(FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
