"""`tf dashboard`: what it is told, and what it refuses."""

from __future__ import annotations

from tests.cli.harness import Run


def test_database_of_another_kind_is_refused(tf: Run) -> None:
    done = tf("dashboard", "--database", "mysql://user:secret@host/x", "--listen", "127.0.0.1:0")
    assert done.returncode == 5
    assert "secret" not in done.stderr
    assert "postgresql://" in done.stderr


def test_taken_address_is_refused(tf: Run, listening: int) -> None:
    done = tf("dashboard", "--listen", f"127.0.0.1:{listening}")
    assert (done.returncode, "--listen" in done.stderr) == (5, True)
