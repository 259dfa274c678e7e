"""`tf connectors`: what a gateway reaches, and how a provider's operations are called."""

from __future__ import annotations

from typing import Annotated

import typer

from tameflare_cli.context import load_gateway
from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.options import ConfigOption, JsonOption
from tameflare_cli.rendering import notice, print_json, print_table

app = typer.Typer(add_completion=False, invoke_without_command=True)


@app.callback()
def connectors(
    context: typer.Context, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """List the connectors of a gateway, or the actions of a connector type.

    For example:

      tf connectors

      tf connectors actions github --search merge
    """
    if context.invoked_subcommand is not None:
        return
    rows = [
        {
            "id": bound.id,
            "type": bound.connector.type,
            "origins": [str(origin) for origin in bound.origins],
            # The reference says where it is kept; it is no secret.
            "credential": None if bound.credential is None else str(bound.credential),
        }
        for bound in load_gateway(config).connectors
    ]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("id", "type", "origins", "credential"),
        [
            (
                str(row["id"]),
                str(row["type"]),
                " ".join(row["origins"] or ()),
                str(row["credential"] or "-"),
            )
            for row in rows
        ],
    )


@app.command()
def actions(
    type_name: Annotated[str, typer.Argument(metavar="TYPE", help="For example github.")],
    search: Annotated[
        str, typer.Option(metavar="TEXT", help="Only those with TEXT in name, path or category.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """List the actions that a connector type tells apart.

    For example:

      tf connectors actions github --search merge
    """
    from tameflare_core.plugins import load_plugins

    types = load_plugins().connectors
    if type_name not in types:
        raise CommandFailed(
            ExitCode.USAGE,
            f"no connector type `{type_name}`",
            f"there are: {', '.join(sorted(types))}",
        )
    catalogue = types[type_name].catalogue()
    rows = [
        {
            "name": route.action,
            "access": route.access.value,
            "risk": route.risk.value,
            "categories": sorted(category.value for category in route.categories),
            "method": route.method,
            "path": route.path,
        }
        for route in sorted(catalogue, key=lambda route: (route.action, route.path, route.method))
    ]
    found = [row for row in rows if search.lower() in str(row.values()).lower()]
    if as_json:
        print_json(found)
    elif not catalogue:
        notice(f"`{type_name}` has no catalogue: it names actions by method, or as configured")
    else:
        print_table(
            ("name", "access", "risk", "categories", "request"),
            [
                (
                    str(row["name"]),
                    str(row["access"]),
                    str(row["risk"]),
                    ",".join(row["categories"]) or "-",
                    f"{row['method']} {row['path']}",
                )
                for row in found
            ],
        )
