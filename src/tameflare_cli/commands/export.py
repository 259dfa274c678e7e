"""`tf export`: a gateway of the control plane as a file."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tameflare_cli.remote import connect

app = typer.Typer(add_completion=False)


@app.command()
def export(
    gateway: Annotated[str, typer.Argument(metavar="NAME", help="The gateway's name or id.")],
) -> None:
    """Print a gateway's tameflare.yaml, as it was last written.

    For example:

      tf export prod-agent > tameflare.yaml
    """
    sys.stdout.write(connect().read(f"/api/v1/gateways/{gateway}/tameflare.yaml"))
