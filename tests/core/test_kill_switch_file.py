from __future__ import annotations

import json
import os
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tameflare_core.errors import TameflareError
from tameflare_core.kill_switch import KillScope, KillSwitch
from tameflare_core.kill_switch_file import KillSwitchFile
from tests.at_once import run_at_once

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "kill-switches.json"


@pytest.fixture
def file(path: Path) -> KillSwitchFile:
    return KillSwitchFile(path)


def switch(scope: str, minutes: int = 0) -> KillSwitch:
    at = START + timedelta(minutes=minutes)
    return KillSwitch.new(KillScope.parse(scope), reason="because", by="ada", at=at)


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o600)


def stopped_because(file: KillSwitchFile) -> str:
    """The reason of the one kill switch on everything."""
    (one,) = file.current()
    assert str(one.scope) == "org"
    assert file.current().for_gateway("any") is not None
    return one.reason


def test_no_file_stops_nothing(file: KillSwitchFile, path: Path) -> None:
    assert not file.current()
    assert not path.parent.exists()


def test_activated_switch_is_seen_by_all(file: KillSwitchFile, path: Path) -> None:
    other = KillSwitchFile(path)
    assert not other.current()
    one, two = switch("org"), switch("action:github.pr.*", 1)
    file.activate(one)
    assert list(other.current()) == [one]
    other.activate(two)
    assert list(file.current()) == [one, two]


def test_file_is_the_owners_alone(file: KillSwitchFile, path: Path) -> None:
    before = os.umask(0)
    try:
        file.activate(switch("org"))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_switch_ends_by_its_id(file: KillSwitchFile) -> None:
    one, two = switch("org"), switch("org", 1)
    for each in (one, two):
        file.activate(each)
    assert file.deactivate(two.id) == (two,)
    assert list(file.current()) == [one]


def test_switches_end_by_their_scope(file: KillSwitchFile) -> None:
    one, other, two = (switch("org"), switch("connector:github", 1), switch("org", 2))
    for each in (one, other, two):
        file.activate(each)
    assert file.deactivate(KillScope.parse("org")) == (one, two)
    assert list(file.current()) == [other]


def test_all_switches_end(file: KillSwitchFile) -> None:
    one, two = switch("org"), switch("connector:github", 1)
    for each in (one, two):
        file.activate(each)
    assert file.deactivate_all() == (one, two)
    assert not file.current()
    assert file.deactivate_all() == ()


def test_ending_what_is_not_active_changes_nothing(file: KillSwitchFile, path: Path) -> None:
    file.activate(switch("org"))
    before = path.stat()
    assert file.deactivate("ks_aaaaaaaaaaaa") == ()
    assert file.deactivate(KillScope.parse("connector:github")) == ()
    assert path.stat() == before


def test_unchanged_file_is_not_read_again(file: KillSwitchFile) -> None:
    file.activate(switch("org"))
    assert file.current() is file.current()


def test_same_size_in_the_same_place_is_noticed(file: KillSwitchFile, path: Path) -> None:
    file.activate(switch("gateway:a"))
    status = path.stat()
    assert file.current().for_gateway("a")
    with path.open("r+b") as same:
        content = same.read().replace(b"gateway:a", b"gateway:b")
        same.seek(0)
        same.write(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    assert file.current().for_gateway("b")


def test_removed_file_stops_nothing(file: KillSwitchFile, path: Path) -> None:
    file.activate(switch("org"))
    assert file.current()
    path.unlink()
    assert not file.current()


def document(**changes: object) -> bytes:
    whole = {"format": 1, "kill_switches": [switch("connector:github").document()]}
    return json.dumps(whole | changes).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        document()[:-1],
        document(format=2),
        document(format=True),
        document(format="1"),
        document(more=1),
        document(kill_switches={}),
        document(kill_switches=[[]]),
        document(kill_switches=[switch("org").document() | {"until": "tomorrow"}]),
        document(kill_switches=[switch("org").document() | {"scope": "nothing"}]),
        b'{"format": 1, "kill_switches": [1], "kill_switches": []}',
        b'{"format": 1, "kill_switches": [], "Kill_Switches": []}',
    ],
)
def test_file_that_makes_no_sense_stops_everything(
    content: bytes, file: KillSwitchFile, path: Path
) -> None:
    put(path, content)
    assert stopped_because(file).startswith("the kill switches cannot be read: ")
    assert file.current() is file.current()


