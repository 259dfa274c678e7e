"""A control plane that the real `tf` talks to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tameflare_dashboard.settings import Settings
from tests.cli.harness import Run
from tests.dashboard.conftest import ControlPlane, serving


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A control plane, and `tf` of its owner."""

    plane: ControlPlane
    tf: Run
    env: dict[str, str]


@contextmanager
def logged_in(folder: Path, tf: Run) -> Iterator[LoggedIn]:
    keys = folder / "keys"
    keys.mkdir(mode=0o700)
    settings = Settings(database_url=f"sqlite:///{folder / 'plane.db'}", folder=keys)
    with serving(settings) as plane:
        token = plane.owner.post("/api/v1/me/tokens", {"name": "tests"}).json()["token"]
        env = {"TAMEFLARE_URL": plane.url, "TAMEFLARE_TOKEN": token}

        def run(*arguments: str, **options: object):  # type: ignore[no-untyped-def]
            return tf(*arguments, **{"env": env, **options})

        yield LoggedIn(plane, run, env)
