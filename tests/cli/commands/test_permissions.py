"""`tf permissions`: listed, added, changed, removed."""

from __future__ import annotations

import json

from tests.cli.planes import LoggedIn


def test_permissions_are_edited(logged_in: LoggedIn) -> None:
    logged_in.plane.owner.gateway()
    tf, of = logged_in.tf, "prod-agent"
    listed = tf("permissions", "list", of).stdout
    assert "access=read" in listed
    added = tf(
        *("permissions", "add", of, "--connector", "github", "--action", "github.pr.merge"),
        *("--decision", "allow", "--resource", "repo=site"),
    )
    assert added.stdout == "added permissions[2] of prod-agent\n", added.stderr
    assert tf("permissions", "set", of, "2", "--decision", "deny").returncode == 0
    items = json.loads(tf("permissions", "list", of, "--json").stdout)
    assert items[2] == {
        "connector": "github",
        "action": "github.pr.merge",
        "decision": "deny",
        "resource": {"repo": "site"},
    }
    assert tf("permissions", "remove", of, "2").returncode == 0
    assert tf("permissions", "remove", of, "2").returncode == 4
    assert tf("permissions", "set", of, "9", "--decision", "deny").returncode == 4
    assert tf("permissions", "add", of, "--action", "github.pr.merge").returncode == 2
    wrong = tf(
        *("permissions", "add", of, "--connector", "github"),
        *("--action", "github.no.such", "--decision", "allow"),
    )
    assert (wrong.returncode, "github.no.such" in wrong.stderr) == (5, True)
