"""`tf permissions`: what a gateway of the control plane may do."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.options import JsonOption
from tameflare_cli.remote import connect
from tameflare_cli.rendering import fields, notice, one_line, print_json, print_line, print_table

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="The permissions of a gateway of the control plane.",
)

_Gateway = Annotated[str, typer.Argument(metavar="GATEWAY", help="The gateway's name or id.")]
_Index = Annotated[int, typer.Argument(metavar="INDEX", help="As `tf permissions list` shows it.")]
_Connector = Annotated[
    str | None, typer.Option(metavar="ID", help="The connector that it is about.")
]
_Action = Annotated[str | None, typer.Option(metavar="PATTERN", help="Like github.pr.*")]
_Decision = Annotated[
    str | None, typer.Option(metavar="DECISION", help="allow, deny or require_approval.")
]
_Access = Annotated[str | None, typer.Option(metavar="ACCESS", help="read or write.")]
_Risk = Annotated[str | None, typer.Option(metavar="RISK", help="low, medium, high or critical.")]
_Category = Annotated[str | None, typer.Option(metavar="NAME", help="Like destructive.")]
_Resource = Annotated[
    list[str] | None, typer.Option(metavar="KEY=PATTERN", help="Like repo=site; may be repeated.")
]


@app.command("list")
def list_permissions(gateway: _Gateway, as_json: JsonOption = False) -> None:
    """List the permissions of a gateway; the most specific one decides, whatever the order.

    For example:

      tf permissions list prod-agent
    """
    items = connect().get(_path(gateway))["items"]
    if as_json:
        print_json(items)
    elif items:
        print_table(
            ("index", "connector", "action", "decision", "only"),
            [
                (
                    str(index),
                    item["connector"],
                    item["action"],
                    item["decision"],
                    _constraints(item),
                )
                for index, item in enumerate(items)
            ],
        )
    else:
        notice("there is none: everything is denied")


@app.command()
def add(
    gateway: _Gateway,
    connector: _Connector = None,
    action: _Action = None,
    decision: _Decision = None,
    access: _Access = None,
    risk: _Risk = None,
    category: _Category = None,
    resource: _Resource = None,
) -> None:
    """Add a permission.

    For example:

      tf permissions add prod-agent --connector github --action 'github.pr.*' --decision allow
    """
    rule = _rule(connector, action, decision, access, risk, category, resource)
    if not {"connector", "action", "decision"} <= set(rule):
        raise CommandFailed(
            ExitCode.USAGE, "a permission has `--connector`, `--action` and `--decision`"
        )
    remote = connect()
    version, _ = remote.get_version(_path(gateway))
    items = remote.write("POST", _path(gateway), {"value": rule}, version=version)["items"]
    print_line(f"added permissions[{len(items) - 1}] of {one_line(gateway)}")


@app.command("set")
def set_permission(
    gateway: _Gateway,
    index: _Index,
    connector: _Connector = None,
    action: _Action = None,
    decision: _Decision = None,
    access: _Access = None,
    risk: _Risk = None,
    category: _Category = None,
    resource: _Resource = None,
) -> None:
    """Change a permission; what is not named stays.

    For example:

      tf permissions set prod-agent 2 --decision deny
    """
    change = _rule(connector, action, decision, access, risk, category, resource)
    remote = connect()
    version, answer = remote.get_version(_path(gateway))
    if index not in range(len(answer["items"])):
        raise CommandFailed(ExitCode.REFUSED, f"there is no permission {index}")
    rule = {**answer["items"][index], **change}
    remote.write("PUT", f"{_path(gateway)}/{index}", {"value": rule}, version=version)
    print_line(f"changed permissions[{index}] of {one_line(gateway)}")


@app.command()
def remove(gateway: _Gateway, index: _Index) -> None:
    """Remove a permission; those behind it move up."""
    remote = connect()
    version, _ = remote.get_version(_path(gateway))
    remote.write("DELETE", f"{_path(gateway)}/{index}", version=version)
    print_line(f"removed permissions[{index}] of {one_line(gateway)}")


def _path(gateway: str) -> str:
    return f"/api/v1/gateways/{gateway}/permissions"


def _rule(
    connector: str | None,
    action: str | None,
    decision: str | None,
    access: str | None,
    risk: str | None,
    category: str | None,
    resource: list[str] | None,
) -> dict[str, Any]:
    given: dict[str, Any] = {
        "connector": connector,
        "action": action,
        "decision": decision,
        "access": access,
        "risk": risk,
        "category": category,
        "resource": None if resource is None else dict(map(_pair, resource)),
    }
    return {key: value for key, value in given.items() if value is not None}


def _pair(text: str) -> tuple[str, str]:
    key, equals, pattern = text.partition("=")
    if not (key and equals):
        raise CommandFailed(ExitCode.USAGE, f"`{one_line(text)}` is not like repo=site")
    return key, pattern


def _constraints(item: dict[str, Any]) -> str:
    simple = [(key, item[key]) for key in ("access", "risk", "category") if item.get(key)]
    return fields([*simple, *item.get("resource", {}).items()])
