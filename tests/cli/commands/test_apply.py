"""`tf apply` and `tf export`: what goes in comes out."""

from __future__ import annotations

from pathlib import Path

from tests.cli.planes import LoggedIn


def test_file_round_trips_without_a_difference(logged_in: LoggedIn, folder: Path) -> None:
    config = folder / "tameflare.yaml"
    config.write_text("# kept\n" + config.read_text())
    made = logged_in.tf("apply")
    assert made.returncode == 0, made.stderr
    assert "token gwtk_" in made.stdout
    assert logged_in.tf("export", "prod-agent").stdout == config.read_text()
    again = logged_in.tf("apply", "-f", "tameflare.yaml")
    assert (again.returncode, "gwtk_" in again.stdout) == (0, False)


def test_wrong_file_is_refused_with_its_line(logged_in: LoggedIn, folder: Path) -> None:
    config = folder / "tameflare.yaml"
    config.write_text(config.read_text().replace("github.repo.delete", "github.no.such"))
    done = logged_in.tf("apply")
    assert done.returncode == 5
    assert "github.no.such" in done.stderr
    assert "permissions[2].action" in done.stderr


def test_nobody_is_logged_in(logged_in: LoggedIn) -> None:
    done = logged_in.tf("apply", env={})
    assert (done.returncode, "tf login" in done.stderr) == (4, True)


def test_no_answer_is_an_exit_code_of_its_own(logged_in: LoggedIn) -> None:
    done = logged_in.tf("apply", env={**logged_in.env, "TAMEFLARE_URL": "http://127.0.0.1:1"})
    assert done.returncode == 3
