"""What the enforcing transport adds to a request of httpx."""

from __future__ import annotations

import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from tameflare_core.traffic_log import TrafficLog
from tameflare_core.transports.httpx import EnforcingTransport

ROUNDS, PER_ROUND = 41, 50

ORIGIN = """
import sys
from pathlib import Path
from tests.standin import Standin, Authority, as_json
authority = Authority(Path(sys.argv[1]))
with Standin(authority.server_context(), authority.ca_file) as origin:
    origin.answer("GET", "/repos/o/r", as_json({"id": 1, "name": "r"}))
    print(origin.port, authority.ca_file, flush=True)
    sys.stdin.read()
"""

CONFIGURATION = """\
version: 1
gateway: agent
connectors:
  - type: generic
    id: origin
    base_url: https://localhost:{port}
    credential: env:BENCHMARK_TOKEN
    allow_private_network: true
    ca_file: {ca_file}
permissions:
  - {{connector: origin, action: "http.*", decision: allow}}
"""


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """Port and trust anchor of an origin in a process of its own, so that it shares no GIL."""
    process = subprocess.Popen(
        [sys.executable, "-c", ORIGIN, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        port, ca_file = process.stdout.readline().split()
        yield int(port), Path(ca_file)
        process.stdin.close()
        process.wait(timeout=10)


def test_transport_costs_little(
    origin: tuple[int, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    print_table: Callable[[str, Sequence[Sequence[str]]], None],
) -> None:
    port, ca_file = origin
    monkeypatch.setenv("BENCHMARK_TOKEN", "sk-benchmark")
    configuration = tmp_path / "tameflare.yaml"
    configuration.write_text(CONFIGURATION.format(port=port, ca_file=ca_file))
    transport = EnforcingTransport.from_file(
        configuration, recorder=TrafficLog(tmp_path / "traffic.jsonl")
    )
    url = f"https://localhost:{port}/repos/o/r"
    wall: dict[str, list[float]] = {"bare httpx": [], "enforcing": []}
    busy: dict[str, list[float]] = {"bare httpx": [], "enforcing": []}
    with (
        httpx.Client(verify=ssl.create_default_context(cafile=ca_file)) as bare,
        httpx.Client(transport=transport) as enforcing,
    ):
        clients = {"bare httpx": bare, "enforcing": enforcing}
        for client in clients.values():
            assert client.get(url).json() == {"id": 1, "name": "r"}
        for _ in range(ROUNDS):
            for name, client in clients.items():
                started, worked = time.perf_counter(), time.process_time()
                for _ in range(PER_ROUND):
                    client.get(url)
                wall[name].append((time.perf_counter() - started) / PER_ROUND * 1e6)
                busy[name].append((time.process_time() - worked) / PER_ROUND * 1e6)
    walls = {name: statistics.median(times) for name, times in wall.items()}
    cpus = {name: statistics.median(times) for name, times in busy.items()}
    added = [f"{each['enforcing'] - each['bare httpx']:+.0f}" for each in (walls, cpus)]
    print_table(
        "GET over TLS, kept alive, one at a time; µs per request",
        [
            ("", "wall", "CPU of the client"),
            *((name, f"{walls[name]:.0f}", f"{cpus[name]:.0f}") for name in walls),
            ("added", *added),
        ],
    )
    # The target is 50 µs; a request of bare httpx costs several hundred.
    assert cpus["enforcing"] / cpus["bare httpx"] < 2
