"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tameflare_cli.context import CONFIG_NAME

__all__ = [
    "DEFAULT_LISTEN",
    "ConfigOption",
    "JsonOption",
    "ListenOption",
    "LocalCredentialsOption",
    "RemoteOption",
]

DEFAULT_LISTEN = "127.0.0.1:8899"
"""Where `tf gateway` listens unless it is told otherwise."""

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help=f"The gateway's configuration; {CONFIG_NAME} in this folder unless given.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ListenOption = Annotated[
    str, typer.Option(metavar="HOST:PORT", help="Where to listen; port 0 takes a free one.")
]
LocalCredentialsOption = Annotated[
    bool,
    typer.Option(
        "--local-credentials",
        help="Let gateways of the control plane name credentials of this machine (env:, file:):"
        " whoever may edit them can read those then.",
    ),
]
RemoteOption = Annotated[
    bool,
    typer.Option("--control-plane", help="At the control plane that `tf login` knows."),
]
