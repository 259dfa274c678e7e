"""What has been used of a limit: requests and amounts within a sliding window.

A request that is about to leave counts first and leaves then, so that a hundred at once cannot each
find the last place free: `reserve` it, and afterwards either `settle` it or `give_back`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, InvalidOperation
from typing import Protocol

from tameflare_core.errors import TameflareError

__all__ = ["Charge", "LocalUsage", "UsageMeter"]

_MAX_COUNTERS = 10_000
_MAX_ENTRIES = 1_000_000

# Sums are whole numbers of these, so that none depends on the order of its parts or on a context.
_PLACES = 12
_PER_UNIT: int = 10**_PLACES
_SMALLEST = Decimal((0, (1,), -_PLACES))
_DIGITS = 40
_TOO_LARGE: int = 10**_DIGITS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one request adds to one limit.

    Attributes:
        key: which counter; the limits of two rules, or of one rule for two connectors, have two.
        amount: 1 where requests are counted, else the measured number; 0 or more.
        most: what the sum within the window may reach and not pass.
        within: the length of the window in seconds; it slides, and a key has a counter for each
            length that it is used with.
    """

    key: tuple[str, ...]
    amount: int | Decimal
    most: int | Decimal
    within: float


class UsageMeter(Protocol):
    """Counts what requests use.

    A meter may be shared by gateways and stand in a database. Its methods may then block, and
    whatever they raise is a refusal of the request. Charges of one request add up: those with one
    key, and those of several calls.

    Attributes:
        blocks: whether its methods may block, as those of a database do; they are then called in a
            thread of their own where there is an event loop.
    """

    blocks: bool

    def reserve(
        self, request_id: str, charges: Sequence[Charge], now: datetime
    ) -> frozenset[Charge]:
        """Count all of `charges`, or none of them if any goes over its limit, in one step.

        Args:
            request_id: what to `settle` or `give_back` them by.
            charges: what the request would use.
            now: the current time, with a zone.

        Returns:
            Those that would go over; empty when all were counted.

        Raises:
            ValueError: an amount is negative or no number, or a window has no length.
        """

    def take(self, request_id: str, charges: Sequence[Charge], now: datetime) -> None:
        """Count `charges`, over their limits or not.

        This is for a request that leaves although it is over: a human approved it, or the
        enforcement level lets it pass.

        Args:
            request_id: what to `settle` or `give_back` them by.
            charges: what the request uses.
            now: the current time, with a zone.

        Raises:
            ValueError: as `reserve`.
            TameflareError: they cannot be counted.
        """

    def give_back(self, request_id: str) -> None:
        """Void what a request had counted, because it never left; nothing for an unknown id."""

    def settle(self, request_id: str) -> None:
        """Leave counted what a request had counted, because it left, and forget its id."""


type _Place = tuple[tuple[str, ...], int]
"""A counter's key and the length of its window in microseconds."""


class _Counter:
    """The sum of the entries of one place, and how many there are."""

    __slots__ = ("entries", "total")

    def __init__(self) -> None:
        self.entries = 0
        self.total = 0


class _Entry:
    """What one request counted at one place; an amount of 0 is one that was given back."""

    __slots__ = ("amount", "place", "request_id", "time")

    def __init__(self, place: _Place, amount: int, request_id: str, time: int) -> None:
        self.place = place
        self.amount = amount
        self.request_id = request_id
        self.time = time


class _Window:
    """The entries of all counters whose window has the same length: they expire in order."""

    __slots__ = ("entries", "void")

    def __init__(self) -> None:
        self.entries: deque[_Entry] = deque()
        self.void = 0


