"""What `tf run` does: a gateway, an environment, and a program in it.

Its arguments are read by argparse and not, as those of the other commands, by typer, which brings
pydantic along: the two take longer to import than everything else that happens here.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tameflare_cli.child import Child, inherit_nothing
from tameflare_cli.context import CONFIG_NAME, find_config
from tameflare_cli.environment import ProxyAddress, child_environment
from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.foreground import Foreground
from tameflare_cli.project import PROJECT_FILE, Project
from tameflare_cli.rendering import notice
from tameflare_cli.trust import read_authority, write_trust
from tameflare_core.system_roots import system_roots

__all__ = ["main"]

_CONNECT_SECONDS = 3.0

_DESCRIPTION = """\
Run a program whose requests all pass a gateway, and which never sees a real key.

Without --gateway and --proxy a gateway is started for this run alone; what needs an approval is
asked here on the terminal. The exit status is the program's own.
"""

_EXAMPLES = """\
for example:
  tf run -- python agent.py
  tf run --config prod.yaml -- bash
  tf run --proxy http://127.0.0.1:8899 --ca ca.pem -- curl https://api.github.com/user
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Route:
    """The way to a gateway: its address, its authority, and the variables of its credentials."""

    address: ProxyAddress
    certificate: Path
    secrets: frozenset[str] = frozenset()


def main(arguments: Sequence[str]) -> int:
    """Run a program.

    Args:
        arguments: what stands behind `tf run`.

    Returns:
        The exit status of the program.

    Raises:
        CommandFailed: there is no such gateway or program.
        ConfigError: the configuration is wrong.
        SystemExit: the arguments are wrong, or ask for help.
    """
    parser = _parser()
    asked = parser.parse_args(arguments)
    command = asked.command[1:] if asked.command[:1] == ["--"] else asked.command
    if not command:
        parser.error("name the program to run, behind `--`")
    inherit_nothing()
    terminal = Foreground.open()
    with (
        _route(asked, terminal) as route,
        TemporaryDirectory(prefix="tf-") as folder,
    ):
        from tameflare_core.folders import state_folder

        trust = write_trust(
            Path(folder),
            read_authority(route.certificate),
            system_roots(),
            cache=state_folder() / "trust",
        )
        environment = child_environment(
            os.environ, proxy=route.address, trust=trust, secrets=route.secrets
        )
        if not asked.quiet:
            _say(environment.removed)
        return Child(command, environment.variables, terminal).wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tf run",
        usage="tf run [OPTIONS] -- COMMAND [ARGS]...",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        help=f"the gateway's configuration; {CONFIG_NAME} in this folder unless given",
    )
    parser.add_argument(
        "--gateway",
        metavar="NAME",
        help="a gateway of the control plane that `tf init --gateway` chose in this folder; that"
        f" of {PROJECT_FILE} unless given",
    )
    parser.add_argument(
        "--proxy",
        metavar="URL",
        help="a gateway that runs already: http://TOKEN:@HOST:PORT, or without the token, which is"
        " then read from TAMEFLARE_GATEWAY_TOKEN",
    )
    parser.add_argument(
        "--ca",
        metavar="FILE",
        type=Path,
        help="the certificate of that gateway's authority, PEM",
    )
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="say nothing that the program does not say"
    )
    parser.add_argument(
        "command",
        metavar="-- COMMAND",
        nargs=argparse.REMAINDER,
        help="the program to run, and its arguments",
    )
    return parser


def _say(removed: tuple[str, ...]) -> None:
    if removed:
        notice(f"kept from the program: {', '.join(removed)}")
    notice("no sandbox: a program that ignores the proxy variables is not held back")


@contextmanager
def _route(asked: argparse.Namespace, terminal: Foreground | None) -> Iterator[_Route]:
    named = [name for name in ("config", "gateway", "proxy") if getattr(asked, name) is not None]
    if len(named) > 1:
        options = " and ".join(f"`--{name}`" for name in named)
        raise CommandFailed(ExitCode.USAGE, f"{options} name two gateways")
    if asked.proxy is not None:
        yield _elsewhere(asked.proxy, asked.ca)
        return
    if asked.ca is not None:
        raise CommandFailed(ExitCode.USAGE, "`--ca` goes with `--proxy`")
    if asked.gateway is not None or (asked.config is None and PROJECT_FILE.exists()):
        yield _chosen(asked.gateway)
        return
    path = find_config(asked.config)
    from tameflare_cli.hosting import env_credentials, hosted_beside
    from tameflare_cli.terminal import approver_on
    from tameflare_core.tokens import new_gateway_token

    approver = approver_on(terminal)
    with hosted_beside(path, token=new_gateway_token(), approver=approver) as hosted:
        yield _Route(
            address=hosted.address,
            certificate=hosted.certificate,
            secrets=env_credentials(hosted.gateway),
        )


def _chosen(gateway: str | None) -> _Route:
    """The way to a gateway of a control plane; a local stack that does not run is started."""
    project = Project.load()
    if project is None:
        raise CommandFailed(
            ExitCode.USAGE,
            "no gateway of a control plane was chosen in this folder",
            "choose one with `tf init --gateway NAME`",
        )
    address = _address(project.proxy, Project.token(gateway or project.gateway))
    try:
        _check_reachable(address)
    except CommandFailed:
        from tameflare_cli.starting import is_of_this_machine, start_stack

        if not is_of_this_machine(project):
            raise
        start_stack(project)
    return _Route(address=address, certificate=Path(project.ca))


def _elsewhere(proxy: str, ca: Path | None) -> _Route:
    if ca is None:
        raise CommandFailed(
            ExitCode.USAGE,
            "`--proxy` needs `--ca FILE`: the certificate of that gateway's authority",
            "`tf gateway` names the file when it starts",
        )
    address = _address(proxy)
    _check_reachable(address)
    return _Route(address=address, certificate=ca)


def _address(proxy: str, known: str = "") -> ProxyAddress:
    from urllib.parse import unquote, urlsplit

    try:
        parts = urlsplit(proxy)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or port is None:
        # The URL may hold a token, so it is not repeated.
        raise CommandFailed(ExitCode.USAGE, "`--proxy` is not a URL like http://127.0.0.1:8899")
    token = known or unquote(parts.username or "") or os.environ.get("TAMEFLARE_GATEWAY_TOKEN", "")
    if not token:
        raise CommandFailed(
            ExitCode.USAGE,
            "no gateway token",
            "set TAMEFLARE_GATEWAY_TOKEN, or put the token into the URL: http://TOKEN:@HOST:PORT",
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return ProxyAddress(scheme=parts.scheme, host=host, port=port, token=token)


def _check_reachable(address: ProxyAddress) -> None:
    import socket

    try:
        target = address.host.strip("[]"), address.port
        socket.create_connection(target, timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise CommandFailed(
            ExitCode.UNREACHABLE,
            f"no gateway answers at {address.host}:{address.port}: {error.strerror or error}",
            "start one with `tf gateway`, or correct the address",
        ) from None
