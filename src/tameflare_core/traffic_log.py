"""Traffic records in a file: JSON Lines, one write per record, rotated by size.

Any number of processes may append to one file: a record is one `write` on a descriptor opened with
`O_APPEND`, so no line runs into another, and a file is set aside under a lock, so that it is set
aside once.
"""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

from tameflare_core.record import TrafficRecord

__all__ = ["MAX_SIZE", "TrafficLog"]

MAX_SIZE = 64 * 1024 * 1024
"""Bytes after which a file is set aside as `<name>.1`."""

# Refusals go on being answered, and recorded, while nothing else may leave.
_MAX_WAITING = 10_000


class TrafficLog:
    """A recorder that appends to a file.

    A record that could not be written waits in memory, and nothing passes `prepare` until it has
    been written.

    Args:
        path: the file; it and its folder are made when missing, for this user alone.
        max_size: bytes after which it is set aside; the one set aside before it is then gone.
    """

    def __init__(self, path: Path, *, max_size: int = MAX_SIZE) -> None:
        self.path = path
        self._max_size = max_size
        self._waiting: list[bytes] = []
        self._descriptor: int | None = None
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Open the file, and write what is still waiting.

        Raises:
            OSError: a record could not be kept now.
        """
        with self._lock:
            if self._descriptor is None:
                self._descriptor = self._open()
            self._flush()

    def record(self, record: TrafficRecord) -> None:
        """Append a record.

        Raises:
            OSError: it could not be written; it waits for the next try.
        """
        line = record.to_json().encode() + b"\n"
        with self._lock:
            if len(self._waiting) < _MAX_WAITING:
                self._waiting.append(line)
            self._flush()

    def close(self) -> None:
        """Close the file; the next record opens it again."""
        with self._lock:
            self._close()

    def __del__(self) -> None:
        self._close()

    def _flush(self) -> None:
        while self._waiting:
            try:
                # Once more if the file was removed under it; some file systems count no links.
                if not self._append(self._waiting[0]):
                    self._append(self._waiting[0])
            except OSError:
                self._close()
                raise
            del self._waiting[0]

    def _append(self, line: bytes) -> bool:
        """Write a line; whether it went into a file that still has a name."""
        if self._descriptor is None:
            self._descriptor = self._open()
        written = os.write(self._descriptor, line)
        if written != len(line):
            # The line is torn; the one that follows it must not continue it.
            self._waiting[0] = b"\n" + line.removeprefix(b"\n")
            raise OSError(f"only {written} of {len(line)} bytes were written to `{self.path}`")
        # A file that was set aside is full, and one that was removed has no name: both show here,
        # whichever process did it, at the cost of one call.
        status = os.fstat(self._descriptor)
        if status.st_size >= self._max_size or not status.st_nlink:
            self._close()
        return status.st_nlink > 0

    def _open(self) -> int:
        while True:
            descriptor = self._opened()
            try:
                if os.fstat(descriptor).st_size < self._max_size:
                    return descriptor
                self._set_aside(descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _set_aside(self, descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            in_place = self.path.stat()
        except FileNotFoundError:
            return
        # Another process may have done so before the lock was ours.
        if os.path.samestat(os.fstat(descriptor), in_place):
            self.path.rename(self.path.with_name(self.path.name + ".1"))

    def _opened(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(self.path, flags, 0o600)
        except FileNotFoundError:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self.path, flags, 0o600)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
