"""What it costs to find the row of a request, with the catalogues of every provider loaded."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable, Sequence

from tameflare_core.connectors.base import ConnectorSettings
from tameflare_core.connectors.catalogue import CatalogueConnector
from tameflare_core.connectors.matching import OriginIndex
from tameflare_core.parsers.route_table import Route, RouteTable
from tameflare_core.plugins import load_plugins

ROUNDS = 31
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


def providers() -> list[CatalogueConnector]:
    types = load_plugins(entry_points=False).connectors
    return [
        kind(ConnectorSettings(id=name))
        for name, kind in types.items()
        if issubclass(kind, CatalogueConnector)
    ]


def asked_for(routes: Sequence[Route]) -> list[tuple[str, str]]:
    """A request for each row: every parameter filled with something of the usual length."""
    return [(route.method, re.sub(r"\{.+?\}", "a1B2c3D4", route.path)) for route in routes]


def microseconds(work: Callable[[], None], count: int) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) / count * 1e6


def test_match_costs_the_same_in_any_catalogue(
    print_table: Callable[[str, Sequence[Sequence[str]]], None],
) -> None:
    connectors = providers()
    owners = OriginIndex(connectors)
    rows = {one.type: [r for r in one.catalogue() if r.method in METHODS] for one in connectors}
    tables = {
        one.type: RouteTable(rows[one.type], tail_params=one.tail_params) for one in connectors
    }
    work = {one.type: asked_for(rows[one.type]) for one in connectors}
    # The same requests, in a table that holds nothing but a tenth of the rows.
    few = {
        name: (RouteTable(some, tail_params=frozenset()), asked_for(some))
        for name, some in ((name, every[::10]) for name, every in rows.items())
    }

    def all_of(connector: CatalogueConnector) -> Callable[[], None]:
        host = connector.origins[0].host

        def run() -> None:
            for method, path in work[connector.type]:
                owner = owners.find("https", host, 443)
                assert owner is connector
                assert tables[owner.type].match(method, path) is not None

        return run

    def few_of(name: str) -> Callable[[], None]:
        table, requests = few[name]

        def run() -> None:
            for method, path in requests:
                table.match(method, path)

        return run

    cost: dict[str, list[float]] = {one.type: [] for one in connectors}
    small: dict[str, list[float]] = {one.type: [] for one in connectors}
    for _ in range(ROUNDS):
        for one in connectors:
            cost[one.type].append(microseconds(all_of(one), len(work[one.type])))
            small[one.type].append(microseconds(few_of(one.type), len(few[one.type][1])))
    print_table(
        "host, method and path to row; every row of every catalogue asked for",
        [
            ("catalogue", "rows", "µs", "µs, a tenth of the rows"),
            *(
                (
                    name,
                    f"{len(rows[name]):,}",
                    f"{statistics.median(cost[name]):.2f}",
                    f"{statistics.median(small[name]):.2f}",
                )
                for name in sorted(rows)
            ),
        ],
    )
    # The target is 5 µs; a catalogue searched from end to end would be at fifty.
    assert max(statistics.median(times) for times in cost.values()) < 15
