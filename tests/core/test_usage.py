from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tameflare_core.errors import TameflareError
from tameflare_core.usage import Charge, LocalUsage, UsageMeter

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def charge(
    amount: int | Decimal = 1,
    *,
    most: int | Decimal = 1,
    within: float = 60,
    key: tuple[str, ...] = ("gateway", "policy", "rule"),
) -> Charge:
    return Charge(key=key, amount=amount, most=most, within=within)


def reserve(usage: UsageMeter, request_id: str, one: Charge, seconds: float = 0) -> bool:
    """Whether `one` was counted."""
    return not usage.reserve(request_id, [one], at(seconds))


def test_charge_up_to_the_limit_is_counted() -> None:
    usage = LocalUsage()
    assert reserve(usage, "a", charge(4, most=10))
    assert reserve(usage, "b", charge(6, most=10))
    assert usage.reserve("c", [charge(1, most=10)], at(0)) == {charge(1, most=10)}


def test_single_charge_above_the_limit_is_over() -> None:
    assert not reserve(LocalUsage(), "a", charge(11, most=10))


def test_entry_counts_until_just_before_the_window_ends() -> None:
    usage = LocalUsage()
    assert reserve(usage, "a", charge(), 0)
    assert not reserve(usage, "b", charge(), 59.999999)
    assert reserve(usage, "c", charge(), 60)
    assert not reserve(usage, "d", charge(), 60.000001)


def test_window_slides_entry_by_entry() -> None:
    usage = LocalUsage()
    for number, seconds in enumerate((0, 30, 45)):
        assert reserve(usage, str(number), charge(most=3), seconds)
    assert not reserve(usage, "x", charge(most=3), 59)
    assert reserve(usage, "x", charge(most=3), 60)
    assert not reserve(usage, "y", charge(most=3), 89)
    assert reserve(usage, "y", charge(most=3), 90)


def test_fraction_of_a_second_is_a_window() -> None:
    usage = LocalUsage()
    assert reserve(usage, "a", charge(within=0.1), 0)
    assert not reserve(usage, "b", charge(within=0.1), 0.099999)
    assert reserve(usage, "c", charge(within=0.1), 0.1)


def test_keys_and_windows_have_counters_of_their_own() -> None:
    usage = LocalUsage()
    assert reserve(usage, "a", charge())
    assert reserve(usage, "b", charge(key=("gateway", "policy", "other")))
    assert reserve(usage, "c", charge(within=3600))
    assert not reserve(usage, "d", charge())


def test_nothing_is_counted_when_one_is_over() -> None:
    usage = LocalUsage()
    requests, tokens = charge(1, most=5, key=("requests",)), charge(11, most=10, key=("tokens",))
    assert usage.reserve("a", [requests, tokens], at(0)) == {tokens}
    assert reserve(usage, "b", charge(5, most=5, key=("requests",)))


def test_same_key_twice_adds_up() -> None:
    usage = LocalUsage()
    low, high = charge(3, most=5), charge(3, most=6)
    assert usage.reserve("a", [low, high], at(0)) == {low}
    assert usage.reserve("b", [high, high], at(0)) == frozenset()
    assert not reserve(usage, "c", charge(1, most=6))


def test_what_never_left_is_given_back() -> None:
    usage = LocalUsage()
    assert reserve(usage, "a", charge())
    usage.give_back("a")
    assert reserve(usage, "b", charge())
    usage.give_back("a")
    usage.give_back("unknown")
    assert not reserve(usage, "c", charge())


def test_what_left_stays_counted() -> None:
    usage = LocalUsage()
    assert reserve(usage, "a", charge())
    usage.settle("a")
    usage.give_back("a")
    assert not reserve(usage, "b", charge())


def test_calls_of_one_request_are_given_back_together() -> None:
    usage = LocalUsage()
    assert reserve(usage, "a", charge(most=2))
    usage.take("a", [charge(most=2)], at(1))
    assert not reserve(usage, "b", charge(most=2), 2)
    usage.give_back("a")
    assert reserve(usage, "b", charge(2, most=2), 2)


def test_taken_charge_counts_although_it_is_over() -> None:
    usage = LocalUsage()
    usage.take("a", [charge(150, most=100)], at(0))
    assert not reserve(usage, "b", charge(1, most=100), 59)
    assert not reserve(usage, "b", charge(0, most=100), 59)
    assert reserve(usage, "b", charge(100, most=100), 60)


def test_giving_back_after_the_window_changes_nothing() -> None:
    usage = LocalUsage()
    assert reserve(usage, "held", charge(), 0)
    assert reserve(usage, "later", charge(), 60)
    usage.give_back("held")
    assert not reserve(usage, "last", charge(), 61)


