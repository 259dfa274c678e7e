"""The subcommands of `tf`, each imported when it is used."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any

import typer
import typer.core
import typer.main

__all__ = ["app"]

# In the order of `tf --help`. A module is imported when its command is asked for, so that none pays
# for what it does not use.
_COMMANDS = (
    "init",
    "run",
    "mcp",
    "up",
    "dashboard",
    "gateway",
    "login",
    "status",
    "approvals",
    "gateways",
    "permissions",
    "apply",
    "export",
    "explain",
    "policies",
    "replay",
    "learn",
    "logs",
    "kill",
    "unkill",
    "credentials",
    "users",
    "audit",
    "connectors",
    "doctor",
    "demo",
)

_EXAMPLES = """The egress firewall for AI agents.

Examples:

  tf init                                   write a tameflare.yaml to start from

  tf run -- python agent.py                 run an agent behind its gateway

  tf explain 'DELETE https://api.github.com/repos/o/r'

  tf logs -f                                watch what agents do
"""


class _LazyGroup(typer.core.TyperGroup):
    """The top-level commands, imported one by one."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        # Only the names are read here: for the suggestion after a mistyped one.
        self.commands: dict[str, Any] = dict.fromkeys(self.list_commands(None))

    def list_commands(self, ctx: object) -> list[str]:
        return [name for name in _COMMANDS if find_spec(_module(name)) is not None]

    def get_command(self, ctx: object, cmd_name: str) -> Any:
        if cmd_name not in self.commands:
            return None
        command = typer.main.get_command(import_module(_module(cmd_name)).app)
        command.name = cmd_name
        return command


def _module(command: str) -> str:
    return f"tameflare_cli.commands.{command}"


app = typer.Typer(
    cls=_LazyGroup,
    help=_EXAMPLES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"tf {version('tameflare-cli')}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass
