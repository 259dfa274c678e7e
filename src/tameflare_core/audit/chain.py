"""Whether an audit log is whole, and if not, where it is not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tameflare_core.audit.checkpoint import Checkpoint, VerifyingKey
from tameflare_core.audit.event import NO_EVENT, AuditEvent

__all__ = ["ChainCheck", "Verification", "verify"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What came of looking at a whole log.

    Attributes:
        events: how many events were found to be whole, from the first on.
        signed: up to which event a genuine checkpoint covers the log; 0 for none.
        seq: the first event that is not as it was; None when all are.
        problem: what is wrong with it; empty when nothing is.
    """

    events: int
    signed: int
    seq: int | None = None
    problem: str = ""

    @property
    def whole(self) -> bool:
        """Whether nothing was deleted, edited or reordered."""
        return self.seq is None


class ChainCheck:
    """Looks at a log event by event, in constant memory but for the checkpoints.

    Args:
        checkpoints: of the log.
        key: whose checkpoints count.
    """

    def __init__(self, checkpoints: Iterable[Checkpoint], key: VerifyingKey) -> None:
        self._checkpoints = {checkpoint.seq: checkpoint for checkpoint in checkpoints}
        self._last_signed = max(self._checkpoints, default=0)
        self._key = key
        self._seq = 0
        self._hash = NO_EVENT
        self._signed = 0
        self._found: Verification | None = None

    def add(self, event: AuditEvent) -> bool:
        """Look at the next event; False when something is wrong, and the rest is of no use."""
        expected = self._seq + 1
        checkpoint = self._checkpoints.get(expected)
        if event.seq != expected:
            self._wrong(expected, _misplaced(event.seq, expected))
        elif event.previous != self._hash:
            self._wrong(expected, "it does not follow the event before it")
        elif not event.is_genuine:
            self._wrong(expected, "it was edited: its hash is not that of its content")
        elif checkpoint is not None and not self._key.signed(checkpoint):
            self._wrong(expected, "its checkpoint is not signed by the log's key")
        elif checkpoint is not None and checkpoint.hash != event.hash:
            self._wrong(expected, "it is another one than its checkpoint was signed over")
        else:
            self._seq, self._hash = expected, event.hash
            self._signed = expected if checkpoint is not None else self._signed
        return self._found is None

    def end(self) -> Verification:
        """What came of it, after the last event."""
        if self._found is None and self._last_signed > self._seq:
            self._wrong(
                self._seq + 1,
                f"it is missing: a checkpoint covers events up to {self._last_signed}",
            )
        return self._found or Verification(events=self._seq, signed=self._signed)

    def _wrong(self, seq: int, problem: str) -> None:
        self._found = Verification(events=self._seq, signed=self._signed, seq=seq, problem=problem)


def verify(
    events: Iterable[AuditEvent], checkpoints: Iterable[Checkpoint], key: VerifyingKey
) -> Verification:
    """Look at a whole log.

    What was done to it after the last checkpoint, with every later hash made anew, cannot be told;
    everything else is found.

    Args:
        events: first to last.
        checkpoints: of the log.
        key: whose checkpoints count.
    """
    check = ChainCheck(checkpoints, key)
    for event in events:
        if not check.add(event):
            break
    return check.end()


def _misplaced(found: int, expected: int) -> str:
    if found > expected:
        return f"it is missing: event {found} stands in its place"
    return f"event {found} stands in its place: the order was changed"
