"""`tf connectors`: what a gateway reaches, which connector types there are, and what they name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tameflare_cli.context import CONFIG_NAME, find_config, load_gateway
from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.gateway_parts import add_part_commands
from tameflare_cli.options import ConfigOption, JsonOption
from tameflare_cli.rendering import notice, print_json, print_line, print_row, print_table

if TYPE_CHECKING:
    from tameflare_core.connectors.base import Connector
    from tameflare_core.connectors.matching import Origin
    from tameflare_core.gateway import BoundConnector
    from tameflare_core.injection.placement import Placement

_LINE = 80

app = typer.Typer(add_completion=False, invoke_without_command=True)
add_part_commands(app, "connectors", "connector")

_Name = Annotated[
    str,
    typer.Argument(metavar="TYPE|ID", help="A connector of the gateway, or a type like github."),
]


@app.callback()
def connectors(
    context: typer.Context, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """List the connectors of a gateway; the subcommands tell more.

    For example:

      tf connectors

      tf connectors list

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
    _print(rows, as_json=as_json)


@app.command("list")
def list_types(as_json: JsonOption = False) -> None:
    """List the connector types that are installed, whether or not a gateway uses them."""
    from tameflare_core.plugins import load_plugins

    types = load_plugins().connectors
    columns = ("type", "provider", "hosts", "operations", "actions")
    facts = [_facts(types[name], _unbound(types[name])) for name in sorted(types)]
    _print([{key: row[key] for key in columns} for row in facts], as_json=as_json)


@app.command()
def show(name: _Name, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show what a connector of the gateway, or a connector type, reaches and tells apart.

    For example:

      tf connectors show github
    """
    about = _found(name, config)
    if isinstance(about, type):
        facts = _facts(about, _unbound(about))
    else:
        facts = _facts(type(about.connector), about.connector) | {
            "id": about.id,
            "credential": None if about.credential is None else str(about.credential),
        }
        if about.connector.takes_credential:
            facts["placement"] = _described(about.placement)
    if as_json:
        print_json(facts)
        return
    width = max(map(len, facts))
    for key, value in facts.items():
        for index, line in enumerate(wrap(_cell(value), _LINE)):
            print_row(("" if index else key, line), (width, 0))


@app.command()
def actions(
    name: _Name,
    search: Annotated[
        str, typer.Option(metavar="TEXT", help="Only those with TEXT in name, path or category.")
    ] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the actions that a connector of the gateway, or a connector type, tells apart.

    For example:

      tf connectors actions github --search merge
    """
    about = _found(name, config)
    catalogue = about.catalogue() if isinstance(about, type) else about.connector.operations
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
        notice(f"`{name}` has no catalogue: it names actions by method, or as configured")
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


@app.command("test")
def try_credential(
    name: Annotated[str, typer.Argument(metavar="ID", help="A connector of the gateway.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send one harmless request with a connector's credential, and say whether it is accepted.

    It is judged, credentialed and recorded like an agent's. The credential is never printed. The
    exit status is 0 when it works, 3 when the service cannot be reached, 4 when the service refuses
    it, 5 when it cannot be had, and 1 when the answer does not tell.

    For example:

      tf connectors test github
    """
    from tameflare_cli.probing import send_probe
    from tameflare_core.config.document import GatewayConfig
    from tameflare_core.folders import state_folder
    from tameflare_core.plugins import load_plugins
    from tameflare_core.traffic_log import TrafficLog

    plugins = load_plugins()
    gateway = GatewayConfig.from_file(find_config(config)).bind(plugins)
    probe = send_probe(
        gateway,
        name,
        sources=plugins.credential_sources,
        recorder=TrafficLog(state_folder() / "traffic.jsonl"),
    )
    outcome, code = {
        True: ("the credential works", ExitCode.OK),
        False: ("the credential was refused", ExitCode.REFUSED),
        None: ("the answer does not tell whether the credential works", ExitCode.FAILED),
    }[probe.works]
    if as_json:
        print_json(
            {
                "connector": probe.connector,
                "request": probe.request,
                "status": probe.status,
                "works": probe.works,
            }
        )
    else:
        print_line(f"{probe.connector}: {outcome}: {probe.request} was answered {probe.status}")
    raise typer.Exit(code)


def _found(name: str, config: Path | None) -> BoundConnector | type[Connector]:
    """The connector of the gateway that is called `name`, or else the type."""
    from tameflare_core.plugins import load_plugins

    bound = []
    if config is not None or Path(CONFIG_NAME).is_file():
        bound = list(load_gateway(config).connectors)
    types = load_plugins().connectors
    for one in bound:
        if one.id == name:
            return one
    if name in types:
        return types[name]
    known = sorted({*types, *(one.id for one in bound)})
    raise CommandFailed(
        ExitCode.USAGE, f"no connector or connector type `{name}`", f"there are: {', '.join(known)}"
    )


def _unbound(kind: type[Connector]) -> Connector | None:
    """A connector of a type as it is without settings; None when it needs some."""
    from tameflare_core.connectors.base import ConnectorSettings

    try:
        return kind(ConnectorSettings(id=kind.type))
    except ValueError:
        return None


def _facts(kind: type[Connector], connector: Connector | None) -> dict[str, Any]:
    routes = kind.catalogue() if connector is None else connector.operations
    names = {route.action for route in routes}
    origins: Sequence[Origin] = ()
    fields: frozenset[str] = frozenset()
    if connector is not None:
        origins = connector.origins
        names |= connector.known_actions or set()
        fields = connector.resource_fields or fields
    risks = Counter(route.risk.value for route in routes)
    categories = Counter(category.value for route in routes for category in route.categories)
    return {
        "type": kind.type,
        "provider": kind.provider,
        "hosts": [str(origin) for origin in origins],
        "placement": _described(kind.placement) if kind.takes_credential else None,
        "options": sorted(kind.options),
        "resource_fields": sorted(fields),
        "operations": len(routes),
        "actions": len(names),
        "risks": dict(sorted(risks.items())),
        "categories": dict(sorted(categories.items())),
        "probe": kind.probe,
    }


def _described(placement: Placement) -> str:
    from tameflare_core.injection.placement import Basic, Header, Query

    match placement:
        case Header(name, prefix):
            return f"{name}: {prefix}…"
        case Basic(username):
            return f"authorization: Basic {username or 'user'}:…"
        case Query(name):
            return f"?{name}=…"
    return type(placement).__name__


def _print(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(rows)
    elif rows:
        print_table(tuple(rows[0]), [[_cell(value) for value in row.values()] for row in rows])


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return _joined(f"{key} {count}" for key, count in value.items())
    if isinstance(value, list):
        return " ".join(value) or "-"
    return "-" if value is None else str(value)


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(parts) or "-"
