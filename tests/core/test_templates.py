"""The templates of `tf init`: each loads, and its rules do what its first line says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tameflare_core import templates
from tameflare_core.config.document import GatewayConfig
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.request import Body, OutboundRequest

REPO = "https://api.github.com/repos/o/r"

CASES = [
    ("starter", "GET", REPO, "allow"),
    ("starter", "POST", f"{REPO}/issues", "require_approval"),
    ("starter", "DELETE", REPO, "deny"),
    ("starter", "GET", "https://api.openai.com/v1/models", "deny"),
    ("dev-bot", "DELETE", REPO, "allow"),
    ("dev-bot", "POST", "https://api.openai.com/v1/responses", "allow"),
    ("dev-bot", "GET", "https://slack.com/api/users.list", "deny"),
    ("deploy-agent", "GET", REPO, "allow"),
    ("deploy-agent", "POST", f"{REPO}/issues", "deny"),
    ("deploy-agent", "POST", "https://slack.com/api/chat.postMessage", "allow"),
    ("prod-agent", "GET", REPO, "allow"),
    ("prod-agent", "DELETE", REPO, "require_approval"),
    ("prod-agent", "GET", "https://api.stripe.com/v1/charges", "allow"),
    ("prod-agent", "POST", "https://api.stripe.com/v1/charges", "require_approval"),
    ("prod-agent", "DELETE", "https://api.stripe.com/v1/customers/c", "deny"),
]


def loaded(name: str, tmp_path: Path) -> DecisionPoint:
    path = tmp_path / "tameflare.yaml"
    path.write_text(templates.text(name))
    return DecisionPoint(GatewayConfig.from_file(path).bind())


@pytest.mark.parametrize(("name", "method", "url", "decision"), CASES)
def test_rules_do_what_they_say(
    tmp_path: Path, name: str, method: str, url: str, decision: str
) -> None:
    request = OutboundRequest.from_url(method, url, body=Body.absent())
    verdict = loaded(name, tmp_path).decide(request, datetime.now(UTC))
    assert verdict.decision.value == decision


def test_each_template_is_judged_here() -> None:
    assert {case[0] for case in CASES} == set(templates.names())
    assert templates.DEFAULT in templates.names()


@pytest.mark.parametrize("name", templates.names())
def test_each_template_says_what_it_is_for(name: str) -> None:
    assert templates.text(name).startswith(f"# {templates.summary(name)}\n")
    assert templates.summary(name).endswith(".")
