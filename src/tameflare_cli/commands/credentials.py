"""`tf credentials`: the vault beside a configuration, or that of the control plane."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tameflare_cli.context import find_config
from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.options import ConfigOption, JsonOption, RemoteOption
from tameflare_cli.remote import connect
from tameflare_cli.rendering import notice, print_json, print_line, print_table

if TYPE_CHECKING:
    from tameflare_core.vault.store import VaultFile

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Keep credentials, encrypted, in the vault beside the configuration (.tf/vault.json) or in"
    " that of the control plane.",
)

_Name = Annotated[
    str, typer.Argument(metavar="NAME", help="What `credential: vault:NAME` calls it.")
]


@app.command()
def add(name: _Name, config: ConfigOption = None, control_plane: RemoteOption = False) -> None:
    """Put a credential into the vault, in the place of an earlier one.

    It is asked without echo, or read from standard input; never from an argument, which other users
    of the machine could see.

    For example:

      tf credentials add github

      pass show github | tf credentials add github
    """
    from tameflare_core.vault.secret import Secret

    if control_plane:
        connect().write("PUT", f"/api/v1/credentials/{name}", {"value": _read_secret(name)})
    else:
        vault = _vault(config)
        vault.put(name, Secret(_read_secret(name)))
    print_line(f"kept `{name}`: use it as `credential: vault:{name}`")


@app.command("list")
def list_credentials(
    config: ConfigOption = None, control_plane: RemoteOption = False, as_json: JsonOption = False
) -> None:
    """List the names and versions of the credentials, never a secret."""
    if control_plane:
        items = connect().get("/api/v1/credentials")
        versions = {str(item["name"]): int(item["version"]) for item in items}
    else:
        versions = _vault(config).versions()
    if as_json:
        print_json([{"name": name, "version": version} for name, version in versions.items()])
    elif versions:
        print_table(
            ("name", "version"), [(name, str(version)) for name, version in versions.items()]
        )
    else:
        notice("the vault is empty: `tf credentials add NAME` puts something in")


@app.command()
def remove(name: _Name, config: ConfigOption = None, control_plane: RemoteOption = False) -> None:
    """Remove a credential from the vault."""
    if control_plane:
        connect().write("DELETE", f"/api/v1/credentials/{name}")
    else:
        _vault(config).remove(name)
    print_line(f"removed `{name}`")


def _vault(config: Path | None) -> VaultFile:
    from tameflare_core.vault.keyring import load_key
    from tameflare_core.vault.store import VAULT_FILE, VaultFile

    return VaultFile(find_config(config).resolve().parent / VAULT_FILE, load_key())


def _read_secret(name: str) -> str:
    if sys.stdin.isatty():
        secret: str = typer.prompt(f"Secret for {name}", hide_input=True, err=True)
    else:
        try:
            secret = sys.stdin.buffer.read().decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            secret = ""
    if not secret or not secret.isprintable():
        raise CommandFailed(
            ExitCode.USAGE,
            "no secret was given: it is one line of text",
            f"type it when asked, or pipe it: printf %s KEY | tf credentials add {name}",
        )
    return secret
