"""`tf up`: the control plane and a gateway for it, on this machine."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from tameflare_cli.commands.dashboard import DEFAULT_LISTEN as DASHBOARD
from tameflare_cli.commands.dashboard import plane_settings, tell_setup
from tameflare_cli.commands.gateway import host_and_port
from tameflare_cli.options import DEFAULT_LISTEN, ListenOption, LocalCredentialsOption
from tameflare_cli.rendering import print_line

app = typer.Typer(add_completion=False)


@app.command()
def up(
    listen: ListenOption = DEFAULT_LISTEN,
    dashboard: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where the control plane listens.")
    ] = DASHBOARD,
    local_credentials: LocalCredentialsOption = False,
) -> None:
    """Run the control plane and a gateway that follows it, until it is interrupted.

    The database is a file in the user's data folder, unless TAMEFLARE_DATABASE_URL names another.

    For example:

      tf up
    """
    import anyio

    anyio.run(_serve, host_and_port(listen), host_and_port(dashboard), local_credentials)


async def _serve(
    proxy: tuple[str, int], dashboard: tuple[str, int], local_credentials: bool
) -> None:
    import anyio

    from tameflare_cli.hosting import AUTHORITY_FOLDER
    from tameflare_cli.stack import serving_fleet, serving_plane
    from tameflare_core.folders import data_folder
    from tameflare_proxy.authority import Authority

    Authority.load_or_create(data_folder() / AUTHORITY_FOLDER)
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with (
            serving_plane(plane_settings(*dashboard, None), *dashboard) as plane,
            serving_fleet(plane.url, *proxy, local_credentials=local_credentials) as fleet,
        ):
            print_line(f"control plane  {plane.url}")
            print_line(f"proxy          http://{fleet.host}:{fleet.port}")
            print_line(f"CA file        {fleet.certificate}", flush=True)
            tell_setup(plane.url, plane.setup_link)
            async for _ in signals:
                return
