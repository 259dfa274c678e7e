from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tameflare_core.record import TrafficRecord
from tameflare_core.testing import FIXED_TIME
from tameflare_core.traffic_log import TrafficLog
from tests.standin import wait_until


def a_record(number: int, *, error: str | None = None) -> TrafficRecord:
    return TrafficRecord(
        id=str(number),
        time=FIXED_TIME,
        gateway="test",
        request=None,
        verdict=None,
        outcome="rejected",
        status=400,
        error=error,
    )


def ids_in(*paths: Path) -> list[str]:
    return [json.loads(line)["id"] for path in paths for line in path.read_text().splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "traffic.jsonl"


def test_records_are_lines_in_order(path: Path) -> None:
    log = TrafficLog(path)
    for number in range(3):
        log.prepare()
        log.record(a_record(number))
    assert ids_in(path) == ["0", "1", "2"]


def test_file_and_folder_are_the_owners_alone(path: Path) -> None:
    TrafficLog(path).prepare()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_file_that_cannot_be_opened_stops_prepare(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Not a directory"):
        TrafficLog(tmp_path / "file" / "traffic.jsonl").prepare()


def test_record_on_full_disk_fails_and_stops_prepare() -> None:
    log = TrafficLog(Path("/dev/full"))
    log.prepare()
    with pytest.raises(OSError, match="No space left"):
        log.record(a_record(1))
    with pytest.raises(OSError, match="No space left"):
        log.prepare()


def test_records_that_failed_are_written_later(path: Path) -> None:
    path.mkdir(parents=True)
    log = TrafficLog(path)
    for number in range(2):
        with pytest.raises(IsADirectoryError):
            log.record(a_record(number))
    path.rmdir()
    log.prepare()
    log.record(a_record(2))
    assert ids_in(path) == ["0", "1", "2"]


def test_torn_record_is_written_again_on_its_own_line(path: Path) -> None:
    # A file size limit tears a write the way a full disk does, in a process that can be limited.
    code = f"""
import resource, signal
from pathlib import Path
from tameflare_core.testing import FIXED_TIME
from tameflare_core.record import TrafficRecord
from tameflare_core.traffic_log import TrafficLog
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = TrafficLog(Path({str(path)!r}))
def record(number):
    log.record(TrafficRecord(id=str(number), time=FIXED_TIME, gateway="test", request=None,
                             verdict=None, outcome="rejected", status=400))
record(1)
resource.setrlimit(resource.RLIMIT_FSIZE, (Path({str(path)!r}).stat().st_size + 10, -1))
try:
    record(2)
except OSError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
record(3)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "only 10 of" in done.stdout
    first, torn, *rest = path.read_text().splitlines()
    assert json.loads(first)["id"] == "1"
    assert len(torn) == 10
    assert [json.loads(line)["id"] for line in rest] == ["2", "3"]


def test_removed_file_is_made_again(path: Path) -> None:
    log = TrafficLog(path)
    log.record(a_record(1))
    path.unlink()
    log.record(a_record(2))
    assert ids_in(path) == ["2"]


def test_full_file_is_set_aside(path: Path) -> None:
    log = TrafficLog(path, max_size=1)
    for number in range(3):
        log.record(a_record(number))
    assert ids_in(path) == ["2"]
    assert ids_in(path.with_name("traffic.jsonl.1")) == ["1"]


def test_file_set_aside_by_another_is_not_set_aside_again(path: Path) -> None:
    TrafficLog(path).record(a_record(1))
    log = TrafficLog(path, max_size=1)
    writer = threading.Thread(target=log.record, args=(a_record(3),))
    with path.open() as full:
        # Another process is setting the file aside, and this one waits for it to have done so.
        fcntl.flock(full, fcntl.LOCK_EX)
        writer.start()
        waiting = f":{os.fstat(full.fileno()).st_ino} "
        wait_until(
            lambda: any(
                "->" in line and waiting in line
                for line in Path("/proc/locks").read_text().splitlines()
            )
        )
        aside = path.rename(path.with_name("traffic.jsonl.1"))
        path.touch()
    writer.join()
    assert ids_in(aside, path) == ["1", "3"]


def test_threads_tear_no_line(path: Path) -> None:
    log = TrafficLog(path)

    def write(start: int) -> None:
        for number in range(start, start + 200):
            log.record(a_record(number, error="x" * 500))

    threads = [threading.Thread(target=write, args=(start * 200,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(int, ids_in(path))) == list(range(800))


def test_processes_that_rotate_lose_no_record(path: Path) -> None:
    # 600 records of about 500 bytes, set aside once on the way: rotated twice would be too few.
    code = """
import sys
from pathlib import Path
from tameflare_core.testing import FIXED_TIME
from tameflare_core.record import TrafficRecord
from tameflare_core.traffic_log import TrafficLog
log = TrafficLog(Path(sys.argv[1]), max_size=200_000)
sys.stdin.readline()
for number in range(int(sys.argv[2]), int(sys.argv[2]) + 200):
    log.prepare()
    log.record(TrafficRecord(id=str(number), time=FIXED_TIME, gateway="test", request=None,
                             verdict=None, outcome="rejected", status=400, error="x" * 150))
"""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", code, os.fspath(path), str(start)], stdin=subprocess.PIPE
        )
        for start in (0, 200, 400)
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"\n")
        writer.stdin.close()
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    aside = path.with_name("traffic.jsonl.1")
    assert path.stat().st_size + aside.stat().st_size > 200_000
    assert sorted(map(int, ids_in(aside, path))) == list(range(600))


def test_record_follows_a_file_that_others_set_aside_twice(path: Path) -> None:
    slow, busy = TrafficLog(path), TrafficLog(path, max_size=1)
    slow.record(a_record(0))
    for number in range(1, 4):
        busy.record(a_record(number))
    slow.record(a_record(4))
    assert ids_in(path.with_name("traffic.jsonl.1"), path) == ["2", "3", "4"]


def test_closed_log_opens_again(path: Path) -> None:
    log = TrafficLog(path)
    log.record(a_record(1))
    log.close()
    log.record(a_record(2))
    assert ids_in(path) == ["1", "2"]


def test_forgotten_log_leaves_no_descriptor(path: Path) -> None:
    def open_files() -> list[str]:
        links = list(Path("/proc/self/fd").iterdir())
        return [str(link.readlink()) for link in links if link.is_symlink()]

    log = TrafficLog(path)
    log.prepare()
    assert str(path) in open_files()
    del log
    assert str(path) not in open_files()
