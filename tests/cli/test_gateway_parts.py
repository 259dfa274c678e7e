"""`tf connectors` and `tf policies` on a gateway of the control plane."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.planes import LoggedIn

POLICY = "rules: [{name: never, decision: deny, reason: not here}]\n"


def test_connectors_and_policies_are_edited(logged_in: LoggedIn, folder: Path) -> None:
    logged_in.plane.owner.gateway()
    tf, of = logged_in.tf, "prod-agent"
    added = tf("connectors", "add", of, "stripe", stdin="type: stripe\n")
    assert added.stdout == "added connector stripe of prod-agent\n", added.stderr
    assert tf("connectors", "add", of, "stripe", stdin="type: stripe\n").returncode == 4
    assert tf("connectors", "of", of).stdout == "github\nstripe\n"
    assert tf("connectors", "remove", of, "stripe").returncode == 0
    assert tf("connectors", "remove", of, "stripe").returncode == 4
    (folder / "policy.yaml").write_text(POLICY)
    assert tf("policies", "add", of, "never", "-f", "policy.yaml").returncode == 0
    stricter = POLICY.replace("not here", "really not")
    assert tf("policies", "set", of, "never", stdin=stricter).returncode == 0
    (policy,) = json.loads(tf("policies", "of", of, "--json").stdout)
    assert policy["rules"][0]["reason"] == "really not"
    assert tf("policies", "set", of, "other", stdin=POLICY).returncode == 4
    assert tf("policies", "add", of, "bad", stdin="- a list").returncode == 5
    assert (
        tf("policies", "add", of, "bad", stdin="rules: [{name: x, decision: no}]").returncode == 5
    )
    assert tf("policies", "remove", of, "never").returncode == 0
