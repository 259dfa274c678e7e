"""The real `tf` in a process of its own, or on a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

TF = (sys.executable, "-m", "tameflare_cli")
DEADLINE = 30.0

CONFIG = """\
version: 1
gateway: prod-agent
connectors:
  - type: github
permissions:
  - {connector: github, action: "github.*", access: read, decision: allow}
  - {connector: github, action: "github.*", decision: require_approval}
  - {connector: github, action: github.repo.delete, decision: deny}
"""


class Screen:
    """A process that is the leader of a session on a pseudo-terminal, and what it has shown."""

    def __init__(self, command: list[str], cwd: Path, env: Mapping[str, str]) -> None:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execve(command[0], command, dict(env))
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def wait_for(self, text: str) -> str:
        """Everything shown up to and with `text`, which is then forgotten."""
        end = time.monotonic() + DEADLINE
        while text not in self.shown:
            if not self._read(end - time.monotonic()):
                raise AssertionError(f"{text!r} was not shown; shown: {self.shown!r}")
        before, found, self.shown = self.shown.partition(text)
        return before + found

    def exit_status(self) -> int:
        """Wait for the end of the process; its exit code, negative when a signal ended it."""
        end = time.monotonic() + DEADLINE
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            self._read(0.02)
            assert time.monotonic() < end, f"still running; shown: {self.shown!r}"

    @property
    def modes(self) -> list[object]:
        return termios.tcgetattr(self._fd)

    @property
    def front(self) -> int:
        """The process group that is in front."""
        return os.tcgetpgrp(self._fd)

    def _read(self, seconds: float) -> bool:
        if not select.select([self._fd], [], [], max(seconds, 0))[0]:
            return False
        try:
            data = os.read(self._fd, 65536)
        except OSError:
            return False  # nobody holds the other side any more
        self.shown += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)

    def close(self) -> None:
        if self.pid:
            # 0 means that nobody is in front; as a target it would mean this process's own group.
            if front := self.front:
                with suppress(ProcessLookupError):
                    os.killpg(front, signal.SIGKILL)
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._fd)


type Run = Callable[..., subprocess.CompletedProcess[str]]
type Open = Callable[..., Screen]
