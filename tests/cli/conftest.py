"""What the tests of `tf` share."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.cli import planes
from tests.cli.harness import CONFIG, DEADLINE, TF, Open, Run, Screen
from tests.cli.planes import LoggedIn


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of every `tf` here: nothing of the machine's but PATH, folders of its own."""
    home = tmp_path / "home"
    home.mkdir()
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_STATE_HOME": str(home / "state"),
        "TERM": "dumb",
        "LANG": "C.UTF-8",
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder that `tf` is started in; there is a tameflare.yaml in it."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "tameflare.yaml").write_text(CONFIG)
    return folder


@pytest.fixture
def tf(environment: dict[str, str], folder: Path) -> Run:
    """Runs `tf` to its end, without a terminal."""

    def run(
        *arguments: str,
        stdin: str | bytes = b"",
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*TF, *arguments],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            cwd=cwd or folder,
            env=environment | dict(env or {}),
            timeout=DEADLINE,
            start_new_session=True,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    return run


@pytest.fixture
def listening() -> Iterator[int]:
    """The port of something that accepts connections; enough for `tf run --proxy`."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture(scope="session")
def authority_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of an authority, as a gateway elsewhere would name it."""
    from tameflare_proxy.authority import Authority

    return Authority.load_or_create(tmp_path_factory.mktemp("authority")).certificate_path


@pytest.fixture
def elsewhere(listening: int, authority_file: Path) -> tuple[str, ...]:
    """The arguments of `tf run` that name a gateway elsewhere."""
    return "--quiet", "--proxy", f"http://token:@127.0.0.1:{listening}", "--ca", str(authority_file)


@pytest.fixture
def screen(environment: dict[str, str], folder: Path) -> Iterator[Open]:
    """Starts a command on a pseudo-terminal."""
    opened: list[Screen] = []

    def start(*command: str, env: Mapping[str, str] | None = None) -> Screen:
        opened.append(Screen(list(command), folder, environment | dict(env or {})))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


@pytest.fixture
def logged_in(tmp_path: Path, tf: Run) -> Iterator[LoggedIn]:
    """A control plane, and `tf` of its owner."""
    with planes.logged_in(tmp_path, tf) as here:
        yield here
