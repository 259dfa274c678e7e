"""What it costs to count a request, and that what is counted already does not matter."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from tameflare_core.usage import Charge, LocalUsage

SIZES = (10, 1_000, 100_000)
ROUNDS, PER_ROUND = 31, 500
WITHIN = 3600.0
START = datetime(2026, 1, 1, tzinfo=UTC)


def charges(key: str) -> list[Charge]:
    """A limit on requests and one on what they spend."""
    return [
        Charge(key=("agent", "limits", "requests", key), amount=1, most=10**9, within=WITHIN),
        Charge(key=("agent", "limits", "spend", key), amount=2500, most=10**12, within=WITHIN),
    ]


def counting(size: int) -> Callable[[], None]:
    """One step in a meter in which `size` requests are within the window at any time."""
    usage, step = LocalUsage(), timedelta(seconds=WITHIN / size)
    keys = [charges(str(number)) for number in range(10)]
    count = 0

    def one() -> None:
        nonlocal count
        count += 1
        request_id = str(count)
        assert not usage.reserve(request_id, keys[count % 10], START + count * step)
        usage.settle(request_id)

    for _ in range(size):
        one()
    return one


def test_cost_of_counting_does_not_grow_with_what_is_counted(
    print_table: Callable[[str, Sequence[Sequence[str]]], None],
) -> None:
    steps = {size: counting(size) for size in SIZES}
    times: dict[int, list[float]] = {size: [] for size in SIZES}
    # Alternating, so that whatever else the machine does falls on all of them.
    for _ in range(ROUNDS):
        for size, one in steps.items():
            started = time.perf_counter()
            for _ in range(PER_ROUND):
                one()
            times[size].append((time.perf_counter() - started) / PER_ROUND * 1e6)
    cost = {size: statistics.median(times[size]) for size in SIZES}
    print_table(
        "reserve + settle, two limits",
        [
            ("requests in the window", "µs", "ratio"),
            *((f"{s:,}", f"{cost[s]:.1f}", f"{cost[s] / cost[SIZES[0]]:.2f}") for s in SIZES),
        ],
    )
    # A window that is added up anew for each request would be at several thousand.
    assert cost[SIZES[-1]] / cost[SIZES[0]] < 3
