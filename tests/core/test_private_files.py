from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from tameflare_core.private_files import create_once, locked, read_private, replace


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_replaced_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "file"
    before = os.umask(0)
    try:
        replace(path, b"one")
    finally:
        os.umask(before)
    assert mode(path) == 0o600
    assert read_private(path) == b"one"


def test_replacing_a_public_file_closes_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(0o666)
    replace(path, b"two")
    assert mode(path) == 0o600


def test_asked_mode_is_set(tmp_path: Path) -> None:
    replace(tmp_path / "file", b"", mode=0o644)
    assert mode(tmp_path / "file") == 0o644


def test_open_reader_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace(path, b"old")
    with path.open("rb") as file:
        replace(path, b"new and longer")
        assert file.read() == b"old"
    assert path.read_bytes() == b"new and longer"


def test_failed_replacement_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    (path / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        replace(path, b"x")
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("open_to", [0o040, 0o020, 0o004, 0o002, 0o001])
def test_file_open_to_others_is_refused(open_to: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace(path, b"x", mode=0o600 | open_to)
    with pytest.raises(PermissionError) as raised:
        read_private(path)
    assert f"run `chmod 600 {path}`" in str(raised.value.strerror)


def test_lock_keeps_others_out(tmp_path: Path) -> None:
    path = tmp_path / "file"
    entered: list[str] = []

    def second() -> None:
        with locked(path):
            entered.append("second")

    with locked(path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.1)
        assert thread.is_alive()
        entered.append("first")
    thread.join(10)
    assert entered == ["first", "second"]


def test_content_is_made_once(tmp_path: Path) -> None:
    made = iter([b"first", b"second"])
    path = tmp_path / "file"
    assert create_once(path, lambda: next(made)) == b"first"
    assert create_once(path, lambda: next(made)) == b"first"
    assert mode(path) == 0o600


def test_threads_at_once_make_one_content(tmp_path: Path) -> None:
    barrier = threading.Barrier(8)
    seen: list[bytes] = []

    def create() -> None:
        barrier.wait(10)
        seen.append(create_once(tmp_path / "file", lambda: os.urandom(8)))

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(seen) == 8
    assert len(set(seen)) == 1