def test_time_never_runs_backwards() -> None:
    usage = LocalUsage()
    assert reserve(usage, "a", charge(), 100)
    assert not reserve(usage, "b", charge(), 0)
    # Counted at 160, which was the latest time, and not at 50.
    assert reserve(usage, "c", charge(), 160)
    usage.give_back("c")
    assert reserve(usage, "d", charge(), 50)
    assert not reserve(usage, "e", charge(), 219)
    assert reserve(usage, "f", charge(), 220)


def test_time_without_a_zone_is_refused() -> None:
    with pytest.raises(TypeError):
        LocalUsage().reserve("a", [charge()], START.replace(tzinfo=None))


def test_time_zones_do_not_matter() -> None:
    usage = LocalUsage()
    east = at(0).astimezone(timezone(timedelta(hours=9)))
    assert not usage.reserve("a", [charge()], east)
    assert not reserve(usage, "b", charge(), 59)


def test_decimal_amounts_add_up_exactly() -> None:
    usage = LocalUsage()
    for number in range(10):
        assert reserve(usage, str(number), charge(Decimal("0.1"), most=1))
    assert not reserve(usage, "x", charge(Decimal("0.000000000001"), most=1))


def test_small_amounts_are_not_lost_beside_large_ones() -> None:
    usage = LocalUsage()
    large, limit = Decimal("1E+27"), Decimal("1E+27") + 1
    assert reserve(usage, "a", charge(large, most=limit), 0)
    assert reserve(usage, "b", charge(1, most=limit), 30)
    assert not reserve(usage, "c", charge(1, most=limit), 31)
    assert not reserve(usage, "d", charge(1, most=0), 60)


def test_digits_beyond_the_kept_ones_are_rounded_against_the_request() -> None:
    tiny = Decimal("1E-999999999")
    assert not reserve(LocalUsage(), "a", charge(tiny, most=0))
    assert not reserve(LocalUsage(), "a", charge(Decimal("1E-12"), most=tiny))


@pytest.mark.parametrize(
    "amount",
    [-1, Decimal("-0.1"), Decimal("-1E-30"), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"),
     Decimal("1E+999999999"), 10**40],
)  # fmt: skip
def test_amount_that_cannot_be_counted_is_an_error(amount: int | Decimal) -> None:
    usage = LocalUsage()
    for count in (usage.reserve, usage.take):
        with pytest.raises(ValueError, match=r"amount is 0 or more|too large to be counted"):
            count("a", [charge(1, most=1), charge(amount, most=1, key=("other",))], at(0))
    assert reserve(usage, "b", charge(1, most=1))


@pytest.mark.parametrize("within", [0, -1, 1e-9, float("nan"), float("inf")])
def test_window_without_a_length_is_an_error(within: float) -> None:
    with pytest.raises(ValueError, match="not the length of a window"):
        LocalUsage().reserve("a", [charge(within=within)], at(0))


def test_zero_needs_no_room() -> None:
    usage = LocalUsage(max_entries=1, max_counters=1)
    assert reserve(usage, "a", charge(0, most=0))
    assert reserve(usage, "b", charge())
    assert reserve(usage, "c", charge(0, key=("other",)))
    assert reserve(usage, "d", charge(0, most=1))


@pytest.mark.parametrize("bounds", [{"max_entries": 2}, {"max_counters": 2}])
def test_full_meter_refuses_everything(bounds: dict[str, int]) -> None:
    usage = LocalUsage(**bounds)
    for name in ("a", "b"):
        assert reserve(usage, name, charge(most=9, key=(name,)))
    third = charge(most=9, key=("c",))
    assert usage.reserve("c", [third, charge(0, most=9, key=("d",))], at(1)) == {
        third,
        charge(0, most=9, key=("d",)),
    }
    with pytest.raises(TameflareError, match="too much is counted at once"):
        usage.take("c", [third], at(1))
    assert reserve(usage, "c", third, 60)


def test_full_meter_drops_what_expired_in_other_windows() -> None:
    usage = LocalUsage(max_counters=1)
    assert reserve(usage, "a", charge(within=10), 0)
    assert not reserve(usage, "b", charge(within=20), 9)
    assert reserve(usage, "b", charge(within=20), 10)


def test_what_is_given_back_leaves_room() -> None:
    usage = LocalUsage(max_entries=4)
    for round_ in range(20):
        for number in range(4):
            assert reserve(usage, f"{round_} {number}", charge(most=4))
        assert not reserve(usage, "x", charge(most=9))
        for number in (1, 3, 0, 2):
            usage.give_back(f"{round_} {number}")


