"""`tf dashboard`: the control plane, until it is stopped."""

from __future__ import annotations

import logging
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from tameflare_cli.commands.gateway import host_and_port
from tameflare_cli.options import ListenOption
from tameflare_cli.rendering import notice, print_line

if TYPE_CHECKING:
    from tameflare_dashboard.settings import Settings

app = typer.Typer(add_completion=False)

DEFAULT_LISTEN = "127.0.0.1:8900"
"""Where the control plane listens unless told otherwise."""


@app.command()
def dashboard(
    listen: ListenOption = DEFAULT_LISTEN,
    database: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="sqlite:///FILE or postgresql://…; TAMEFLARE_DATABASE_URL, or a file in the user's"
            " data folder, unless given.",
        ),
    ] = None,
) -> None:
    """Run the control plane until it is interrupted.

    Where it is to be reached by others, TAMEFLARE_PUBLIC_URL says how; TLS ends in front of it.

    For example:

      tf dashboard

      tf dashboard --database postgresql://tameflare@db/tameflare --listen 0.0.0.0:8900
    """
    import anyio

    host, port = host_and_port(listen)
    anyio.run(_serve, host, port, database)


async def _serve(host: str, port: int, database: str | None) -> None:
    import anyio

    from tameflare_cli.stack import serving_plane

    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        settings = plane_settings(host, port, database)
        async with serving_plane(settings, host, port, log_level=logging.INFO) as plane:
            print_line(f"control plane  {plane.url}", flush=True)
            tell_setup(plane.url, plane.setup_link)
            async for _ in signals:
                return


def plane_settings(host: str, port: int, database: str | None) -> Settings:
    """The settings of a control plane on an address.

    Raises:
        ConfigError: a value cannot be used.
    """
    import os

    from tameflare_cli.hosting import AUTHORITY_FOLDER
    from tameflare_core.folders import data_folder
    from tameflare_dashboard.settings import Settings

    variables = dict(os.environ)
    if database is not None:
        variables["TAMEFLARE_DATABASE_URL"] = database
    if port:
        named = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104  # a comparison
        shown = f"[{named}]" if ":" in named else named
        variables.setdefault("TAMEFLARE_PUBLIC_URL", f"http://{shown}:{port}")
    authority = data_folder() / AUTHORITY_FOLDER / "ca.pem"
    if authority.is_file():
        variables.setdefault("TAMEFLARE_CA_CERTIFICATE", str(authority))
    return Settings.from_environment(variables)


def tell_setup(url: str, link: str | None) -> None:
    """Say how the first owner comes in; nothing when there is one."""
    if link is not None:
        notice(
            "nobody owns this control plane yet; within a day, and once, this makes you its owner:"
        )
        notice(f"  {link}")
        notice(f"or, without a browser: tf login --url {url} --setup {link.rpartition('#')[2]}")
