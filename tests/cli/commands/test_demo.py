from __future__ import annotations

import pytest

from tameflare_cli.commands import demo
from tests.cli.harness import Run


def test_demo_shows_the_three_decisions(tf: Run) -> None:
    shown = tf("demo")
    assert shown.returncode == 0, shown.stderr
    allowed, denied, held = shown.stdout.split("\n\n")[1:4]
    assert "allow: github.repo.get" in allowed
    assert "permissions[0]  github.*" in allowed
    assert "the agent sent       Authorization: Bearer tf_placeholder_github" in allowed
    assert "the vendor received  Authorization: Bearer ghp_the_real_key_of_the_demo" in allowed
    assert "deny: github.repo.delete" in denied
    assert "the vendor received  nothing" in denied
    assert "403 application/problem+json" in denied
    assert "require_approval: payments.refund.create" in held
    assert "approved by colleague@demo.example" in held
    assert "the vendor received  Authorization: Bearer sk_the_real_key_of_the_demo" in held


def test_demo_fails_when_a_key_reaches_the_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = demo._run_agent

    def leaky(*arguments: object) -> list[dict[str, object]]:
        told = honest(*arguments)  # type: ignore[arg-type]
        return [one | {"body": "ghp_the_real_key_of_the_demo"} for one in told]

    monkeypatch.setattr(demo, "_run_agent", leaky)
    with pytest.raises(demo.CommandFailed, match="not as it should be: a read, a deletion"):
        demo.demo()


def test_demo_leaves_no_traffic_in_the_users_log(tf: Run) -> None:
    assert tf("demo").returncode == 0
    assert tf("logs", "--json").stdout == ""
