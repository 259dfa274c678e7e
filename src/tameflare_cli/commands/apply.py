"""`tf apply`: make the gateway of the control plane what a file says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tameflare_cli.context import find_config
from tameflare_cli.remote import connect
from tameflare_cli.rendering import notice, one_line, print_line

app = typer.Typer(add_completion=False)


@app.command()
def apply(
    file: Annotated[
        Path | None,
        typer.Option("-f", "--file", metavar="FILE", help="tameflare.yaml unless given."),
    ] = None,
) -> None:
    """Make a gateway of the control plane what a file says: a new one, or a change.

    The token of a new gateway is shown once. `tf export` gives the file back as it is.

    For example:

      tf apply -f prod.yaml
    """
    from tameflare_core.config.document import GatewayConfig

    path = find_config(file)
    text = path.read_text("utf-8")
    name = GatewayConfig.from_text(text, name=str(path), folder=path.resolve().parent).gateway
    status, gateway = connect().put_text(f"/api/v1/gateways/{name}/tameflare.yaml", text)
    if status == 201:
        print_line(f"made {one_line(name)}")
        print_line(f"token {gateway['token']}")
        notice("the token is shown this once: `tf init --gateway` makes another one")
    else:
        print_line(f"{one_line(name)} is what {path} says")
