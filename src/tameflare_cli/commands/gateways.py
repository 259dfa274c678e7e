"""`tf gateways`: the gateways of the control plane."""

from __future__ import annotations

from typing import Annotated

import typer

from tameflare_cli.options import JsonOption
from tameflare_cli.remote import connect
from tameflare_cli.rendering import notice, one_line, print_json, print_line, print_table

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="The gateways of the control plane."
)

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The gateway's name or id.")]


@app.command("list")
def list_gateways(as_json: JsonOption = False) -> None:
    """List the gateways, and whether a proxy serves them."""
    items = connect().get("/api/v1/gateways")
    if as_json:
        print_json(items)
    elif items:
        print_table(
            ("gateway", "environment", "enforcement", "online", "connectors"),
            [
                (
                    item["name"],
                    item["environment"] or "-",
                    item["enforcement"],
                    "yes" if item["online"] else "no",
                    ", ".join(item["connectors"]) or "-",
                )
                for item in items
            ],
        )
    else:
        notice("there is none: `tf apply -f tameflare.yaml` makes one")


@app.command()
def show(name: _Name, as_json: JsonOption = False) -> None:
    """Show a gateway, its document and its tokens."""
    gateway = connect().get(f"/api/v1/gateways/{name}")
    if as_json:
        print_json(gateway)
        return
    print_line(f"{one_line(gateway['name'])}  {gateway['id']}")
    for token in gateway["tokens"]:
        until = f"until {token['expires']}" if token["expires"] else "in use"
        print_line(f"token  {token['id']}  {until}")
    for line in gateway["document"].splitlines():
        print_line(f"  {one_line(line)}")


@app.command()
def rotate(
    name: _Name,
    overlap: Annotated[
        int, typer.Option(metavar="SECONDS", help="How long the former tokens go on being good.")
    ] = 3600,
) -> None:
    """Make a new token for a gateway. It is shown this once."""
    made = connect().write("POST", f"/api/v1/gateways/{name}/tokens", {"overlap": overlap})
    print_line(made["token"])


@app.command()
def revoke(
    name: _Name, token: Annotated[str, typer.Argument(metavar="TOKEN_ID", help="gwt_…")]
) -> None:
    """Make a token of a gateway void at once."""
    connect().write("DELETE", f"/api/v1/gateways/{name}/tokens/{token}")
    print_line(f"revoked {one_line(token)}: its connections end")


@app.command()
def remove(name: _Name) -> None:
    """Remove a gateway: its tokens are void at once, and its connections end."""
    connect().write("DELETE", f"/api/v1/gateways/{name}", version="*")
    print_line(f"removed {one_line(name)}")
