"""What one decision costs, and that the number of permissions does not matter."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from tameflare_core.decision import Decision
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.patterns import ActionPattern
from tameflare_core.permission import Permission
from tameflare_core.request import OutboundRequest
from tameflare_core.testing import FIXED_TIME, gateway_from

SIZES = (10, 1_000, 10_000)
ROUNDS, PER_ROUND = 31, 500
HEADERS = [
    ("Host", "api.github.com"),
    ("Accept", "application/vnd.github+json"),
    ("Accept-Encoding", "gzip, deflate"),
    ("Authorization", "Bearer tf_placeholder_github"),
    ("User-Agent", "agent/1.0"),
    ("Content-Length", "2"),
    ("Content-Type", "application/json"),
]
PATTERNS = ("github.pr.merge", "github.pr.*", "github.*", "github.repo.delete", "github.issue.*")


def point_with(size: int) -> DecisionPoint:
    """A gateway with rules about many repositories, and one about the repository in question."""
    gateway = gateway_from(
        """
        version: 1
        gateway: agent
        connectors: [{type: github}]
        """
    )
    rules = [
        Permission(
            id=f"permissions[{index}]",
            connector="github",
            action=ActionPattern(PATTERNS[index % len(PATTERNS)]),
            decision=Decision.DENY,
            resource={"owner": "o", "repo": f"repository-{index}"},
        )
        for index in range(size - 1)
    ]
    rules.append(
        Permission(
            id="the-one",
            connector="github",
            action=ActionPattern("github.pr.merge"),
            decision=Decision.ALLOW,
            resource={"owner": "o", "repo": "r"},
        )
    )
    return DecisionPoint(replace(gateway, permissions=tuple(rules)))


def decide(point: DecisionPoint) -> Decision:
    request = OutboundRequest.build(
        method="PUT",
        scheme="https",
        authority="api.github.com",
        target="/repos/o/r/pulls/1/merge",
        headers=HEADERS,
    )
    return point.decide(request, FIXED_TIME).decision


def test_decision_cost_does_not_grow_with_rules(
    print_table: Callable[[str, Sequence[Sequence[str]]], None],
) -> None:
    points = {size: point_with(size) for size in SIZES}
    times: dict[int, list[float]] = {size: [] for size in SIZES}
    for point in points.values():
        assert decide(point) is Decision.ALLOW
    # Alternating, so that whatever else the machine does falls on all of them.
    for _ in range(ROUNDS):
        for size, point in points.items():
            started = time.perf_counter()
            for _ in range(PER_ROUND):
                decide(point)
            times[size].append((time.perf_counter() - started) / PER_ROUND * 1e6)
    cost = {size: statistics.median(times[size]) for size in SIZES}
    print_table(
        "canonicalise + parse + decide, `PUT /repos/o/r/pulls/1/merge`",
        [
            ("permissions", "µs", "ratio"),
            *((f"{s:,}", f"{cost[s]:.1f}", f"{cost[s] / cost[SIZES[0]]:.2f}") for s in SIZES),
        ],
    )
    # The target is 1.5; a table that is searched from end to end would be at several hundred.
    assert cost[SIZES[-1]] / cost[SIZES[0]] < 3
