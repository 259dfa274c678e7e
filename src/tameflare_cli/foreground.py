"""The controlling terminal, and whose turn on it it is: the child's, ours, or the shell's.

Three parties share one terminal. A terminal has one process group in front; only that group reads
what is typed and gets Ctrl-C and Ctrl-Z. While the child runs, its group is in front; while a
question is asked, ours is; while the job is stopped, the shell's. Source: POSIX.1-2024, "General
Terminal Interface", section 11.1.

To be in front is not enough for a question: a read that began before goes on behind our back and
takes the answer. So the job that had the terminal is stopped until the question is answered.
"""

from __future__ import annotations

import os
import signal
import termios
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Self

__all__ = ["Foreground", "NotInFront"]


# The child stops within a millisecond, unless it was stopped before or is just ending.
_STOP_SECONDS = 0.25


class NotInFront(Exception):
    """The terminal belongs to another job right now."""


class Foreground:
    """A terminal and the two process groups of ours that take turns on it.

    Its methods may be called from the main thread and from the thread of the gateway.

    Args:
        descriptor: the controlling terminal, open for reading and writing.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._own = os.getpgrp()
        self._modes = termios.tcgetattr(descriptor)
        self._child: int | None = None
        self._child_modes: list[object] | None = None
        self._lent = False
        self._paused: int | None = None
        self._asking = False
        self._child_stands = threading.Event()
        self._lock = threading.Lock()

    @classmethod
    def open(cls) -> Self | None:
        """The controlling terminal of this process; None when it has none."""
        try:
            # A file description of our own: not to block is nobody else's business.
            return cls(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC | os.O_NONBLOCK))
        except (OSError, termios.error):
            return None

    @property
    def is_ours(self) -> bool:
        """Whether our group is in front, or the child's is because we put it there."""
        with self._lock:
            return self._lent or self._front() == self._own

    @property
    def is_asking(self) -> bool:
        """Whether the terminal was taken back for a question."""
        return self._asking

    @property
    def paused(self) -> int | None:
        """The process group that was in front until a question came; None when none is asked."""
        return self._paused

    def note_stop(self) -> None:
        """The child was seen to stop."""
        self._child_stands.set()

    def lend(self, group: int) -> None:
        """Put the child's process group in front, if the terminal is ours to give."""
        with self._lock:
            self._child = group
            if self._asking or not (self._lent or self._front() == self._own):
                return
            if self._child_modes is not None:
                self._set_modes(self._child_modes, termios.TCSADRAIN)
                self._child_modes = None
            self._lent = self._put_in_front(group)

    def reclaim(self, *, ended: bool) -> None:
        """Put our own group in front again, with the modes that the terminal had at first.

        Args:
            ended: whether the child is gone; a stopped one finds its modes when it goes on.
        """
        with self._lock:
            if self._lent:
                if not ended:
                    self._child_modes = termios.tcgetattr(self.descriptor)
                self._put_in_front(self._own)
                self._set_modes(self._modes, termios.TCSADRAIN)
                self._lent = False
            if ended:
                self._child = None

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold the terminal for a question: line by line, with echo, and nothing typed before.

        The job that had it is stopped meanwhile.

        Raises:
            NotInFront: another job holds it.
        """
        child, front, modes = self._take()
        try:
            yield
        finally:
            self._give_back(child, front, modes)

    def _take(self) -> tuple[int | None, int, list[object]]:
        with self._lock:
            front = self._front()
            if not (self._lent or front == self._own):
                raise NotInFront
            modes = termios.tcgetattr(self.descriptor)
            self._asking = True
            if self._lent:
                self._paused = front
                self._pause(front)
            self._put_in_front(self._own)
            # INVARIANT: keys that were typed for the child never answer a question.
            self._set_modes(_for_questions(self._modes), termios.TCSAFLUSH)
            return self._child, front, modes

    def _pause(self, front: int) -> None:
        self._child_stands.clear()
        _signal_groups((self._child,), signal.SIGSTOP)
        # A signal acts when its process is scheduled. Until then the child might take an answer; or
        # see, when it is a shell, that its job stops, and make more of it.
        self._child_stands.wait(_STOP_SECONDS)
        if front != self._child:
            _signal_groups((front,), signal.SIGSTOP)

    def _give_back(self, child: int | None, front: int, modes: list[object]) -> None:
        with self._lock:
            self._asking = False
            self._paused = None
            if child != self._child:
                return  # it ended meanwhile, and the terminal is in its first state
            self._set_modes(modes, termios.TCSAFLUSH)
            if child is None or not self._lent:
                return
            # The child may have put a group of its own in front, as a shell does.
            if not self._put_in_front(front):
                self._put_in_front(child)
            _signal_groups((front, child), signal.SIGCONT)

    def _front(self) -> int:
        try:
            return os.tcgetpgrp(self.descriptor)
        except OSError:
            return -1  # the terminal was hung up

    def _put_in_front(self, group: int) -> bool:
        with _background_is_allowed():
            try:
                os.tcsetpgrp(self.descriptor, group)
            except OSError:
                return False  # the group is gone, or the terminal is
            return True

    def _set_modes(self, modes: list[object], when: int) -> None:
        with _background_is_allowed(), suppress(termios.error):
            termios.tcsetattr(self.descriptor, when, modes)  # type: ignore[arg-type]  # as it gave them


def _signal_groups(groups: Iterable[int | None], number: int) -> None:
    for group in dict.fromkeys(groups):
        if group is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)


@contextmanager
def _background_is_allowed() -> Iterator[None]:
    # A process that is not in front is stopped by SIGTTOU when it changes the terminal, unless the
    # thread that does it blocks the signal.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU, signal.SIGTTIN})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _for_questions(modes: list[object]) -> list[object]:
    iflag, oflag, cflag, lflag, ispeed, ospeed, cc = modes
    assert isinstance(iflag, int)
    assert isinstance(oflag, int)
    assert isinstance(lflag, int)
    assert isinstance(cc, list)
    characters = list(cc)
    # Ctrl-Z would stop us while the child runs on.
    characters[termios.VSUSP] = b"\0"
    return [
        iflag | termios.ICRNL,
        oflag | termios.OPOST,
        cflag,
        lflag | termios.ICANON | termios.ECHO | termios.ISIG,
        ispeed,
        ospeed,
        characters,
    ]