class LocalUsage:
    """A meter in memory, exact for the threads of one process.

    An entry counts from its time until just before `within` seconds later. Amounts are exact to
    twelve decimal places, and what is beyond them is rounded up. Time never goes backwards: a
    `now` before the latest one is taken for that one.

    Memory is bounded. When it is full, every charge counts as over until entries expire.

    Args:
        max_counters: how many counters may hold something at a time.
        max_entries: how many entries there may be in all of them.
    """

    blocks = False

    def __init__(
        self, *, max_counters: int = _MAX_COUNTERS, max_entries: int = _MAX_ENTRIES
    ) -> None:
        self._max_counters = max_counters
        self._max_entries = max_entries
        self._lock = threading.Lock()
        self._counters: dict[_Place, _Counter] = {}
        self._windows: dict[int, _Window] = {}
        self._open: dict[str, set[_Entry]] = {}
        self._entries = 0
        self._time = 0

    def reserve(
        self, request_id: str, charges: Sequence[Charge], now: datetime
    ) -> frozenset[Charge]:
        places = [_place(charge) for charge in charges]
        mosts = [_fixed(charge.most, _ROUNDED_DOWN) for charge in charges]
        amounts = _amounts(places, charges)
        with self._lock:
            self._advance(now, amounts)
            over = frozenset(
                charge
                for charge, place, most in zip(charges, places, mosts, strict=True)
                if self._total(place) + amounts[place] > most
            )
            if over:
                return over
            if not self._has_room(amounts):
                return frozenset(charges)
            self._count(request_id, amounts)
        return frozenset()

    def take(self, request_id: str, charges: Sequence[Charge], now: datetime) -> None:
        amounts = _amounts([_place(charge) for charge in charges], charges)
        with self._lock:
            self._advance(now, amounts)
            if not self._has_room(amounts):
                raise TameflareError("too much is counted at once: try again later")
            self._count(request_id, amounts)

    def give_back(self, request_id: str) -> None:
        with self._lock:
            for entry in self._open.pop(request_id, ()):
                self._uncount(entry)
                entry.amount = 0
                self._void(entry.place[1])

    def settle(self, request_id: str) -> None:
        with self._lock:
            self._open.pop(request_id, None)

    def _advance(self, now: datetime, amounts: Mapping[_Place, int]) -> None:
        self._time = max(self._time, (now - _EPOCH) // _MICROSECOND)
        for _, span in amounts:
            self._expire(span)

    def _total(self, place: _Place) -> int:
        counter = self._counters.get(place)
        return 0 if counter is None else counter.total

    def _has_room(self, amounts: Mapping[_Place, int]) -> bool:
        if self._fits(amounts):
            return True
        for span in list(self._windows):
            self._expire(span)
        return self._fits(amounts)

    def _fits(self, amounts: Mapping[_Place, int]) -> bool:
        counted = [place for place, amount in amounts.items() if amount]
        fresh = sum(place not in self._counters for place in counted)
        return not counted or (
            self._entries + len(counted) <= self._max_entries
            and len(self._counters) + fresh <= self._max_counters
        )

    def _count(self, request_id: str, amounts: Mapping[_Place, int]) -> None:
        for place, amount in amounts.items():
            if not amount:
                continue
            entry = _Entry(place, amount, request_id, self._time)
            counter = self._counters.setdefault(place, _Counter())
            counter.total += amount
            counter.entries += 1
            self._windows.setdefault(place[1], _Window()).entries.append(entry)
            self._entries += 1
            self._open.setdefault(request_id, set()).add(entry)

    def _uncount(self, entry: _Entry) -> None:
        counter = self._counters[entry.place]
        counter.total -= entry.amount
        counter.entries -= 1
        if not counter.entries:
            del self._counters[entry.place]

    def _expire(self, span: int) -> None:
        window = self._windows.get(span)
        if window is None:
            return
        entries, before = window.entries, self._time - span
        while entries and entries[0].time <= before:
            entry = entries.popleft()
            self._entries -= 1
            if entry.amount:
                self._uncount(entry)
                self._close(entry)
            else:
                window.void -= 1
        if not entries:
            del self._windows[span]

    def _close(self, entry: _Entry) -> None:
        # A request may be held for longer than its window, and has nothing to give back then.
        still_open = self._open.get(entry.request_id)
        if still_open is not None:
            still_open.discard(entry)
            if not still_open:
                del self._open[entry.request_id]

    def _void(self, span: int) -> None:
        # Only when half of a window is void, so that each entry pays for a constant part of it.
        window = self._windows[span]
        window.void += 1
        if window.void * 2 < len(window.entries):
            return
        self._entries -= window.void
        window.void = 0
        window.entries = deque(entry for entry in window.entries if entry.amount)
        if not window.entries:
            del self._windows[span]


def _place(charge: Charge) -> _Place:
    try:
        span = round(charge.within * 1_000_000)
    except (OverflowError, ValueError):  # infinity, NaN
        span = 0
    if span <= 0:
        raise ValueError(f"`{charge.within}` is not the length of a window in seconds")
    return charge.key, span


def _amounts(places: Sequence[_Place], charges: Sequence[Charge]) -> dict[_Place, int]:
    amounts: dict[_Place, int] = {}
    for place, charge in zip(places, charges, strict=True):
        amount = _fixed(charge.amount, _ROUNDED_UP)
        if charge.amount < 0:  # `amount` may have been rounded up to 0
            raise ValueError(f"an amount is 0 or more, and this one is `{charge.amount}`")
        amounts[place] = amounts.get(place, 0) + amount
    return amounts


_ROUNDED_UP = Context(prec=_DIGITS, rounding=ROUND_CEILING)
_ROUNDED_DOWN = Context(prec=_DIGITS, rounding=ROUND_FLOOR)


def _fixed(number: int | Decimal, context: Context) -> int:
    """`number` in units of the last decimal place that is kept."""
    if isinstance(number, int):
        whole = number * _PER_UNIT
    elif not number.is_finite():
        raise _not_countable()
    else:
        try:
            # Never written out before: its exponent may be a billion.
            kept = number.quantize(_SMALLEST, context=context)
        except InvalidOperation:
            raise _not_countable() from None
        whole = int(kept.scaleb(_PLACES, context=context))
    if abs(whole) >= _TOO_LARGE:
        raise _not_countable()
    return whole


def _not_countable() -> ValueError:
    return ValueError("a number is too large to be counted, or is none")
