"""Files that only their owner may read: refused if others can, written whole or not at all."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["create_once", "locked", "read_private", "replace"]

_CHUNK = 64 * 1024


def read_private(path: Path) -> bytes:
    """The content of a file that nobody but its owner can read or write.

    Raises:
        PermissionError: the group or others can; `strerror` says how to change that.
        OSError: it cannot be read.
    """
    # Plain system calls: a credential is read for each request, and a file object costs twice that.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # The open file is asked and not its name, which may mean another file by now.
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
            why = f"other users can read or change it: run `chmod 600 {path}`"
            raise PermissionError(0, why, str(path))
        content = b""
        while chunk := os.read(descriptor, _CHUNK):
            content += chunk
        return content
    finally:
        os.close(descriptor)


def replace(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Put a file with `content` in the place of `path`, at once and durably.

    A reader sees the old file or the new one. Until it is complete, the new one is readable by its
    owner alone, whatever the umask and `mode`.

    Raises:
        OSError: it cannot be written; the old file is as it was.
    """
    # mkstemp opens with O_EXCL and mode 0600.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    # The new name is on disk only when its folder is.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock that goes with `path`, `<path>.lock`, against other threads and processes.

    Raises:
        OSError: the lock file cannot be opened.
    """
    # The lock is on a file of its own, because `replace` puts another file in the place of `path`.
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def create_once(path: Path, make: Callable[[], bytes]) -> bytes:
    """The content of the private file `path`, made by `make` when there is none.

    Processes that start at the same time all get the same content.

    Raises:
        OSError: it cannot be read or made, or others can read it.
    """
    if not path.exists():
        with locked(path):
            if not path.exists():
                replace(path, make())
    return read_private(path)
