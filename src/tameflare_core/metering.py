"""What one request counts towards limits: before it leaves, and not unless it leaves."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from tameflare_core.commands import (
    Command,
    GiveBackUsage,
    Reply,
    ReserveUsage,
    SettleUsage,
    TakeUsage,
)
from tameflare_core.decision import Decision, Verdict
from tameflare_core.decision_point import DecisionPoint

__all__ = ["Metering"]


@dataclass(slots=True)
class Metering:
    """The counting of one request.

    Attributes:
        request_id: by which it is counted.
        left: whether the request was sent, as far as anybody can tell; then it stays counted.
    """

    request_id: str
    left: bool = False
    _counted: bool = False

    def reserve(
        self, point: DecisionPoint, verdict: Verdict, now: datetime
    ) -> Generator[Command, Reply, Verdict]:
        """Count a request that may leave; return its verdict, or the one where limits are reached.

        Args:
            point: what judged it.
            verdict: how, as if there was room below every limit.
            now: the time of the decision.
        """
        if not verdict.charges or verdict.applied is Decision.DENY:
            return verdict
        over = yield ReserveUsage(self.request_id, verdict.charges, now)
        if not isinstance(over, frozenset):
            raise TypeError("ReserveUsage is answered with a set of charges")
        if over:
            return point.with_usage(verdict, over)
        self._counted = True
        return verdict

    def take(self, verdict: Verdict, now: datetime) -> Generator[Command, Reply, None]:
        """Count a request that is about to leave although it is over a limit."""
        if verdict.charges and not self._counted:
            yield TakeUsage(self.request_id, verdict.charges, now)
            self._counted = True

    def close(self) -> Generator[Command, Reply, None]:
        """Leave counted what left, and give back what did not."""
        if not self._counted:
            return
        self._counted = False
        # What is not given back expires with its window: the limit is then tighter, never wider.
        with suppress(Exception):
            if self.left:
                yield SettleUsage(self.request_id)
            else:
                yield GiveBackUsage(self.request_id)