def test_good_file_is_accepted_as_it_is_written(file: KillSwitchFile, path: Path) -> None:
    put(path, document())
    assert [str(one.scope) for one in file.current()] == ["connector:github"]


def test_file_that_others_can_write_stops_everything(file: KillSwitchFile, path: Path) -> None:
    file.activate(switch("connector:github"))
    assert len(file.current()) == 1
    path.chmod(0o666)
    assert "run `chmod 600 " in stopped_because(file)
    path.chmod(0o600)
    assert [str(one.scope) for one in file.current()] == ["connector:github"]


def test_folder_in_its_place_stops_everything(file: KillSwitchFile, path: Path) -> None:
    path.mkdir(parents=True, mode=0o700)
    path.chmod(0o700)
    assert "directory" in stopped_because(file)


def test_file_that_cannot_be_looked_at_stops_everything(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "Not a directory" in stopped_because(KillSwitchFile(tmp_path / "file" / "inside"))


def test_long_error_makes_no_reason_too_long(tmp_path: Path) -> None:
    path = tmp_path.joinpath(*["x" * 200] * 4, "file")
    path.parent.mkdir(parents=True)
    path.touch(0o644)
    assert len(stopped_because(KillSwitchFile(path))) == 500


@pytest.mark.parametrize("content", [b"", document(format=2)])
def test_file_that_makes_no_sense_is_changed_by_ending_all_alone(
    content: bytes, file: KillSwitchFile, path: Path
) -> None:
    put(path, content)
    with pytest.raises(TameflareError, match="everything is stopped until `tf unkill --all`"):
        file.activate(switch("org"))
    for which in (KillScope.parse("org"), next(iter(file.current())).id):
        with pytest.raises(TameflareError, match="everything is stopped until `tf unkill --all`"):
            file.deactivate(which)
    assert path.read_bytes() == content
    (ended,) = file.deactivate_all()
    assert ended.reason.startswith("the kill switches cannot be read: ")
    assert not file.current()
    file.activate(switch("org"))


def test_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    file = KillSwitchFile(tmp_path / "file" / "inside")
    for change in (lambda: file.activate(switch("org")), file.deactivate_all):
        with pytest.raises(TameflareError, match=r"inside: (Not a directory|File exists)"):
            change()


def test_threads_see_only_whole_states(file: KillSwitchFile) -> None:
    done = threading.Event()
    seen: set[tuple[str, ...]] = set()

    def look() -> None:
        while not done.is_set():
            seen.add(tuple(str(one.scope) for one in file.current()))

    file.activate(switch("connector:github"))
    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1, 30):
        one = switch("action:github.pr.*", number)
        file.activate(one)
        assert file.current().for_action("github.pr.merge") == one
        file.deactivate(one.id)
        assert file.current().for_action("github.pr.merge") is None
    done.set()
    for thread in threads:
        thread.join(10)
    assert seen <= {("connector:github",), ("connector:github", "action:github.pr.*")}


def test_processes_at_once_lose_no_switch(path: Path) -> None:
    imports = (
        "from datetime import UTC, datetime; from pathlib import Path;"
        "from tameflare_core.kill_switch import KillScope, KillSwitch;"
        "from tameflare_core.kill_switch_file import KillSwitchFile"
    )
    step = (
        "KillSwitchFile(Path(sys.argv[1])).activate(KillSwitch.new("
        "KillScope.parse(f'gateway:g{sys.argv[2]}'), reason='x', by='y', at=datetime.now(UTC)))"
    )
    run_at_once(imports, step, [(path, number) for number in range(4)])
    scopes = {str(one.scope) for one in KillSwitchFile(path).current()}
    assert scopes == {f"gateway:g{number}" for number in range(4)}
