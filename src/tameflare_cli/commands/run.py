"""`tf run` in the list of commands; what it does is in `running`."""

from __future__ import annotations

import typer

from tameflare_cli.running import main

app = typer.Typer(add_completion=False)


@app.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
def run(context: typer.Context) -> None:
    """Run a program whose requests all pass a gateway, and which never sees a real key."""
    raise typer.Exit(main(context.args))
