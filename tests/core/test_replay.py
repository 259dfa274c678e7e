"""Recorded traffic under another configuration: what changes, what does not, what nobody knows."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tameflare_core.decision import Decision
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.gateway import Gateway
from tameflare_core.kill_switch import KillScope, KillSwitch, KillSwitches
from tameflare_core.replay import ChangeKind, Replay, ReplayedChange
from tameflare_core.testing import FIXED_TIME, gateway_from
from tests.core.recording import GITHUB, changed, read, record

ALLOW, ASK, DENY = Decision


def gateway(
    *permissions: str, policies: str = "", level: str = "enforce", connectors: str = "type: github"
) -> Gateway:
    rules = "".join(f"  - {{connector: {rule}}}\n" for rule in permissions) or "  []\n"
    return gateway_from(
        f"version: 1\ngateway: agent\nenforcement: {level}\n"
        f"connectors: [{{{connectors}}}]\npermissions:\n{rules}policies: [{policies}]\n"
    )


READS = 'github, action: "github.*", access: read, decision: allow'
ALL = 'github, action: "github.*", decision: allow'
ASKED = 'github, action: "github.*", decision: require_approval'
OLD = DecisionPoint(gateway(READS, ASKED))
USER = record(OLD, "GET", f"{GITHUB}/user")
MERGE = record(OLD, "PUT", f"{GITHUB}/repos/o/r/pulls/1/merge", body=b"{}")
DELETE = record(OLD, "DELETE", f"{GITHUB}/repos/o/r", approved=True)
ELSEWHERE = record(OLD, "GET", "https://nobody.example/x")


def replayed(new: Gateway, *lines: bytes) -> Replay:
    replay = Replay(new)
    replay.take(read(lines))
    return replay


def kinds(replay: Replay) -> list[tuple[ChangeKind, tuple[str, ...], int]]:
    return [(change.kind, change.actions, change.count) for change in replay.changes]


def only(replay: Replay) -> ReplayedChange:
    (change,) = replay.changes
    return change


def test_same_configuration_changes_nothing() -> None:
    replay = replayed(OLD.gateway, USER, MERGE, DELETE, ELSEWHERE)
    assert (replay.changes, replay.judged, replay.unchanged) == ([], 4, 4)


def test_newly_allowed_comes_first() -> None:
    new = gateway(
        'github, action: "github.pr.*", decision: allow',
        'github, action: "github.repo.*", decision: deny',
        'github, action: "github.user.*", decision: require_approval',
    )
    assert kinds(replayed(new, DELETE, USER, MERGE, MERGE)) == [
        (ChangeKind.ALLOWED, ("github.pr.merge",), 2),
        (ChangeKind.HELD, ("github.user.get_self",), 1),
        (ChangeKind.DENIED, ("github.repo.delete",), 1),
    ]


def test_change_says_what_why_and_on_what() -> None:
    other = record(OLD, "PUT", f"{GITHUB}/repos/o/other/pulls/2/merge", body=b"{}")
    change = only(replayed(gateway(ALL), MERGE, other, MERGE))
    assert (change.was, change.now, change.count) == (ASK, (ALLOW,), 3)
    assert change.rule == "permissions[0]"
    assert "is allowed by permission `github.*`" in change.reason
    assert change.example == "PUT https://api.github.com/repos/o/r/pulls/1/merge"
    assert change.resources == ["owner=o repo=r number=1", "owner=o repo=other number=2"]
    assert change.document()["kind"] == "newly allowed"


def test_resources_are_bounded() -> None:
    lines = [record(OLD, "PUT", f"{GITHUB}/repos/o/r/pulls/{n}/merge") for n in range(9)]
    change = only(replayed(gateway(ALL), *lines))
    assert (change.count, len(change.resources), change.others) == (9, 5, 4)


def test_level_changes_what_is_done() -> None:
    watching = DecisionPoint(gateway(READS, level="monitor"))
    passed = record(watching, "PUT", f"{GITHUB}/repos/o/r/pulls/1/merge")
    change = only(replayed(gateway(READS), passed))
    assert (change.kind, change.was, change.now) == (ChangeKind.DENIED, ALLOW, (DENY,))


def test_host_that_nobody_owns_any_more_is_denied() -> None:
    change = only(replayed(gateway(connectors="type: slack"), USER))
    assert (change.kind, change.rule) == (ChangeKind.DENIED, "no_connector")


# What records do not have


MONEY = (
    "{name: squash, scope: {actions: [github.pr.merge]}, rules: [{name: r, decision: deny,"
    " when: {field: params.merge_method, op: equals, value: squash}}]}"
)


def test_rule_about_a_parameter_is_a_range() -> None:
    change = only(replayed(gateway(READS, ASKED, policies=MONEY), MERGE))
    assert (change.kind, change.now) == (ChangeKind.MAY_BE_STRICTER, (ASK, DENY))


def test_range_that_may_be_milder_is_told_as_such() -> None:
    change = only(replayed(gateway(ALL, policies=MONEY), MERGE))
    assert (change.kind, change.now) == (ChangeKind.MAY_BE_ALLOWED, (ALLOW, DENY))


def test_rule_that_is_false_without_the_parameter_is_certain() -> None:
    sure = MONEY.replace(
        "when: {field: params.merge_method, op: equals, value: squash}",
        "when: {all: [{field: params.merge_method, op: equals, value: squash},"
        " {field: resource.owner, op: equals, value: acme}]}",
    )
    assert sure != MONEY
    assert replayed(gateway(READS, ASKED, policies=sure), MERGE).changes == []


@pytest.mark.parametrize(
    "rule",
    [
        "when: {field: request.content_type, op: equals, value: text/plain}",
        "when: {not: {field: request.content_type, op: equals, value: text/plain}}",
        "when: {field: request.body_size, op: gt, value: 5}",
        "limit: {sum: params.amount, most: 5, within: 1h}",
    ],
)
def test_what_is_not_recorded_is_never_taken_for_certain(rule: str) -> None:
    policy = f"{{name: p, rules: [{{name: r, decision: deny, {rule}}}]}}"
    lines = record(OLD, "POST", f"{GITHUB}/repos/o/r/issues", body=b"{}")
    change = only(replayed(gateway(READS, ASKED, policies=policy), lines))
    assert change.now == (ASK, DENY)


def test_rules_about_resource_and_time_are_certain() -> None:
    policy = (
        "{name: p, rules: [{name: r, decision: deny, when: {all: ["
        "{field: resource.owner, op: equals, value: o},"
        ' {field: time, op: time_between, value: {from: "11:00", to: "13:00", zone: UTC}}]}}]}'
    )
    new = gateway(READS, ASKED, policies=policy)
    assert only(replayed(new, MERGE)).now == (DENY,)
    later = record(
        OLD,
        "PUT",
        f"{GITHUB}/repos/o/r/pulls/1/merge",
        time=FIXED_TIME + timedelta(hours=2),
    )
    assert replayed(new, later).changes == []


def test_limit_on_requests_is_counted_from_the_times_of_the_records() -> None:
    policy = "{name: p, rules: [{name: r, decision: deny, limit: {requests: 2, within: 1m}}]}"
    times = [0, 10, 20, 61, 62, 200]
    lines = [
        record(OLD, "GET", f"{GITHUB}/user", time=FIXED_TIME + timedelta(seconds=second))
        for second in times
    ]
    change = only(replayed(gateway(READS, policies=policy), *lines))
    # Those at 20 and at 62: by then the window holds 0 and 10, and 10 and 61.
    assert (change.kind, change.count) == (ChangeKind.DENIED, 2)
    assert "its limit is reached" in change.reason


def test_request_that_would_not_leave_counts_towards_no_limit() -> None:
    policy = "{name: p, rules: [{name: r, decision: deny, limit: {requests: 1, within: 1h}}]}"
    new = gateway(READS, 'github, action: "github.pr.*", decision: deny', policies=policy)
    replay = replayed(new, MERGE, MERGE, USER)
    assert kinds(replay) == [(ChangeKind.DENIED, ("github.pr.merge",), 2)]


# Other connectors


CRM = "type: generic, id: crm, hosts: [crm.example]"
NAMED = CRM + (", actions: [{method: GET, path: /people, action: crm.person.list, access: read}]")


def test_names_of_the_other_configuration_are_read_anew() -> None:
    old = DecisionPoint(gateway('crm, action: "http.*", decision: allow', connectors=CRM))
    people = record(old, "GET", "https://crm.example/people")
    new = gateway(
        'crm, action: "http.*", decision: allow',
        "crm, action: crm.person.list, decision: deny",
        connectors=NAMED,
    )
    change = only(replayed(new, people))
    assert (change.actions, change.kind) == (("crm.person.list",), ChangeKind.DENIED)


def test_service_under_another_connector_has_its_names() -> None:
    new = gateway(connectors="type: generic, id: gh, hosts: [api.github.com]")
    assert only(replayed(new, MERGE)).actions == ("http.put",)


def test_actions_of_another_provider_cannot_be_told() -> None:
    old = DecisionPoint(
        gateway(
            'gh, action: "http.*", decision: allow',
            connectors="type: generic, id: gh, hosts: [api.github.com]",
        )
    )
    replay = replayed(gateway(ALL), record(old, "GET", f"{GITHUB}/user"))
    assert (replay.judged, replay.changes) == (0, [])
    assert replay.untold == {"the other connector would name it otherwise": 1}


def test_path_with_a_secret_cannot_be_judged_again() -> None:
    replay = replayed(gateway(ALL), changed(USER, path="/services/T1/…"))
    assert (replay.judged, replay.untold) == (0, {"the path is not kept in full": 1})


# What is left out


def test_what_was_never_judged_or_was_stopped_is_counted() -> None:
    switch = KillSwitch.new(KillScope.parse("org"), reason="why", by="ada", at=FIXED_TIME)
    stopped = record(OLD.with_kill_switches(KillSwitches([switch])), "GET", f"{GITHUB}/user")
    replay = replayed(gateway(ALL), stopped, changed(USER, decision=None), b"nonsense\n", USER)
    assert (replay.read, replay.judged, replay.unreadable_count) == (4, 1, 1)
    assert replay.untold == {
        "stopped by a kill switch": 1,
        "never judged: rejected, or a destination alone": 1,
    }
    assert replay.unreadable[0].line == 3
    assert replay.document()["unchanged"] == 1
