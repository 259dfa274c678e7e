"""Records on disk: written whole, kept until they are sent, bounded."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tameflare_core.errors import ControlPlaneRefused, ControlPlaneUnreachable
from tameflare_core.sync.client import new_instance_id
from tameflare_core.vault.secret import Secret
from tameflare_proxy.spool import Spool

WRITER = """
import sys, time
from pathlib import Path
from tests.proxy.test_spool import record
from tameflare_proxy.spool import Spool
spool = Spool(Path(sys.argv[1]), "pxi_dead").of_gateway(b"d" * 32)
for n in range(10**9):
    spool.prepare()
    spool.record(record(n))
    print(n, flush=True)
"""


class _Record:
    """As much of a record as a spool looks at."""

    def __init__(self, number: int) -> None:
        self.number = number

    def to_json(self) -> str:
        return json.dumps({"number": self.number})


def record(number: int) -> _Record:
    return _Record(number)


class Plane:
    """Takes batches, or refuses them as it is told."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.errors: list[Exception] = []
        self.batches = 0

    async def send_traffic(self, token: Secret, records: list[str]) -> None:
        self.batches += 1
        if self.errors:
            raise self.errors.pop(0)
        self.taken += [json.loads(each)["number"] for each in records]


async def drained(spool: object, plane: Plane, count: int) -> None:
    draining = asyncio.ensure_future(spool.drain(plane, lambda: Secret("t")))  # type: ignore[attr-defined]
    async with asyncio.timeout(20):
        while len(plane.taken) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await asyncio.sleep(0)
    draining.cancel()
    await asyncio.gather(draining, return_exceptions=True)


def test_records_go_in_batches_and_leave_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        spool = Spool(tmp_path, new_instance_id())
        one, plane = spool.of_gateway(b"d" * 32), Plane()
        plane.errors = [ControlPlaneUnreachable("no")]
        for number in range(2500):
            one.prepare()
            one.record(record(number))  # type: ignore[arg-type]
        assert one.unsent_records == 2500
        await drained(one, plane, 2500)
        assert plane.taken == list(range(2500))
        assert plane.batches <= 6
        assert (one.unsent_records, spool.unsent_bytes) == (0, 0)
        one.close()
        assert list(tmp_path.glob("*/*")) == []  # noqa: ASYNC240  # nothing else runs

    asyncio.run(main())


def test_batch_that_is_refused_is_set_aside_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        one, plane = Spool(tmp_path, "pxi_1").of_gateway(b"d" * 32), Plane()
        plane.errors = [ControlPlaneRefused("bad record", 422)]
        one.record(record(1))  # type: ignore[arg-type]
        draining = asyncio.ensure_future(one.drain(plane, lambda: Secret("t")))  # type: ignore[arg-type]
        async with asyncio.timeout(20):
            while one.unsent_records:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        one.record(record(2))  # type: ignore[arg-type]
        async with asyncio.timeout(20):
            while plane.taken != [2]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        draining.cancel()
        await asyncio.gather(draining, return_exceptions=True)

    asyncio.run(main())
    (rejected,) = tmp_path.glob("*/*.rejected")
    assert json.loads(rejected.read_text()) == {"number": 1}
    assert rejected.stat().st_mode & 0o077 == 0
    assert "set aside" in caplog.text


def test_process_that_is_killed_loses_no_record(tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(["src", "."])},
    )
    assert writer.stdout is not None
    said = 0
    for line in writer.stdout:
        said = int(line)
        if said >= 500:
            break
    writer.send_signal(signal.SIGKILL)
    said = max([said, *(int(line) for line in writer.stdout if line.endswith("\n"))])
    writer.wait()
    writer.stdout.close()

    async def main() -> None:
        one, plane = Spool(tmp_path, "pxi_next").of_gateway(b"d" * 32), Plane()
        await drained(one, plane, said + 1)
        assert plane.taken[: said + 1] == list(range(said + 1))

    asyncio.run(main())


def test_segment_of_a_living_process_is_its_own(tmp_path: Path) -> None:
    async def main() -> None:
        living = Spool(tmp_path, "pxi_1").of_gateway(b"d" * 32)
        living.record(record(1))  # type: ignore[arg-type]
        assert Spool(tmp_path, "pxi_2").of_gateway(b"d" * 32)._left_behind() == []
        living.close()
        (left,) = Spool(tmp_path, "pxi_2").of_gateway(b"d" * 32)._left_behind()
        # What a write that was cut short left is no record.
        with left.open("ab") as file:
            file.write(b'\n{"torn\n{"number": 2}\n{"numb')
        plane = Plane()
        await drained(Spool(tmp_path, "pxi_3").of_gateway(b"d" * 32), plane, 2)
        assert plane.taken == [1, 2]

    asyncio.run(main())


def test_full_spool_refuses(tmp_path: Path) -> None:
    one = Spool(tmp_path, "pxi_1", max_bytes=10).of_gateway(b"d" * 32)
    one.prepare()
    one.record(record(1))  # type: ignore[arg-type]
    with pytest.raises(OSError, match="wait for the control plane"):
        one.prepare()
    one.close()


def test_disk_that_cannot_be_written_refuses(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    one = Spool(blocked, "pxi_1").of_gateway(b"d" * 32)
    with pytest.raises(OSError, match="Not a directory"):
        one.prepare()
