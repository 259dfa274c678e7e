"""Fixtures that every part of the suite may use."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.standin import LOCAL_NAMES, Authority, Standin

if TYPE_CHECKING:
    from tests.postgres import Postgres


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--benchmark", action="store_true", help="run the benchmarks of tests/bench")


def pytest_configure() -> None:
    # A shell without job control starts what it runs in the background with these ignored, and
    # every program that a test starts would inherit that.
    for number in (signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            default = signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL
            signal.signal(number, default)


@pytest.fixture(scope="session")
def standin_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The certificate authority of this run; upstreams under test trust its `ca_file`."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def start_standin(standin_authority: Authority) -> Iterator[Callable[..., Standin]]:
    """Starts stand-in upstreams, and stops them after the test."""
    with ExitStack() as running:

        def start(names: Sequence[str] = LOCAL_NAMES, *, tls: bool = True) -> Standin:
            context = standin_authority.server_context(names) if tls else None
            return running.enter_context(Standin(context, standin_authority.ca_file))

        yield start


@pytest.fixture
def standin(start_standin: Callable[..., Standin]) -> Standin:
    """A stand-in upstream over TLS, known as `localhost` and `127.0.0.1`."""
    return start_standin()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL server, in which each test gets a database of its own."""
    from tests.postgres import Postgres  # only those that need it pay for it

    server = Postgres(tmp_path_factory.mktemp("pg"))
    yield server
    server.stop()
