"""The child of `tf run`: what it inherits, which signals reach it, and how its end is passed on.

With a terminal on standard input and output the child becomes a job of its own, as a shell would
make it: Ctrl-C reaches it alone, and Ctrl-Z stops it and then us, so that the user's shell takes
over and `fg` brings both back. With a terminal that is only elsewhere (`tf run -- make | less`) it
stays in our process group, which the shell minds already. Without any terminal it has a group of
its own.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType

from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.foreground import Foreground

__all__ = ["Child", "inherit_nothing"]

_PASSED_ON = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)
# From the keyboard they reach every process of the group.
_TYPED = frozenset({signal.SIGINT, signal.SIGQUIT})
_TERMINAL_WANTED = frozenset({signal.SIGTTIN, signal.SIGTTOU})
# Python ignores these; a program expects to find them at their default.
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


def inherit_nothing() -> None:
    """Keep every descriptor but the standard three from programs that are started later."""
    for entry in list(Path("/dev/fd").iterdir()):
        if int(entry.name) > 2:
            # One of them was the listing's own.
            with suppress(OSError):
                os.set_inheritable(int(entry.name), False)


class Child:
    """A program that was started.

    Args:
        command: the program and its arguments.
        environment: all of its environment.
        terminal: the controlling terminal; None when there is none.

    Raises:
        CommandFailed: there is no such program, or it cannot be executed.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        terminal: Foreground | None,
    ) -> None:
        own_job = sys.stdin.isatty() and sys.stdout.isatty()
        self._terminal = terminal if own_job else None
        self._own_group = own_job or terminal is None
        self._pid = _spawn(command, environment, own_group=self._own_group)

    def wait(self) -> int:
        """Wait for the end of the child; signals to this process go to the child meanwhile.

        Returns:
            Its exit status; 128 and the number of the signal when it died of one.
        """
        with self._awaited() as awaited:
            self._resume()
            try:
                while (code := self._status()) is None:
                    self._act_on(signal.sigwait(awaited))
                return code
            finally:
                if self._terminal is not None:
                    self._terminal.reclaim(ended=True)

    def _status(self) -> int | None:
        """The exit status of the child; None while it runs."""
        while True:
            pid, status = os.waitpid(self._pid, os.WNOHANG | os.WUNTRACED)
            if not pid:
                return None
            if not os.WIFSTOPPED(status):
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code
            if self._terminal is not None:
                self._stopped(self._terminal, signal.Signals(os.WSTOPSIG(status)))

    def _stopped(self, terminal: Foreground, why: signal.Signals) -> None:
        terminal.note_stop()
        if terminal.is_asking or why is signal.SIGSTOP:
            return  # it goes on when the question is answered, or when whoever stopped it says so
        if why in _TERMINAL_WANTED and terminal.is_ours:
            self._resume()
            return
        terminal.reclaim(ended=False)
        # The shell waits for our group, not for the child's. Where no shell would wake us (the
        # group is orphaned) the kernel drops the signal, and the child goes on at once.
        os.kill(0, why)
        self._resume()

    def _resume(self) -> None:
        if self._terminal is not None and not self._terminal.is_asking:
            self._terminal.lend(self._pid)
            self._signal(self._pid, signal.SIGCONT)

    def _signal(self, group: int, number: int) -> None:
        with suppress(ProcessLookupError):
            if self._own_group:
                os.killpg(group, number)
            else:
                os.kill(self._pid, number)

    def _act_on(self, number: int) -> None:
        if number in _PASSED_ON:
            self._pass_on(number)
        elif number == signal.SIGCONT:
            self._resume()

    def _pass_on(self, number: int) -> None:
        group = self._pid
        if number in _TYPED:
            if not self._own_group:
                return  # it comes from the keyboard, and the child has it too
            if self._terminal is not None and self._terminal.paused is not None:
                group = self._terminal.paused
        self._signal(group, number)
        # A stopped process learns of it when it goes on.
        self._signal(group, signal.SIGCONT)

    @contextmanager
    def _awaited(self) -> Iterator[set[signal.Signals]]:
        """Block the signals that are waited for, and say which.

        A handler would do for most of the time: one that comes just before a system call begins to
        wait is acted on when that call ends.
        """
        # What was ignored when we were started (`nohup`) is ignored on.
        passed = {n for n in _PASSED_ON if signal.getsignal(n) is not signal.SIG_IGN}
        awaited = {*passed, signal.SIGCHLD}
        if self._terminal is not None:
            awaited.add(signal.SIGCONT)
        # Some systems drop a signal that has no handler, although it is waited for.
        before = {number: signal.signal(number, _nothing) for number in awaited - passed}
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
        try:
            yield awaited
        finally:
            # What came too late for the child is not for us either.
            while late := signal.sigpending() & awaited:
                signal.sigwait(late)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            for number, handler in before.items():
                signal.signal(number, handler)


def _nothing(number: int, frame: FrameType | None) -> None:
    pass


def _spawn(command: Sequence[str], environment: Mapping[str, str], *, own_group: bool) -> int:
    program = command[0]
    spawn = partial(
        os.posix_spawnp,
        program,
        list(command),
        environment,
        setsigmask=(),
        setsigdef=_IGNORED_BY_PYTHON,
    )
    try:
        return spawn(setpgroup=0) if own_group else spawn()
    except FileNotFoundError:
        if Path(program).exists():
            message = f"`{program}` cannot be executed: its interpreter is missing"
            raise CommandFailed(ExitCode.NOT_EXECUTABLE, message) from None
        raise CommandFailed(
            ExitCode.NOT_FOUND, f"`{program}` is not found", "check the name and PATH"
        ) from None
    except OSError as error:
        message = f"`{program}` cannot be executed: {error.strerror}"
        raise CommandFailed(ExitCode.NOT_EXECUTABLE, message) from None
