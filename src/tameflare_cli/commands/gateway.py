"""`tf gateway`: a gateway that runs until it is stopped."""

from __future__ import annotations

import os
import shlex
import signal
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from tameflare_cli.context import find_config
from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.foreground import Foreground
from tameflare_cli.options import (
    DEFAULT_LISTEN,
    ConfigOption,
    ListenOption,
    LocalCredentialsOption,
)
from tameflare_cli.rendering import print_line

app = typer.Typer(add_completion=False)


@app.command()
def gateway(
    config: ConfigOption = None,
    listen: ListenOption = DEFAULT_LISTEN,
    control_plane: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Serve every gateway of this control plane, instead of a file's."
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Where to tell /metrics, /healthz and /readyz."),
    ] = None,
    local_credentials: LocalCredentialsOption = False,
) -> None:
    """Run a gateway until it is interrupted.

    Of a file: its token is read from TAMEFLARE_GATEWAY_TOKEN, or made anew and shown once; what
    needs an approval is asked on the terminal, if there is one.

    Of a control plane: any number of gateways, each known by its token from the first time that it
    is presented. While the control plane cannot be reached, the last configuration stands.

    For example:

      tf gateway --config prod.yaml --listen 127.0.0.1:9000

      tf gateway --control-plane https://tameflare.example.com --metrics 127.0.0.1:9100
    """
    import anyio

    host, port = host_and_port(listen)
    uvloop = {"use_uvloop": find_spec("uvloop") is not None}
    if control_plane is not None:
        if config is not None:
            raise CommandFailed(
                ExitCode.USAGE, "`--config` and `--control-plane` name different gateways"
            )
        told = None if metrics is None else host_and_port(metrics)
        anyio.run(
            _follow, control_plane, host, port, told, local_credentials, backend_options=uvloop
        )
        return
    path = find_config(config)
    anyio.run(_serve, path, host, port, backend_options=uvloop)


async def _follow(
    url: str, host: str, port: int, metrics: tuple[str, int] | None, local_credentials: bool
) -> None:
    import anyio

    from tameflare_cli.stack import serving_fleet

    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with serving_fleet(
            url, host, port, metrics=metrics, local_credentials=local_credentials
        ) as fleet:
            print_line(f"control plane  {url}")
            print_line(f"proxy          http://{fleet.host}:{fleet.port}")
            if fleet.metrics_port is not None and metrics is not None:
                print_line(f"metrics        http://{metrics[0]}:{fleet.metrics_port}/metrics")
            print_line(f"CA file        {fleet.certificate}", flush=True)
            async for _ in signals:
                return


async def _serve(config: Path, host: str, port: int) -> None:
    import anyio

    from tameflare_cli.hosting import hosted
    from tameflare_cli.terminal import approver_on
    from tameflare_core.tokens import is_well_formed, new_gateway_token

    given = os.environ.get("TAMEFLARE_GATEWAY_TOKEN")
    if given and not is_well_formed(given):
        raise CommandFailed(
            ExitCode.BAD_CONFIG,
            "TAMEFLARE_GATEWAY_TOKEN is no gateway token",
            "unset it to have one made; a token of one's own could be guessed",
        )
    token = given or new_gateway_token()
    approver = approver_on(Foreground.open())
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with hosted(config, token=token, approver=approver, host=host, port=port) as running:
            address = running.address
            # A token that was given is not repeated.
            proxy = f"http://{address.host}:{address.port}" if given else address.url
            print_line(f"gateway  {running.gateway.name}")
            print_line(f"proxy    http://{address.host}:{address.port}")
            print_line(f"CA file  {running.certificate}")
            print_line(
                f"run with tf run --proxy {proxy} --ca {shlex.quote(str(running.certificate))}"
                " -- COMMAND",
                flush=True,
            )
            async for _ in signals:
                return


def host_and_port(listen: str) -> tuple[str, int]:
    """Split the value of `--listen`.

    Raises:
        CommandFailed: it is no host and port.
    """
    host, _, port = listen.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal() and int(port) <= 65535):
        raise CommandFailed(ExitCode.USAGE, f"`{listen}` is not an address like {DEFAULT_LISTEN}")
    return host.removeprefix("[").removesuffix("]"), int(port)
