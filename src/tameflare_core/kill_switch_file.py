"""The kill switches of one user on one machine, in a file that every gateway there looks at."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from tameflare_core.errors import OpaqueBody, TameflareError
from tameflare_core.folders import data_folder
from tameflare_core.kill_switch import (
    NO_KILL_SWITCHES,
    REASON_LENGTH,
    KillScope,
    KillScopeKind,
    KillSwitch,
    KillSwitches,
)
from tameflare_core.parsers.strict_json import parse_json
from tameflare_core.private_files import locked, read_private, replace

__all__ = ["KILL_SWITCH_FILE", "KillSwitchFile"]

KILL_SWITCH_FILE = "kill-switches.json"
"""The file in the user's data folder."""

_FORMAT = 1

type _Version = tuple[int, int, int, int]
"""What changes with a file: inode, size, and the times of its content and of its mode."""


class KillSwitchFile:
    """Kill switches that outlive every process, and act on all of them.

    Whoever may write the file may end them. One that cannot be read stops everything.

    Args:
        path: the file; it and its folder are made, for this user alone, with the first switch.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._known: tuple[_Version, KillSwitches] | None = None

    @classmethod
    def of_user(cls) -> Self:
        """The file that every gateway of this user looks at."""
        return cls(data_folder() / KILL_SWITCH_FILE)

    def current(self) -> KillSwitches:
        """What is active now, at the cost of one look at the file's status.

        A file that cannot be read or understood is one kill switch on everything that says so.
        """
        try:
            version = self._version()
        except FileNotFoundError:
            return NO_KILL_SWITCHES
        except OSError as error:
            return _everything(error)
        known = self._known
        if known is not None and known[0] == version:
            return known[1]
        with self._lock:
            return self._read_anew(version)

    def activate(self, switch: KillSwitch) -> None:
        """Add a kill switch to those that are active.

        Raises:
            TameflareError: the file cannot be read or written.
        """
        with self._changing():
            self._write((*self._read(), switch))

    def deactivate(self, which: KillScope | str) -> tuple[KillSwitch, ...]:
        """End the kill switches with a scope, or the one with an id; return those that were.

        Raises:
            TameflareError: the file cannot be read or written.
        """
        return self._end(lambda one: which in (one.scope, one.id))

    def deactivate_all(self) -> tuple[KillSwitch, ...]:
        """End every kill switch, a file that cannot be understood included; return them.

        Raises:
            TameflareError: the file cannot be written.
        """
        with self._changing():
            ended = tuple(self.current())
            if ended:
                self._write(())
        return ended

    def _end(self, ends: Callable[[KillSwitch], bool]) -> tuple[KillSwitch, ...]:
        with self._changing():
            active = self._read()
            ended = tuple(one for one in active if ends(one))
            if ended:
                self._write(tuple(one for one in active if not ends(one)))
        return ended

    def _version(self) -> _Version:
        status = os.stat(self.path)  # noqa: PTH116  # half the price of `Path.stat`, per request
        return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns

    def _read_anew(self, version: _Version) -> KillSwitches:
        # The version was taken before the content: if the file changes in between, the next call
        # sees another version and reads again.
        try:
            switches = self._read()
        except OSError as error:
            # It may pass without a change of the file, like a lack of descriptors.
            return _everything(error)
        except ValueError as error:
            switches = _everything(error)
        self._known = version, switches
        return switches

    def _read(self) -> KillSwitches:
        try:
            document = parse_json(read_private(self.path))
        except FileNotFoundError:
            return NO_KILL_SWITCHES
        except OpaqueBody:
            document = None
        match document:
            case {"format": int(number), "kill_switches": list(listed), **rest} if (
                number == _FORMAT and number is not True and not rest
            ):
                return KillSwitches(map(KillSwitch.from_document, listed))
        raise ValueError("it is no list of kill switches, or one of a newer version")

    def _write(self, switches: tuple[KillSwitch, ...]) -> None:
        document = {"format": _FORMAT, "kill_switches": [one.document() for one in switches]}
        replace(self.path, json.dumps(document, indent=2).encode() + b"\n")

    @contextmanager
    def _changing(self) -> Iterator[None]:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with locked(self.path):
                yield
        except OSError as error:
            raise TameflareError(f"{self.path}: {error.strerror}") from None
        except ValueError as error:
            raise TameflareError(
                f"{self.path}: {error}: everything is stopped until `tf unkill --all`"
            ) from None


def _everything(error: OSError | ValueError) -> KillSwitches:
    why = error.strerror if isinstance(error, OSError) else error
    reason = f"the kill switches cannot be read: {why}"
    switch = KillSwitch.new(
        KillScope(kind=KillScopeKind.ORG),
        reason=reason[:REASON_LENGTH],
        by="tameflare",
        at=datetime.now(UTC),
    )
    return KillSwitches([switch])
