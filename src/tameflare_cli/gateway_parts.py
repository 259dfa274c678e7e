"""Connectors and policies of a gateway at the control plane: the commands that both groups have."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.options import JsonOption
from tameflare_cli.remote import connect
from tameflare_cli.rendering import one_line, print_json, print_line

__all__ = ["add_part_commands"]

_Gateway = Annotated[str, typer.Argument(metavar="GATEWAY", help="The gateway's name or id.")]
_Name = Annotated[str, typer.Argument(metavar="NAME", help="What it is called there.")]
_File = Annotated[
    str,
    typer.Option("-f", "--file", metavar="FILE|-", help="YAML with its keys; `-` for stdin."),
]


def add_part_commands(app: typer.Typer, kind: str, what: str) -> None:
    """Give a group `of`, `add`, `set` and `remove`.

    Args:
        app: the group.
        kind: of the part, as the API calls it: `connectors` or `policies`.
        what: the word for one of them.
    """

    def of(gateway: _Gateway, as_json: JsonOption = False) -> None:
        items = connect().get(f"/api/v1/gateways/{gateway}/{kind}")["items"]
        if as_json:
            print_json(items)
            return
        for item in items:
            print_line(one_line(str(item.get("id") or item.get("name") or item.get("type"))))

    def add(gateway: _Gateway, name: _Name, file: _File = "-") -> None:
        _put(kind, gateway, name, file, there=False, what=what)

    def change(gateway: _Gateway, name: _Name, file: _File = "-") -> None:
        _put(kind, gateway, name, file, there=True, what=what)

    def remove(gateway: _Gateway, name: _Name) -> None:
        remote = connect()
        version, _ = remote.get_version(f"/api/v1/gateways/{gateway}/{kind}")
        remote.write("DELETE", f"/api/v1/gateways/{gateway}/{kind}/{name}", version=version)
        print_line(f"removed {what} {one_line(name)} from {one_line(gateway)}")

    where = "of a gateway at the control plane"
    app.command("of", help=f"List the {kind} {where}.")(of)
    app.command("add", help=f"Add a {what} to a gateway at the control plane.")(add)
    app.command("set", help=f"Replace a {what} {where}.")(change)
    app.command("remove", help=f"Remove a {what} from a gateway at the control plane.")(remove)


def _put(kind: str, gateway: str, name: str, file: str, *, there: bool, what: str) -> None:
    value = _read(file)
    remote = connect()
    version, answer = remote.get_version(f"/api/v1/gateways/{gateway}/{kind}")
    names = {item.get("id") or item.get("name") or item.get("type") for item in answer["items"]}
    if (name in names) is not there:
        known = "there is no" if there else "there is already a"
        raise CommandFailed(
            ExitCode.REFUSED, f"{known} {what} `{one_line(name)}` in {one_line(gateway)}"
        )
    path = f"/api/v1/gateways/{gateway}/{kind}/{name}"
    remote.write("PUT", path, {"value": value}, version=version)
    print_line(f"{'changed' if there else 'added'} {what} {one_line(name)} of {one_line(gateway)}")


def _read(file: str) -> dict[str, Any]:
    import yaml

    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
        value = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        value = None
    if not isinstance(value, dict):
        raise CommandFailed(ExitCode.BAD_CONFIG, f"{one_line(file)}: this is no mapping in YAML")
    return value
