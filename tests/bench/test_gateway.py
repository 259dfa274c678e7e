"""The universal lane with everything on, next to mitmproxy with only what it needs."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tameflare_proxy.authority import Authority
from tests.bench.peers import CONNECTIONS

ROUNDS = 5
SECONDS = 3
TICK = os.sysconf("SC_CLK_TCK")


def command(role: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", "tests.bench.peers", role, *map(str, arguments)]


@contextmanager
def running(role: str, *arguments: object) -> Iterator[tuple[int, int]]:
    """A server in a process of its own: its process id and its port."""
    with subprocess.Popen(
        command(role, *arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.pid, int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(30)


def cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


@pytest.mark.skipif(sys.platform != "linux", reason="reads CPU times from /proc")
def test_gateway_keeps_most_of_bare_mitmproxys_throughput(
    tmp_path: Path, print_table: Callable[[str, Sequence[Sequence[str]]], None]
) -> None:
    vendor = Authority.load_or_create(tmp_path / "vendor")
    leaf = vendor.leaf("localhost")
    (tmp_path / "leaf.pem").write_bytes(
        leaf.certificate.public_bytes(serialization.Encoding.PEM)
        + leaf.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    key = tmp_path / "key"
    key.write_text("ghp_benchmark")
    key.chmod(0o600)
    Authority.load_or_create(tmp_path / "authority")
    rates: dict[str, list[float]] = {"gateway": [], "bare": []}
    costs: dict[str, list[float]] = {"gateway": [], "bare": []}
    with ExitStack() as stack:
        _, port = stack.enter_context(running("origin", tmp_path))
        proxies = {
            "gateway": stack.enter_context(running("gateway", tmp_path, port)),
            "bare": stack.enter_context(running("bare", tmp_path)),
        }
        authorities = {
            "gateway": tmp_path / "authority" / "ca.pem",
            "bare": tmp_path / "mitmproxy" / "mitmproxy-ca-cert.pem",
        }
        for _ in range(ROUNDS):
            for name, (process, own) in proxies.items():
                before = cpu_seconds(process)
                load = command("load", tmp_path, own, port, authorities[name], SECONDS)
                answered = int(subprocess.run(load, stdout=subprocess.PIPE, check=True).stdout)
                rates[name].append(answered / SECONDS)
                costs[name].append((cpu_seconds(process) - before) / answered * 1e6)
    rate = {name: statistics.median(values) for name, values in rates.items()}
    cost = {name: statistics.median(values) for name, values in costs.items()}
    rows = [("", "requests/s", "CPU/request")]
    rows += [(name, f"{rate[name]:,.0f}", f"{cost[name]:,.0f} µs") for name in rate]
    # Of neighbouring runs, because what else the machine does changes from minute to minute.
    ratios = [
        statistics.median(own / other for own, other in zip(*measured.values(), strict=True))
        for measured in (rates, costs)
    ]
    rows.append(("ratio", *(f"{ratio:.2f}" for ratio in ratios)))
    print_table(f"{CONNECTIONS} kept connections over CONNECT and TLS, small JSON", rows)
    assert ratios[0] >= 0.85
