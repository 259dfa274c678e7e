"""Traffic records on disk until the control plane has them.

A record is one `write` at the end of a segment. Segments are sent in order, and removed when all of
them is acknowledged. What a process leaves behind when it dies is sent by the next one: a record
may so be sent twice, which the control plane tells by its id, and never not at all.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import anyio
from anyio import to_thread

from tameflare_core.errors import ControlPlaneRefused, ControlPlaneUnreachable, TokenUnknown
from tameflare_core.record import TrafficRecord
from tameflare_core.sync.backoff import Backoff
from tameflare_core.sync.client import ControlPlane
from tameflare_core.vault.secret import Secret

__all__ = ["MAX_BYTES", "GatewaySpool", "Spool"]

MAX_BYTES = 1024 * 1024 * 1024
"""Bytes of unsent records after which nothing more may leave."""

_SEGMENT_BYTES = 8 * 1024 * 1024
_BATCH_BYTES = 1024 * 1024
_BATCH_RECORDS = 1000
_GATHER_SECONDS = 0.25
_MOST_WAITING = 10_000
_logger = logging.getLogger(__name__)


class Spool:
    """The spools of all gateways of one process.

    Args:
        folder: where they are; made, for this user alone, with the first record.
        instance: the id of the process.
        max_bytes: bytes of unsent records of all gateways at the most.
    """

    def __init__(self, folder: Path, instance: str, *, max_bytes: int = MAX_BYTES) -> None:
        self._folder = folder
        self._instance = instance
        self._max_bytes = max_bytes
        self.unsent_bytes = 0

    def of_gateway(self, digest: bytes) -> GatewaySpool:
        """The spool of the gateway with a token digest."""
        name = hashlib.sha256(digest).hexdigest()[:40]
        return GatewaySpool(self, self._folder / name, self._instance)

    def check_room(self) -> None:
        """Check that a further record could be kept.

        Raises:
            OSError: the control plane has not taken any for too long.
        """
        if self.unsent_bytes >= self._max_bytes:
            raise OSError(
                errno.ENOSPC,
                f"{self.unsent_bytes >> 20} MiB of traffic records wait for the control plane",
                str(self._folder),
            )


class GatewaySpool:
    """A recorder whose records go to the control plane.

    Args:
        spool: the process's.
        folder: where its segments are.
        instance: the id of the process.
    """

    def __init__(self, spool: Spool, folder: Path, instance: str) -> None:
        self._spool = spool
        self._folder = folder
        self._instance = instance
        self._waiting: list[bytes] = []
        self._descriptor: int | None = None
        self._path: Path | None = None
        self._size = 0
        self._sent = 0
        self._number = 0
        self._news = anyio.Event()
        self.unsent_records = 0

    def prepare(self) -> None:
        """Check that a record could be kept.

        Raises:
            OSError: the disk is full, or the control plane has not taken any for too long.
        """
        self._spool.check_room()
        if self._descriptor is None:
            self._open()
        self._flush()

    def record(self, record: TrafficRecord) -> None:
        """Keep a record.

        Raises:
            OSError: it could not be written; it waits for the next try.
        """
        if len(self._waiting) < _MOST_WAITING:
            self._waiting.append(record.to_json().encode() + b"\n")
            self.unsent_records += 1
        self._flush()
        self._news.set()

    async def drain(self, control_plane: ControlPlane, token: Callable[[], Secret | None]) -> None:
        """Send what is kept, and what comes; runs until it is cancelled, or the token is void.

        Args:
            control_plane: where to.
            token: the gateway's; None when it is void.
        """
        for path in await to_thread.run_sync(self._left_behind):
            if not await self._send_all(path, control_plane, token, current=False):
                return
        while True:
            await self._news.wait()
            await anyio.sleep(_GATHER_SECONDS)  # so that records go in batches
            self._news = anyio.Event()
            if self._path is not None and not await self._send_all(
                self._path, control_plane, token, current=True
            ):
                return

    def close(self) -> None:
        """Let go of the segment; it is removed when all of it was sent."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None and self._path is not None:
            if self._sent >= self._size and not self._waiting:
                self._path.unlink(missing_ok=True)
            os.close(descriptor)

    def _open(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._number += 1
        path = self._folder / f"{self._instance}-{self._number:06}.jsonl"
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        # Held as long as the process lives: that is how others tell that the segment is its own.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._descriptor, self._path, self._size, self._sent = descriptor, path, 0, 0

    def _flush(self) -> None:
        while self._waiting:
            if self._descriptor is None:
                self._open()
            assert self._descriptor is not None
            line = self._waiting[0]
            written = os.write(self._descriptor, line)
            self._size += written
            self._spool.unsent_bytes += written
            if written != len(line):
                # The line is torn; the one that follows it must not continue it.
                self._waiting[0] = b"\n" + line.removeprefix(b"\n")
                raise OSError(errno.ENOSPC, "a record could only be written in part")
            del self._waiting[0]

    def _left_behind(self) -> list[Path]:
        """Segments of processes that are gone, oldest first."""
        found: list[tuple[float, Path]] = []
        for path in self._folder.glob("*.jsonl"):
            if path.name.startswith(self._instance):
                continue
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue  # its process lives
            finally:
                os.close(descriptor)
            status = path.stat()
            self._spool.unsent_bytes += status.st_size
            found.append((status.st_mtime, path))
        return [path for _, path in sorted(found)]

    async def _send_all(
        self,
        path: Path,
        control_plane: ControlPlane,
        token: Callable[[], Secret | None],
        *,
        current: bool,
    ) -> bool:
        """Send a segment to its end; False when the token is void."""
        sent = self._sent if current else 0
        backoff = Backoff()
        while True:
            try:
                lines, size = await to_thread.run_sync(_batch, path, sent)
            except FileNotFoundError:
                return True  # another process has sent it
            except OSError as error:
                _logger.error("traffic records not read: %s", error.strerror)
                await anyio.sleep(backoff.next())
                continue
            if not size:
                break
            secret = token()
            if secret is None:
                return False
            try:
                if lines:
                    await control_plane.send_traffic(secret, lines)
            except TokenUnknown:
                return False
            except ControlPlaneUnreachable:
                await anyio.sleep(backoff.next())
                continue
            except ControlPlaneRefused as error:
                _logger.error("traffic records refused, and set aside: %s", error)
                await to_thread.run_sync(_set_aside, path, lines)
            backoff.reset()
            sent += size
            self._spool.unsent_bytes -= size
            if current:
                self._sent = sent
                self.unsent_records = max(0, self.unsent_records - len(lines))
        if not current:
            await to_thread.run_sync(partial(path.unlink, missing_ok=True))
        elif self._sent >= self._size >= _SEGMENT_BYTES:
            self.close()
        return True


def _batch(path: Path, start: int) -> tuple[list[str], int]:
    """Whole lines from a place in a file on, and how many bytes they take."""
    with path.open("rb") as file:
        file.seek(start)
        data = file.read(_BATCH_BYTES)
    end = data.rfind(b"\n") + 1
    lines = data[:end].split(b"\n", _BATCH_RECORDS)
    rest = lines.pop() if lines else b""
    size = end - len(rest)
    # What a torn write left is no record.
    return [line.decode() for line in lines if line.startswith(b"{") and line.endswith(b"}")], size


def _set_aside(path: Path, lines: list[str]) -> None:
    rejected = path.with_suffix(".rejected")
    descriptor = os.open(rejected, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "a") as file:
        file.write("\n".join(lines) + "\n")
