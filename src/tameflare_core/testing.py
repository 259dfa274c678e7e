"""For tests of gateways, connectors and frontends: transcripts, doubles, a fixed clock.

A test of the enforcement point reads as the transcript of one request::

    transcript = (
        Transcript(enforce(read, lambda: point, fixed_surroundings()))
        << OpenApproval
        << AwaitApproval
        >> Answer(state=ApprovalState.DENIED)
        << Refuse
        << Record
        << END
    )
    assert transcript.only(Refuse).refusal.status == 403

`<<` takes what the generator yields next and compares it; `>>` says what it is answered with. What
is answered with nothing needs no `>>`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from textwrap import dedent
from typing import Final, Literal, Self

from tameflare_core.approval import Answer, Approval
from tameflare_core.commands import Command, Enforcement, OpenApproval, Opened, Reply
from tameflare_core.config.document import GatewayConfig
from tameflare_core.gateway import Gateway
from tameflare_core.plugins import load_plugins
from tameflare_core.record import TrafficRecord
from tameflare_core.surroundings import Surroundings

__all__ = [
    "END",
    "FIXED_TIME",
    "AsyncScriptedApprover",
    "MemoryRecorder",
    "ScriptedApprover",
    "Transcript",
    "fixed_surroundings",
    "gateway_from",
    "opened",
]

FIXED_TIME: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
"""What the clock of `fixed_surroundings` says."""


class _End(enum.Enum):
    END = "the end"


END: Final = _End.END
"""What a transcript expects when the generator has nothing more to yield."""

type Expected = Command | type[Command] | Literal[_End.END]


class Transcript:
    """Drives an enforcement step by step, and compares each command with the expected one.

    Args:
        steps: a generator that was not started.
    """

    def __init__(self, steps: Enforcement) -> None:
        self.commands: list[Command] = []
        """What was yielded so far."""
        self._steps = steps
        self._lines: list[str] = []
        self._reply: Reply | Exception = None

    def __lshift__(self, expected: Expected) -> Self:
        """Take the next command, which is to be `expected`: a value, a class, or `END`.

        Raises:
            AssertionError: it is something else; the message holds the transcript so far.
        """
        yielded = self._next()
        matches = (
            isinstance(yielded, expected)
            if isinstance(expected, type)
            else (yielded is END if expected is END else yielded == expected)
        )
        if not matches:
            told = "\n".join(self._lines)
            raise AssertionError(
                f"expected {_named(expected)}, got {_named(yielded)} after:\n{told or '(nothing)'}"
            )
        self._lines.append(f"  << {_named(yielded)}")
        return self

    def __rshift__(self, reply: Reply | Exception | Callable[[Command], Reply]) -> Self:
        """Answer the command taken last; an exception is thrown at it, a function is asked."""
        self._reply = reply(self.commands[-1]) if callable(reply) else reply
        self._lines.append(f"  >> {reply!r}")
        return self

    def only[Kind](self, kind: type[Kind]) -> Kind:
        """The one command of a kind.

        Raises:
            AssertionError: there is none, or there are several.
        """
        found = [command for command in self.commands if isinstance(command, kind)]
        assert len(found) == 1, f"{len(found)} of {kind.__name__} in: {self.commands}"
        return found[0]

    def _next(self) -> Command | Literal[_End.END]:
        reply, self._reply = self._reply, None
        try:
            if isinstance(reply, Exception):
                command = self._steps.throw(reply)
            else:
                command = self._steps.send(reply)
        except StopIteration:
            return END
        self.commands.append(command)
        return command


def opened(command: Command) -> Opened:
    """The reply to `OpenApproval` of a frontend that asks, and holds the request."""
    assert isinstance(command, OpenApproval)
    return Opened(command.approval)


def _named(what: Expected) -> str:
    if what is END:
        return "END"
    return what.__name__ if isinstance(what, type) else repr(what)


def fixed_surroundings() -> Surroundings:
    """A clock that stands at `FIXED_TIME`, and ids that count from 1."""
    ids = count(1)
    return Surroundings(
        now=lambda: FIXED_TIME,
        monotonic=lambda: 0.0,
        new_id=lambda: f"00000000-0000-7000-8000-{next(ids):012}",
    )


def gateway_from(text: str, *, folder: Path | None = None, extra: Iterable[object] = ()) -> Gateway:
    """A gateway from the text of a `tameflare.yaml`, with the built-in plugins alone.

    Args:
        text: the document; indentation that all lines share is removed.
        folder: where relative file names in it start; the current folder by default.
        extra: modules or objects with hook implementations.

    Raises:
        ConfigError: something in the document is wrong.
    """
    config = GatewayConfig.from_text(dedent(text), folder=folder or Path.cwd())
    return config.bind(load_plugins(extra, entry_points=False))


class MemoryRecorder:
    """A recorder that keeps records in a list."""

    def __init__(self) -> None:
        self.records: list[TrafficRecord] = []

    def prepare(self) -> None:
        """Memory is always ready."""

    def record(self, record: TrafficRecord) -> None:
        self.records.append(record)


class ScriptedApprover:
    """An approver that gives the answers of a script, in order.

    Args:
        answers: one for each question.
    """

    def __init__(self, *answers: Answer) -> None:
        self.asked: list[Approval] = []
        self.withdrawn: list[Approval] = []
        self._answers = list(answers)

    def open(self, approval: Approval) -> None:
        self.asked.append(approval)

    def wait(self, approval: Approval) -> Answer:
        return self._answers.pop(0)

    def withdraw(self, approval: Approval) -> None:
        self.withdrawn.append(approval)


class AsyncScriptedApprover:
    """`ScriptedApprover` for an event loop.

    Args:
        answers: one for each question.
    """

    def __init__(self, *answers: Answer) -> None:
        self._script = ScriptedApprover(*answers)
        self.asked = self._script.asked
        self.withdrawn = self._script.withdrawn

    async def open(self, approval: Approval) -> None:
        self._script.open(approval)

    async def wait(self, approval: Approval) -> Answer:
        return self._script.wait(approval)

    async def withdraw(self, approval: Approval) -> None:
        self._script.withdraw(approval)
