"""The smallest rules for what was seen: all of it is allowed, nothing else is, nothing leaks in."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tameflare_core.config.document import GatewayConfig
from tameflare_core.decision import Decision
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.gateway import Gateway
from tameflare_core.kill_switch import KillScope, KillSwitch, KillSwitches
from tameflare_core.learning import Learned, learn
from tameflare_core.plugins import load_plugins
from tameflare_core.request import OutboundRequest
from tameflare_core.testing import FIXED_TIME, gateway_from
from tests.core.recording import GITHUB, changed, read, record

ALLOW, ASK, DENY = Decision
HEAD = "version: 1\ngateway: agent\nconnectors: [{type: github}]\n"
OPEN = DecisionPoint(
    gateway_from(HEAD + 'permissions: [{connector: github, action: "github.*", decision: allow}]\n')
)
ASKING = DecisionPoint(
    gateway_from(
        HEAD
        + 'permissions: [{connector: github, action: "github.*", decision: require_approval}]\n'
    )
)
CLOSED = DecisionPoint(gateway_from(HEAD))
ISSUE = f"{GITHUB}/repos/o/r/issues"


def learned(*lines: bytes, **options: object) -> Learned:
    return learn(read(lines), **options)  # type: ignore[arg-type]


def gateway_of(found: Learned) -> Gateway:
    text = HEAD + "\n".join(found.yaml())
    return GatewayConfig.from_text(text, folder=Path("/")).bind(load_plugins(entry_points=False))


def rules(found: Learned) -> list[tuple[str, dict[str, str], Decision]]:
    return [
        (rule.action.text, dict(rule.resource), rule.decision)
        for rule in gateway_of(found).permissions
    ]


def decision(found: Learned, method: str, url: str) -> Decision:
    point = DecisionPoint(gateway_of(found))
    return point.decide(OutboundRequest.from_url(method, url), FIXED_TIME).decision


def test_each_action_is_allowed_on_what_it_was_seen_with() -> None:
    found = learned(
        record(OPEN, "GET", ISSUE),
        record(OPEN, "GET", ISSUE),
        record(OPEN, "GET", f"{GITHUB}/user"),
        record(OPEN, "GET", f"{GITHUB}/repos/o/other/issues"),
    )
    assert rules(found) == [
        ("github.issue.list", {"owner": "o", "repo": "other"}, ALLOW),
        ("github.issue.list", {"owner": "o", "repo": "r"}, ALLOW),
        ("github.user.get_self", {}, ALLOW),
    ]
    assert decision(found, "GET", ISSUE) is ALLOW
    assert decision(found, "GET", f"{GITHUB}/repos/o/third/issues") is DENY
    assert decision(found, "POST", ISSUE) is DENY
    assert found.exceptions() == []


def test_comment_says_how_often_when_and_how_risky() -> None:
    later = FIXED_TIME + timedelta(days=2)
    found = learned(
        record(OPEN, "DELETE", f"{GITHUB}/repos/o/r"),
        record(OPEN, "DELETE", f"{GITHUB}/repos/o/r", time=later),
    )
    text = "\n".join(found.yaml())
    assert "# 2 requests, 2026-01-01 to 2026-01-03; risk critical, destructive" in text


def test_what_a_human_always_approved_goes_on_being_asked() -> None:
    merge = f"{GITHUB}/repos/o/r/pulls/1/merge"
    found = learned(record(ASKING, "PUT", merge, approved=True))
    assert [rule[2] for rule in rules(found)] == [ASK]
    found = learned(record(ASKING, "PUT", merge, approved=True), record(OPEN, "PUT", merge))
    assert [rule[2] for rule in rules(found)] == [ALLOW]


def test_what_was_denied_stands_in_a_comment() -> None:
    denied = record(CLOSED, "DELETE", f"{GITHUB}/repos/o/r")
    found = learned(record(OPEN, "GET", f"{GITHUB}/user"), denied, denied)
    text = "\n".join(found.yaml())
    assert "# Seen, and never let through:" in text
    assert "#   2x github github.repo.delete owner=o repo=r" in text
    assert decision(found, "DELETE", f"{GITHUB}/repos/o/r") is DENY
    assert found.exceptions() == []
    too = learned(denied, denied_too=True)
    assert decision(too, "DELETE", f"{GITHUB}/repos/o/r") is ALLOW


def test_what_a_kill_switch_stopped_teaches_nothing() -> None:
    switch = KillSwitch.new(KillScope.parse("org"), reason="why", by="ada", at=FIXED_TIME)
    stopped = record(OPEN.with_kill_switches(KillSwitches([switch])), "GET", f"{GITHUB}/user")
    unowned = record(OPEN, "GET", "https://nobody.example/")
    assert learned(stopped, unowned, b"nonsense\n").lessons == {}


def test_field_may_be_anything_when_asked() -> None:
    lines = [record(OPEN, "GET", f"{ISSUE}/{number}") for number in range(5)]
    assert len(rules(learned(*lines))) == 5
    assert learned(*lines).advice()[0] == ("number", 1)
    wide = learned(*lines, any_fields=["number"])
    assert [rule[1] for rule in rules(wide)] == [{"owner": "o", "repo": "r"}]
    assert decision(wide, "GET", f"{ISSUE}/77") is ALLOW
    assert decision(wide, "GET", f"{GITHUB}/repos/o/x/issues/1") is DENY
    assert wide.exceptions() == []


def test_all_reads_of_a_resource_are_one_rule_when_asked() -> None:
    lines = [
        record(OPEN, "GET", f"{GITHUB}/repos/o/r{path}") for path in ("", "/issues", "/topics")
    ] + [record(OPEN, "POST", ISSUE, body=b"{}")]
    found = learned(*lines, all_reads=True)
    assert sorted(rule[0] for rule in rules(found)) == ["github.*", "github.issue.create"]
    assert all(rule[1] == {"owner": "o", "repo": "r"} for rule in rules(found))
    assert decision(found, "GET", f"{GITHUB}/repos/o/r/branches") is ALLOW
    assert decision(found, "DELETE", f"{GITHUB}/repos/o/r") is DENY
    assert decision(found, "GET", f"{GITHUB}/repos/o/x") is DENY
    assert decision(found, "GET", f"{GITHUB}/user") is DENY


# What would allow more than was seen


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (record(OPEN, "POST", f"{GITHUB}/nothing/known"), "nobody knows what these do"),
        (
            changed(
                record(OPEN, "GET", ISSUE),
                actions=[
                    json.loads(record(OPEN, "GET", ISSUE))["actions"][0]
                    | {"resource": {"owner": "o", "repo": "*"}}
                ],
            ),
            "a `*` in a value would stand for anything",
        ),
        (
            changed(
                record(OPEN, "GET", ISSUE),
                actions=[
                    json.loads(record(OPEN, "GET", ISSUE))["actions"][0]
                    | {"resource_complete": False}
                ],
            ),
            "do not say all that they act on",
        ),
    ],
    ids=["unmapped", "star", "incomplete"],
)
def test_what_cannot_be_said_narrowly_is_left_out(line: bytes, reason: str) -> None:
    found = learned(line, record(OPEN, "GET", f"{GITHUB}/user"))
    assert len(rules(found)) == 1
    assert any(reason in why for why in found.left_out())
    assert reason in "\n".join(found.yaml())
    assert found.exceptions() == []


def test_resource_that_is_partly_missing_opens_nothing() -> None:
    whole = record(OPEN, "GET", ISSUE)
    action = json.loads(whole)["actions"][0]
    partial = changed(whole, actions=[action | {"resource": {"owner": "o"}}])
    found = learned(whole, partial)
    assert [rule[1] for rule in rules(found)] == [{"owner": "o", "repo": "r"}]
    assert "without `repo` a rule would be about any" in "\n".join(found.yaml())


# Whatever an agent writes


TEXTS = st.text(min_size=1, max_size=12)


@settings(max_examples=150)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6), TEXTS, TEXTS)
def test_hostile_values_stay_values(seen: list[tuple[str, str]], owner: str, repo: str) -> None:
    plain = json.loads(record(OPEN, "GET", ISSUE))
    lines = [
        changed(
            json.dumps(plain).encode(),
            actions=[plain["actions"][0] | {"resource": {"owner": one, "repo": other}}],
        )
        for one, other in seen
    ]
    found = learned(*lines)
    text = HEAD + "\n".join(found.yaml())
    document = yaml.safe_load(text)
    assert set(document) == {"version", "gateway", "connectors", "permissions"}
    wanted = {pair for pair in seen if "*" not in pair[0] + pair[1]}
    allowed = {
        (rule["resource"]["owner"], rule["resource"]["repo"]) for rule in document["permissions"]
    }
    assert allowed == wanted
    assert all(set(rule) == {"connector", "action", "resource", "decision"}
               for rule in document["permissions"])  # fmt: skip
    assert found.exceptions() == []
    assert all(line.isprintable() for line in text.split("\n"))
