"""`tf gateway`: a gateway that runs until it is stopped."""

from __future__ import annotations

import os
import shlex
import signal
from importlib.util import find_spec
from pathlib import Path

import typer

from tameflare_cli.context import find_config
from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.foreground import Foreground
from tameflare_cli.options import DEFAULT_LISTEN, ConfigOption, ListenOption
from tameflare_cli.rendering import print_line

app = typer.Typer(add_completion=False)


@app.command()
def gateway(config: ConfigOption = None, listen: ListenOption = DEFAULT_LISTEN) -> None:
    """Run a gateway until it is interrupted.

    Its token is read from TAMEFLARE_GATEWAY_TOKEN, or made anew and shown once. What needs an
    approval is asked on the terminal, if there is one.

    For example:

      tf gateway --config prod.yaml --listen 127.0.0.1:9000
    """
    import anyio

    host, port = host_and_port(listen)
    path = find_config(config)
    anyio.run(
        _serve, path, host, port, backend_options={"use_uvloop": find_spec("uvloop") is not None}
    )


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
