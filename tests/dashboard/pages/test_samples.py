from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tameflare_core.decision_point import DecisionPoint
from tameflare_core.explanation import explain
from tameflare_core.plugins import load_plugins
from tameflare_dashboard.documents import Additions, check, render
from tameflare_dashboard.pages.presets import PRESETS
from tameflare_dashboard.pages.samples import COMMON, common_routes, found, sample_request
from tameflare_dashboard.pages.trials import by_specificity, try_common
from tameflare_dashboard.settings import Settings

PLUGINS = load_plugins()
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def bound(kind: str, preset: str = "all"):  # type: ignore[no-untyped-def]
    document = {
        "version": 1,
        "gateway": "g",
        "connectors": [{"type": kind}],
        "permissions": PRESETS[preset].rules(kind, f"{PLUGINS.connectors[kind].provider}.*"),
    }
    settings = Settings(database_url="sqlite:///x", folder=Path())
    return check(render(document), Additions(), PLUGINS, settings).gateway


@pytest.mark.parametrize("kind", COMMON)
def test_sample_is_read_as_the_action_that_it_stands_for(kind: str) -> None:
    gateway = bound(kind)
    (connector,) = gateway.connectors
    routes = common_routes(connector)
    assert {route.action for route in routes} == set(COMMON[kind]), "each is in the catalogue"
    for route in routes:
        answer = explain(DecisionPoint(gateway), sample_request(connector, route), NOW).document()
        assert answer["status"] == "ok"
        (action, *_) = answer["actions"]
        assert action["name"] == route.action


@pytest.mark.parametrize(
    ("preset", "outcomes"),
    [
        ("read", ["allow", "deny", "deny", "deny", "deny"]),
        ("ask", ["allow", *["require_approval"] * 4]),
        ("careful", ["allow", "allow", "allow", "require_approval", "deny"]),
        ("all", ["allow"] * 5),
        ("none", ["deny"] * 5),
    ],
)
def test_preset_means_what_it_says(preset: str, outcomes: list[str]) -> None:
    assert [each.decision for each in try_common(bound("github", preset), NOW)] == outcomes


def test_what_changes_is_told() -> None:
    tried = try_common(bound("github", "all"), NOW, before=bound("github", "none"))
    assert {(each.before, each.decision) for each in tried} == {("deny", "allow")}


def test_rules_stand_in_the_order_in_which_they_are_asked() -> None:
    order = by_specificity(bound("github", "careful"))
    assert [each["decision"] for each in order] == ["deny", "require_approval", "allow"]


def test_actions_are_found_by_their_words() -> None:
    names = [route.action for route in found(PLUGINS.connectors.values(), "pr merge")]
    assert names[0] == "github.pr.merge"
    assert found(PLUGINS.connectors.values(), "  ") == []
