"""`tf login`: the first owner, a password, a code."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from tameflare_dashboard.app import setup_link
from tameflare_dashboard.settings import Settings
from tests.cli.harness import TF, Open, Run
from tests.cli.planes import LoggedIn
from tests.dashboard.conftest import PASSWORD, serving


def test_first_owner_comes_in_and_is_remembered(
    tf: Run, tmp_path: Path, environment: dict[str, str]
) -> None:
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'p.db'}", folder=keys)
    with serving(settings) as plane:
        link = plane.run(setup_link(plane.backend))
        done = tf(
            *("login", "--url", plane.url, "--setup", link.partition("#")[2]),
            *("--email", "ana@example.com"),
            stdin=f"Acme\nAna\n{PASSWORD}\n",
        )
        assert done.returncode == 0, done.stderr
        assert "ana@example.com (owner)" in done.stdout
        kept = Path(environment["XDG_DATA_HOME"]) / "tameflare" / "login.json"
        assert kept.stat().st_mode & 0o077 == 0
        assert tf("gateways", "list").returncode == 0
        again = tf("login", "--url", plane.url, "--email", "ana@example.com", stdin=f"{PASSWORD}\n")
        assert again.returncode == 0
        wrong = tf("login", "--url", plane.url, "--email", "ana@example.com", stdin="wrong\n")
        assert wrong.returncode == 4
        kept.write_text("{}")
        kept.chmod(0o600)
        assert tf("gateways", "list").returncode == 5


def test_code_is_confirmed_where_one_is_logged_in(logged_in: LoggedIn, screen: Open) -> None:
    shown = screen(*TF, "login", "--url", logged_in.plane.url)
    shown.wait_for("tf login --confirm ")
    code = shown.wait_for("\n").strip()
    results = []
    confirming = threading.Thread(
        target=lambda: results.append(logged_in.tf("login", "--confirm", code))
    )
    confirming.start()
    shown.wait_for("logged in to ")
    assert shown.exit_status() == 0
    confirming.join()
    assert "acts as you" in results[0].stdout
    tokens = logged_in.plane.owner.get("/api/v1/me/tokens").json()
    assert len(tokens) == 2
    assert json.dumps(tokens).count("tf on ") == 1