def test_void_entries_that_expire_leave_room_once() -> None:
    usage = LocalUsage(max_entries=6)
    for number, seconds in enumerate((0, 0, 0, 0, 30, 30)):
        assert reserve(usage, str(number), charge(most=99), seconds)
        if number == 3:
            usage.give_back("0")  # one of four is void: too few to be dropped before they expire
    assert not reserve(usage, "x", charge(most=99), 59)
    usage.settle("4")
    assert reserve(usage, "6", charge(most=99), 60)
    usage.give_back("5")
    usage.give_back("6")
    room = [reserve(usage, f"again {number}", charge(most=99), 60) for number in range(6)]
    assert room == [True] * 5 + [False]


class Restless(tuple[str, ...]):
    """A key at which every look-up lets other threads go on, so that a missing lock shows."""

    __slots__ = ()

    def __hash__(self) -> int:
        time.sleep(0)
        return super().__hash__()


def test_exactly_the_limit_passes_under_threads() -> None:
    usage = LocalUsage()
    barrier = threading.Barrier(8)
    key = Restless(("gateway", "policy", "rule"))
    passed: list[str] = []

    def work(thread: int) -> None:
        barrier.wait(10)
        for number in range(375):
            request_id = f"{thread} {number}"
            if not usage.reserve(request_id, [charge(most=1000, key=key)], at(0)):
                usage.settle(request_id)
                passed.append(request_id)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(passed) == 1000


def test_threads_that_give_back_leave_nothing_behind() -> None:
    usage = LocalUsage()
    barrier = threading.Barrier(8)
    both = [charge(most=8, key=Restless((name,))) for name in "ab"]

    def work(thread: int) -> None:
        barrier.wait(10)
        for number in range(300):
            request_id = f"{thread} {number}"
            usage.take(request_id, both, at(0))
            usage.give_back(request_id)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for one in both:
        assert reserve(usage, "all", charge(8, most=8, key=one.key))


@dataclass
class Counted:
    time: int
    request_id: str
    one: Charge


class Model:
    """A meter that forgets nothing and adds up everything anew."""

    def __init__(self) -> None:
        self.counted: list[Counted] = []
        self.time = 0

    def total(self, one: Charge) -> int | Decimal:
        return sum(
            entry.one.amount
            for entry in self.counted
            if entry.one.key == one.key
            and entry.one.within == one.within
            and self.time - entry.time < one.within
        )

    def reserve(self, request_id: str, charges: list[Charge], seconds: int) -> set[Charge]:
        before = list(self.counted)
        self.take(request_id, charges, seconds)
        over = {one for one in charges if self.total(one) > one.most}
        if over:
            self.counted = before
        return over

    def take(self, request_id: str, charges: list[Charge], seconds: int) -> None:
        self.time = max(self.time, seconds)
        self.counted += [Counted(self.time, request_id, one) for one in charges]

    def give_back(self, request_id: str) -> None:
        self.counted = [entry for entry in self.counted if entry.request_id != request_id]

    def settle(self, request_id: str) -> None:
        for entry in self.counted:
            if entry.request_id == request_id:
                entry.request_id = ""


CHARGES = st.builds(
    Charge,
    key=st.sampled_from([("a",), ("b",)]),
    amount=st.one_of(st.integers(0, 4), st.sampled_from([Decimal("0.1"), Decimal("2.5")])),
    most=st.integers(0, 9),
    within=st.sampled_from([5, 9]),
)
STEPS = st.tuples(
    st.sampled_from(["reserve", "reserve", "take", "give_back", "settle"]),
    st.sampled_from(["r1", "r2", "r3", "r4"]),
    st.lists(CHARGES, max_size=3),
    st.integers(-2, 4),
)


@settings(max_examples=300)
@given(st.lists(STEPS, max_size=40))
def test_meter_agrees_with_a_naive_one(
    steps: list[tuple[str, str, list[Charge], int]],
) -> None:
    usage, model, seconds = LocalUsage(), Model(), 0
    for what, request_id, charges, passed in steps:
        seconds = max(0, seconds + passed)
        if what == "reserve":
            expected = model.reserve(request_id, charges, seconds)
            assert usage.reserve(request_id, charges, at(seconds)) == expected
        elif what == "take":
            model.take(request_id, charges, seconds)
            usage.take(request_id, charges, at(seconds))
        elif what == "give_back":
            model.give_back(request_id)
            usage.give_back(request_id)
        else:
            model.settle(request_id)
            usage.settle(request_id)
