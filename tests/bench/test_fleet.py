"""One proxy and many gateways: kill switches, approvals, and what they take up.

The control plane, the proxy and the clients share the machine's cores.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tameflare_core.approval import Answer, Approval, ApprovalState
from tests.proxy.conftest import start_origin, vendor
from tests.proxy.origin import Origin, Vendor
from tests.proxy.running import Client
from tests.proxy.test_fleet import MERGE, Setting, until

__all__ = ["start_origin", "vendor"]

GATEWAYS = 50
MANY = 1000
HELD = 5000
ANSWERS = 30

type Show = Callable[[str, Sequence[Sequence[str]]], None]


@pytest.fixture
def setting(
    tmp_path: Path, start_origin: Callable[..., Origin], vendor: Vendor
) -> Iterator[Setting]:
    with ExitStack() as stack:
        yield Setting(stack, tmp_path, start_origin(), vendor)


def resident() -> int:
    """Bytes of memory that this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def test_kill_switch_reaches_fifty_gateways(setting: Setting, print_table: Show) -> None:
    plane = setting.start_plane()
    tokens = [setting.gateway(f"agent-{n}") for n in range(GATEWAYS)]
    with ExitStack() as stack:
        folders = [setting.folder / f"proxy-{n}" for n in range(5)]
        proxies = []
        for folder in folders:
            folder.mkdir()
            setting_proxy = setting.proxy()
            setting_proxy.folder = folder
            proxies.append(stack.enter_context(setting_proxy))
        clients = [
            setting.tunnel(proxies[n % len(proxies)], token) for n, token in enumerate(tokens)
        ]
        for client in clients:
            assert setting.on(client).status == 200
        until(lambda: all(proxy.status()["streaming"] for proxy in proxies))
        times = []
        for _ in range(5):
            began = time.perf_counter()
            switch = plane.owner.post("/api/v1/kill-switches", {"scope": "org", "reason": "x"})
            until(lambda: all(_stopped(proxy) for proxy in proxies))
            times.append(time.perf_counter() - began)
            assert all(setting.on(client).status == 403 for client in clients)
            plane.owner.delete(f"/api/v1/kill-switches/{switch.json()['id']}")
            until(lambda: not any(_stopped(proxy) for proxy in proxies))
    print_table(
        f"a kill switch, until {GATEWAYS} gateways on {len(folders)} proxies refuse",
        [
            ("median ms", f"{statistics.median(times) * 1000:.0f}"),
            ("most ms", f"{max(times) * 1000:.0f}"),
        ],
    )


def _stopped(proxy: Any) -> bool:
    return all(len(served.point().kill_switches) > 0 for served in proxy.fleet)


def test_answer_lets_the_request_go(setting: Setting, print_table: Show) -> None:
    plane = setting.start_plane()
    token = setting.gateway()
    times = []
    with setting.proxy() as proxy, ThreadPoolExecutor(1) as pool:
        client = setting.tunnel(proxy, token)
        assert setting.on(client).status == 200
        until(lambda: proxy.status()["streaming"])
        for _ in range(ANSWERS):
            asking = pool.submit(setting.on, client, "PUT", MERGE)
            (asked,) = until(
                lambda: plane.owner.get("/api/v1/approvals", params={"state": "pending"}).json()[
                    "items"
                ]
            )
            began = time.perf_counter()
            plane.owner.post(f"/api/v1/approvals/{asked['id']}/approve")
            assert asking.result(20).status == 200
            times.append((time.perf_counter() - began) * 1000)
    print_table(
        "from the answer until the client has the service's own",
        [
            ("median ms", f"{statistics.median(times):.1f}"),
            ("p95 ms", f"{statistics.quantiles(times, n=20)[-1]:.1f}"),
        ],
    )


def test_a_thousand_gateways_on_one_proxy(setting: Setting, print_table: Show) -> None:
    plane = setting.start_plane()
    tokens = [setting.gateway(f"agent-{n}") for n in range(MANY)]
    before = resident()
    with setting.proxy() as proxy:

        async def learn() -> float:
            began = time.perf_counter()
            for start in range(0, MANY, 50):
                await asyncio.gather(*map(proxy.fleet.find, tokens[start : start + 50]))
            return time.perf_counter() - began

        seconds = asyncio.run_coroutine_threadsafe(learn(), proxy.loop).result(300)
        until(lambda: len(plane.app.state.dispatch._by_gateway) == MANY)
        assert len(plane.app.state.dispatch._streams) == 1
        memory = resident() - before
        began = time.perf_counter()
        plane.owner.put(
            "/api/v1/gateways/agent-500", {"document": setting.document("agent-500", read="deny")}
        )
        until(lambda: setting.send(proxy, tokens[500]).status == 403)
        change = time.perf_counter() - began
    print_table(
        f"{MANY} gateways on one proxy, one event stream",
        [
            ("learning all, s", f"{seconds:.1f}"),
            ("memory each, KiB", f"{memory / MANY / 1024:.0f}"),
            ("a change in force, ms", f"{change * 1000:.0f}"),
        ],
    )


def test_five_thousand_are_held_at_once(setting: Setting, print_table: Show) -> None:
    plane = setting.start_plane()
    token = setting.gateway()
    with setting.proxy() as proxy:
        client = setting.tunnel(proxy, token)
        assert setting.on(client).status == 200
        until(lambda: proxy.status()["streaming"])
        model = _asked(setting, proxy, client, plane)
        approver = next(iter(proxy.fleet)).services.approvals._approver

        async def hold() -> tuple[int, float]:
            held = [_another(model, n) for n in range(HELD)]
            before = resident()
            waiting = []
            for start in range(0, HELD, 50):
                for one in held[start : start + 50]:
                    await approver.open(one)
                    waiting.append(asyncio.ensure_future(approver.wait(one)))
            await asyncio.sleep(0)
            memory = resident() - before
            began = time.perf_counter()
            await asyncio.to_thread(
                plane.owner.post, "/api/v1/kill-switches", {"scope": "org", "reason": "x"}
            )
            answers: list[Answer] = await asyncio.gather(*waiting)
            assert {answer.state for answer in answers} == {ApprovalState.KILLED}
            return memory, time.perf_counter() - began

        memory, seconds = asyncio.run_coroutine_threadsafe(hold(), proxy.loop).result(300)
    print_table(
        f"{HELD} approvals waited for at once on one gateway",
        [
            ("memory each, KiB (gateway and control plane)", f"{memory / HELD / 1024:.1f}"),
            ("all ended by a kill switch, s", f"{seconds:.1f}"),
        ],
    )


def _asked(setting: Setting, proxy: Any, client: Client, plane: Any) -> Approval:
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(setting.on, client, "PUT", MERGE)
        (asked,) = until(
            lambda: plane.owner.get("/api/v1/approvals", params={"state": "pending"}).json()[
                "items"
            ]
        )
        book = next(iter(proxy.fleet)).services.approvals._book
        model: Approval = book.find(asked["id"]).approval
        plane.owner.post(f"/api/v1/approvals/{asked['id']}/deny")
        assert asking.result(20).status == 403
    return model


def _another(model: Approval, number: int) -> Approval:
    from dataclasses import replace

    return replace(model, id=f"apv_bench{number}", timeout=600.0)
