"""Templates, and how values look in them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jinja2
from markupsafe import Markup, escape

from tameflare_core.approval import preview, preview_line

__all__ = ["STATIC", "Templates"]

STATIC = Path(str(files("tameflare_dashboard") / "static"))
"""Where the files lie that browsers load."""

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


class Templates:
    """The templates of the pages."""

    def __init__(self) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.PackageLoader("tameflare_dashboard"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals.update(asset=asset, icon=icon, query=query)
        self._environment.filters.update(
            ago=ago, count=count, line=line, ms=milliseconds, text=text, when=when
        )

    def render(self, name: str, values: Mapping[str, Any]) -> str:
        """A template with values."""
        return self._environment.get_template(name).render(values)


@cache
def asset(name: str) -> str:
    """The address of a file that browsers load; it changes with what the file holds."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()
    return f"/static/{name}?v={digest[:12]}"


@cache
def icon(name: str) -> Markup:
    """An icon that stands beside words, and so says nothing to a screen reader."""
    text = (STATIC / "vendor" / "icons" / f"{name}.svg").read_text("utf-8")
    return Markup(text.replace("<svg ", '<svg aria-hidden="true" ', 1))  # noqa: S704  # ours


def query(values: Mapping[str, Any], **changes: Any) -> str:
    """A query with some values changed; what is empty is left out."""
    kept = {key: value for key, value in {**values, **changes}.items() if value not in {None, ""}}
    return "?" + urlencode(kept)


def when(time: datetime | str | None) -> Markup:
    """A moment: UTC as it is written, and local once the page's script has seen it."""
    if time is None:
        return Markup('<span class="text-secondary">never</span>')
    moment = datetime.fromisoformat(time) if isinstance(time, str) else time
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}" title="{} UTC">{} UTC</time>').format(
        utc.isoformat(timespec="milliseconds"),
        utc.strftime("%Y-%m-%d %H:%M:%S"),
        utc.strftime("%Y-%m-%d %H:%M"),
    )


def ago(span: timedelta | float | None) -> str:
    """A span of time in its largest unit, like `3 min`."""
    if span is None:
        return "-"
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return "0 s"


def milliseconds(value: float | None) -> str:
    """Milliseconds as somebody would say them."""
    if not value:
        return "-"
    if value < 1000:
        return f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms"
    return f"{value / 1000:.1f} s" if value < 60_000 else ago(value / 1000)


def count(value: float) -> str:
    """A number with its thousands apart, or shortened."""
    if value >= 10_000_000:
        return f"{value / 1e6:.0f}M"
    if value >= 100_000:
        return f"{value / 1000:.0f}k"
    if isinstance(value, float) and value < 100:
        return f"{value:.1f}".removesuffix(".0")
    return f"{value:,.0f}"


def line(text: object) -> Markup:
    """What an agent wrote, on one line, so that nothing in it can mislead."""
    return Markup("<bdi>{}</bdi>").format(escape(preview_line(str(text))))


def text(body: str) -> str:
    """What an agent wrote, on its own lines: bounded, and so that nothing in it can mislead."""
    return preview(body.encode("utf-8", "surrogatepass"))
