"""`tf mcp`: an MCP server over stdio, behind its gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tameflare_cli.context import load_gateway
from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.options import ConfigOption

if TYPE_CHECKING:
    from tameflare_core.gateway import Gateway

app = typer.Typer(add_completion=False)


@app.command(context_settings={"allow_interspersed_args": False})
def mcp(
    command: Annotated[
        list[str], typer.Argument(metavar="COMMAND...", help="The server, and its arguments.")
    ],
    config: ConfigOption = None,
    connector: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Which connector of the gateway the server is."),
    ] = None,
) -> None:
    """Run an MCP server that talks over stdio, and judge what its client sends it.

    The server is a connector with `type: mcp` and `stdio: true`. A refused call is answered with a
    JSON-RPC error. What needs an approval is asked on the terminal, if there is one. The exit
    status is the server's own.

    For example:

      tf mcp -- npx -y some-mcp-server

      tf mcp --config agents.yaml --connector files -- python server.py
    """
    import anyio

    from tameflare_cli.mcp_server import serve

    gateway = load_gateway(config)
    raise typer.Exit(anyio.run(serve, gateway, _stdio_url(gateway, connector), command))


def _stdio_url(gateway: Gateway, wanted: str | None) -> str:
    """What stands for the address of the server that `wanted` names, or of the only one."""
    from tameflare_core.builtin.mcp import Mcp

    found = {
        bound.id: (bound, bound.connector.stdio_url)
        for bound in gateway.connectors
        if isinstance(bound.connector, Mcp) and bound.connector.stdio_url is not None
    }
    known = ", ".join(f"`{name}`" for name in found) or "none"
    if wanted is None and len(found) != 1:
        raise CommandFailed(
            ExitCode.USAGE,
            f"which server this is cannot be told: connectors for stdio are {known}",
            "name one with `--connector ID`, or add one to the configuration:"
            " {type: mcp, stdio: true}",
        )
    name = next(iter(found)) if wanted is None else wanted
    if name not in found:
        raise CommandFailed(
            ExitCode.USAGE,
            f"`{name}` is no connector with `type: mcp` and `stdio: true`; there are: {known}",
        )
    bound, url = found[name]
    if bound.credential is not None:
        raise CommandFailed(
            ExitCode.BAD_CONFIG,
            f"the connector `{name}` has a credential, and nothing to put it into",
            "take it out; a server over stdio reads its own, from its environment",
        )
    return url
