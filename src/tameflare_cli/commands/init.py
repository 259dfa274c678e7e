"""`tf init`: a configuration to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tameflare_cli.context import CONFIG_NAME
from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.options import DEFAULT_LISTEN
from tameflare_cli.rendering import one_line, print_line, print_table
from tameflare_core import templates

app = typer.Typer(add_completion=False)

_IGNORED = ".tf/"


@app.command()
def init(
    template: Annotated[
        str, typer.Option(metavar="NAME", help="Which one; `--list` shows them.")
    ] = templates.DEFAULT,
    gateway: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Choose a gateway of the control plane instead."),
    ] = None,
    proxy: Annotated[
        str, typer.Option(metavar="URL", help="With --gateway: a proxy that serves it.")
    ] = f"http://{DEFAULT_LISTEN}",
    show: Annotated[
        bool, typer.Option("--list", help="List the templates, and the gateways to choose from.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a commented tameflare.yaml into this folder, and keep the vault out of git.

    With --gateway: get a token for a gateway of the control plane that `tf login` knows, and write
    .tf/config.yaml, so that `tf run` runs programs of this folder behind it.

    For example:

      tf init

      tf init --template prod-agent

      tf init --gateway prod-agent
    """
    if show:
        _list()
        return
    if gateway is not None:
        _choose(gateway, proxy)
        return
    if template not in templates.names():
        raise CommandFailed(
            ExitCode.USAGE,
            f"no template `{template}`",
            f"there are: {', '.join(templates.names())}",
        )
    _write(Path(CONFIG_NAME), templates.text(template), force=force)
    print_line(f"wrote {CONFIG_NAME} ({template})")
    if _ignore_vault(Path.cwd()):
        print_line(f"added {_IGNORED} to .gitignore")
    print_line("next: `tf doctor` checks it, `tf run -- COMMAND` runs an agent behind it")


def _list() -> None:
    from tameflare_cli.remote import connect

    print_table(
        ("template", "what for"),
        [(name, templates.summary(name)) for name in templates.names()],
    )
    try:
        remote = connect()
    except CommandFailed:
        return  # nobody is logged in: there is nothing else to choose from
    gateways = remote.get("/api/v1/gateways")
    if gateways:
        print_line("")
        print_table(
            ("gateway", "environment"),
            [(each["name"], each["environment"] or "-") for each in gateways],
        )


def _choose(name: str, proxy: str) -> None:
    from tameflare_cli.hosting import AUTHORITY_FOLDER
    from tameflare_cli.project import PROJECT_FILE, Project
    from tameflare_cli.remote import connect
    from tameflare_core.folders import data_folder

    remote = connect()
    made = remote.write("POST", f"/api/v1/gateways/{name}/tokens", {"overlap": None})
    known = remote.get(f"/api/v1/gateways/{name}")
    Project(
        gateway=known["name"],
        control_plane=remote.url,
        proxy=proxy,
        ca=str(data_folder() / AUTHORITY_FOLDER / "ca.pem"),
    ).save(made["token"])
    print_line(f"wrote {PROJECT_FILE}: gateway {one_line(known['name'])} at {remote.url}")
    if _ignore_vault(Path.cwd()):
        print_line(f"added {_IGNORED} to .gitignore")
    print_line("next: `tf run -- COMMAND` runs an agent behind it")


def _write(path: Path, text: str, *, force: bool) -> None:
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise CommandFailed(
            ExitCode.REFUSED, f"`{path}` is there already", "`--force` replaces it"
        ) from None
    except OSError as error:
        message = f"`{path}` cannot be written: {error.strerror}"
        raise CommandFailed(ExitCode.REFUSED, message) from None


def _ignore_vault(folder: Path) -> bool:
    path = folder / ".gitignore"
    if not path.exists() and not any((up / ".git").exists() for up in (folder, *folder.parents)):
        return False
    text = path.read_text("utf-8") if path.exists() else ""
    if {_IGNORED, f"/{_IGNORED}", ".tf", "/.tf"} & {line.strip() for line in text.splitlines()}:
        return False
    separator = "" if not text or text.endswith("\n") else "\n"
    path.write_text(f"{text}{separator}{_IGNORED}\n", "utf-8")
    return True
