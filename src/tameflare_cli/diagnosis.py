"""The set-up faults that `tf doctor` looks for, each with what to do about it."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tameflare_cli.hosting import AUTHORITY_FOLDER, TRAFFIC_LOG
from tameflare_core.config.document import GatewayConfig
from tameflare_core.errors import ConfigError, CredentialError, PluginError
from tameflare_core.folders import data_folder, state_folder
from tameflare_core.frontend import Credentials
from tameflare_core.plugins import load_plugins
from tameflare_core.private_files import read_private
from tameflare_core.system_roots import system_roots
from tameflare_core.traffic_log import TrafficLog
from tameflare_core.vault.keyring import KEY_FILE, KEY_VARIABLE, load_key

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

__all__ = ["Finding", "State", "examine"]

_OLDEST_PYTHON = (3, 12)
_TIOCSTI = Path("/proc/sys/dev/tty/legacy_tiocsti")


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found.

    Attributes:
        check: what was looked at.
        state: how it is.
        message: what was found.
        advice: what to do about it; empty when it is well.
    """

    check: str
    state: State
    message: str
    advice: str = ""


def examine(config: Path, listen: tuple[str, int]) -> Iterator[Finding]:
    """Look for every fault; each check has one finding at least.

    Args:
        config: the configuration to look at.
        listen: the address that `tf gateway` would listen on.
    """
    yield _python()
    yield _proxy_package()
    yield from _configuration(config)
    yield _vault_key()
    yield _authority()
    yield _roots()
    yield _address(*listen)
    yield _no_proxy()
    yield _traffic_log()
    yield _terminal()


def _ok(check: str, message: str) -> Finding:
    return Finding(check=check, state=State.OK, message=message)


def _warning(check: str, message: str, advice: str) -> Finding:
    return Finding(check=check, state=State.WARNING, message=message, advice=advice)


def _fault(check: str, message: str, advice: str) -> Finding:
    return Finding(check=check, state=State.FAULT, message=message, advice=advice)


def _python() -> Finding:
    version = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    if sys.version_info < _OLDEST_PYTHON:
        return _fault("python", f"{version} is too old", "install with Python 3.12 or later")
    return _ok("python", version)


def _proxy_package() -> Finding:
    if find_spec("tameflare_proxy") is None:
        return _fault(
            "proxy",
            "the gateway is not installed",
            "install `tameflare-cli[proxy]`, or use a gateway elsewhere with `tf run --proxy URL`",
        )
    return _ok("proxy", "the gateway is installed")


def _configuration(path: Path) -> Iterator[Finding]:
    if not path.exists():
        advice = "write one with `tf init`, or name one with `--config FILE`"
        yield _fault("configuration", f"no `{path}`", advice)
        return
    try:
        plugins = load_plugins()
        gateway = GatewayConfig.from_file(path).bind(plugins)
    except ConfigError as error:
        for problem in error.problems:
            yield _fault("configuration", problem, "correct the file")
        return
    except PluginError as error:
        yield _fault("configuration", str(error), "remove or repair that plugin")
        return
    yield _ok("configuration", f"{path}: gateway {gateway.name}")
    credentials = Credentials(plugins.credential_sources, gateway.folder)
    for bound in gateway.connectors:
        if bound.credential is None:
            continue
        try:
            credentials.resolve(bound.credential)
        except CredentialError as error:
            advice = f"connector `{bound.id}` answers nothing until it can be had"
            yield _fault("credential", str(error), advice)
        else:
            yield _ok("credential", f"{bound.id}: {bound.credential}")


def _vault_key() -> Finding:
    if KEY_VARIABLE not in os.environ and not (data_folder() / KEY_FILE).exists():
        return _ok("vault key", "none yet; it is made with the first credential")
    try:
        return _ok("vault key", f"key {load_key().id}")
    except CredentialError as error:
        return _fault("vault key", str(error), "the vault cannot be opened until this is corrected")


def _authority() -> Finding:
    folder = data_folder() / AUTHORITY_FOLDER
    if not (folder / "ca.pem").exists():
        return _ok("authority", "none yet; it is made with the first gateway")
    from cryptography.x509 import load_pem_x509_certificate

    try:
        certificate = load_pem_x509_certificate((folder / "ca.pem").read_bytes())
        read_private(folder / "ca.key")
    except FileNotFoundError as error:
        missing = f"`{error.filename}` is missing"
        return _fault("authority", missing, f"remove {folder}; a new authority is made")
    except OSError as error:
        return _fault("authority", f"{error.strerror}", "its key makes any certificate")
    except ValueError:
        damaged = f"{folder / 'ca.pem'} is damaged"
        return _fault("authority", damaged, f"remove {folder}; a new authority is made")
    return _validity(certificate, folder)


def _validity(certificate: Certificate, folder: Path) -> Finding:
    now = datetime.now(UTC)
    if now < certificate.not_valid_before_utc:
        return _fault(
            "authority",
            f"valid from {certificate.not_valid_before_utc:%Y-%m-%d}, and today is {now:%Y-%m-%d}",
            "set the clock of this machine",
        )
    if now > certificate.not_valid_after_utc:
        expired = f"expired on {certificate.not_valid_after_utc:%Y-%m-%d}"
        advice = f"set the clock if it is wrong, else remove {folder}; a new authority is made"
        return _fault("authority", expired, advice)
    return _ok("authority", f"valid until {certificate.not_valid_after_utc:%Y-%m-%d}")


def _roots() -> Finding:
    try:
        path = system_roots()
        count = path.read_bytes().count(b"BEGIN CERTIFICATE")
    except ConfigError as error:
        return _fault("system roots", str(error), "correct SSL_CERT_FILE, or unset it")
    except OSError as error:
        advice = "install the package ca-certificates"
        return _fault("system roots", f"{path}: {error.strerror}", advice)
    if not count:
        advice = "install the package ca-certificates, or correct SSL_CERT_FILE"
        return _fault("system roots", f"{path} holds no certificate", advice)
    return _ok("system roots", f"{count} in {path}")


def _address(host: str, port: int) -> Finding:
    where = f"{host}:{port}"
    try:
        family, *_, name = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with closing(socket.socket(family, socket.SOCK_STREAM)) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(name)
    except OSError as error:
        return _warning(
            "address",
            f"{where} cannot be listened on: {error.strerror}",
            "if no gateway of yours runs there, name another with `tf gateway --listen`",
        )
    return _ok("address", f"{where} is free")


def _no_proxy() -> Finding:
    for name in ("NO_PROXY", "no_proxy"):
        if os.environ.get(name):
            return _warning(
                "environment",
                f"{name} is set: a program that is started without `tf run` goes past the gateway",
                f"`tf run` empties it; unset {name} where proxy variables are set by hand",
            )
    return _ok("environment", "NO_PROXY is not set")


def _traffic_log() -> Finding:
    path = state_folder() / TRAFFIC_LOG
    try:
        TrafficLog(path).prepare()
    except OSError as error:
        advice = "nothing is forwarded that cannot be recorded: make it writable"
        return _fault("traffic log", f"{path}: {error.strerror}", advice)
    return _ok("traffic log", str(path))


def _terminal() -> Finding:
    try:
        injectable = _TIOCSTI.read_text("ascii").strip() == "1"
    except OSError:
        injectable = False
    if injectable:
        return _warning(
            "terminal",
            "this kernel lets a program type on its own terminal, and so answer a question there",
            "set it right with `sysctl -w dev.tty.legacy_tiocsti=0`",
        )
    return _ok("terminal", "a program cannot type on its own terminal")
