"""The local stack, started in the background when a program needs it and it does not run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from urllib.parse import urlsplit

from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.project import Project
from tameflare_cli.rendering import notice
from tameflare_core.folders import state_folder

__all__ = ["LOG", "is_of_this_machine", "start_stack"]

LOG = "up.log"
"""In the user's state folder: what a stack in the background says."""

_START_SECONDS = 20.0
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def is_of_this_machine(project: Project) -> bool:
    """Whether the control plane and the proxy of a project are on this machine."""
    return all(
        urlsplit(url).hostname in _LOOPBACK for url in (project.control_plane, project.proxy)
    )


def start_stack(project: Project) -> None:
    """Start `tf up` where a project expects it, and wait until it answers.

    It goes on after the program that needed it, for the next one; `tf status` shows it.

    Raises:
        CommandFailed: it does not start.
    """
    log = state_folder() / LOG
    command = [
        *(sys.executable, "-m", "tameflare_cli", "up"),
        *("--listen", urlsplit(project.proxy).netloc.rpartition("@")[2]),
        *("--dashboard", urlsplit(project.control_plane).netloc),
    ]
    notice(f"no gateway runs yet: starting one, which says more in {log}")
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "ab") as output:
        started = subprocess.Popen(  # noqa: S603  # our own command line
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # it is nobody's child, and no signal of the terminal's
        )
    until = time.monotonic() + _START_SECONDS
    while not _answers(project.proxy):
        if started.poll() is not None or time.monotonic() > until:
            raise CommandFailed(
                ExitCode.UNREACHABLE,
                f"the gateway did not start: {log} says why",
                "start it yourself with `tf up`",
            )
        time.sleep(0.05)


def _answers(url: str) -> bool:
    import socket

    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), timeout=1).close()
    except OSError:
        return False
    return True
