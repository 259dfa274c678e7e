"""`tf export`: a gateway that is not there."""

from __future__ import annotations

from tests.cli.planes import LoggedIn


def test_unknown_gateway_is_named(logged_in: LoggedIn) -> None:
    done = logged_in.tf("export", "nobody")
    assert (done.returncode, "`nobody`" in done.stderr, done.stdout) == (4, True, "")
