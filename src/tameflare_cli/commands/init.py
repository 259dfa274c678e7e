"""`tf init`: a configuration to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tameflare_cli import templates
from tameflare_cli.context import CONFIG_NAME
from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.rendering import print_line, print_table

app = typer.Typer(add_completion=False)

_IGNORED = ".tf/"


@app.command()
def init(
    template: Annotated[
        str, typer.Option(metavar="NAME", help="Which one; `--list` shows them.")
    ] = templates.DEFAULT,
    show: Annotated[bool, typer.Option("--list", help="List the templates.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a commented tameflare.yaml into this folder, and keep the vault out of git.

    For example:

      tf init

      tf init --template prod-agent
    """
    if show:
        print_table(
            ("template", "what for"),
            [(name, templates.summary(name)) for name in templates.names()],
        )
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
