"""The beginning of a push over HTTP: which refs it updates.

A push is one POST: commands as pkt-lines, a flush, push options if both sides agreed on them, and a
pack of objects, which is not read. Whatever git itself would refuse, or other readers might take in
another way, is opaque; so is a push certificate, which GitHub does not take.

Sources: git's `gitprotocol-common`, `gitprotocol-pack`, `git-check-ref-format`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from tameflare_core.errors import OpaqueBody

__all__ = ["MAX_UPDATES", "Push", "RefUpdate", "read_push"]

MAX_UPDATES = 1000
"""Refs that one push may update and still be read; each is judged by itself."""

_MAX_OPTIONS = 100
_MAX_PACKET = 65520
_LENGTH = re.compile(rb"[0-9a-f]{4}")
_COMMAND = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{40}|[0-9a-f]{64}) (refs/.+)")
_SHALLOW = re.compile(rb"shallow (?:[0-9a-f]{40}|[0-9a-f]{64})\n?")
_CAPABILITIES = re.compile(rb"[\x20-\x7e]*\n?")
# What no ref name may hold: control characters, ` ~^:?*[\`, two dots, `@{`, empty components,
# components that start with a dot or end with `.lock`, a dot or slash at the end.
_BAD_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)|[./]$")

# What stateless clients send before a large push, to find out whether they have access.
_PROBE = b"0000"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefUpdate:
    """One command of a push.

    Attributes:
        ref: the full name, like `refs/heads/main`.
        old: the object it names now, in hexadecimal; zeros when the ref is to be created.
        new: the object it is to name; zeros when the ref is to be deleted.
    """

    ref: str
    old: str
    new: str

    @property
    def creates(self) -> bool:
        """Whether there is no such ref yet; the service refuses the push if there is."""
        return not self.old.strip("0")

    @property
    def deletes(self) -> bool:
        """Whether the ref is removed."""
        return not self.new.strip("0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """What a push asks for.

    Attributes:
        updates: one for each ref; none when the client only tries whether it may push.
        options: what `git push -o` gave.
    """

    updates: tuple[RefUpdate, ...] = ()
    options: tuple[str, ...] = ()


def read_push(head: bytes) -> Push:
    """Read the body of a `git-receive-pack` request.

    Args:
        head: the body with its content coding undone, or the beginning of it.

    Raises:
        OpaqueBody: the commands do not end within `head`, or are not exactly as git writes them.
    """
    if head == _PROBE:
        return Push()
    packets = _Packets(head)
    commands = packets.section()
    first = next(commands, b"")
    while _SHALLOW.fullmatch(first):
        first = next(commands, b"")
    command, separator, capabilities = first.partition(b"\0")
    if not separator or not _CAPABILITIES.fullmatch(capabilities):
        raise OpaqueBody("push does not start with a command and its capabilities")
    updates: dict[str, RefUpdate] = {}
    for line in chain((command,), (line.removesuffix(b"\n") for line in commands)):
        update = _update(line)
        if update.ref in updates or len(updates) == MAX_UPDATES:
            raise OpaqueBody("push names a ref twice, or too many of them")
        updates[update.ref] = update
    if len({len(update.old) for update in updates.values()}) != 1:
        raise OpaqueBody("push mixes two kinds of object ids")
    agreed = {word.partition(b"=")[0] for word in capabilities.split()}
    options = tuple(_options(packets.section())) if b"push-options" in agreed else ()
    return Push(updates=tuple(updates.values()), options=options)


class _Packets:
    """The pkt-lines of a stream, section by section."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def section(self) -> Iterator[bytes]:
        """The lines up to the next flush, which must be there."""
        while True:
            length = self._data[self._at : self._at + 4]
            size = int(length, 16) if _LENGTH.fullmatch(length) else -1
            start, end = self._at + 4, self._at + size
            # 1 and 2 are flushes of another kind, which a push does not have; 4 is an empty line.
            if (size and not 4 < size <= _MAX_PACKET) or end > len(self._data):
                raise OpaqueBody("push has a malformed pkt-line, or more commands than are read")
            self._at = end if size else start
            if not size:
                return
            yield self._data[start:end]


def _update(line: bytes) -> RefUpdate:
    try:
        match = _COMMAND.fullmatch(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise OpaqueBody("ref name is not UTF-8") from None
    if match is None or len(match[1]) != len(match[2]):
        raise OpaqueBody("push has a line that is no command")
    if _BAD_REF.search(match[3]):
        raise OpaqueBody("push has a ref name that git does not take")
    return RefUpdate(old=match[1], new=match[2], ref=match[3])


def _options(packets: Iterator[bytes]) -> Iterator[str]:
    for number, line in enumerate(packets):
        option = line.removesuffix(b"\n")
        if number == _MAX_OPTIONS or b"\n" in option or b"\0" in option:
            raise OpaqueBody("push has malformed options, or too many of them")
        try:
            yield option.decode("utf-8")
        except UnicodeDecodeError:
            raise OpaqueBody("push option is not UTF-8") from None
