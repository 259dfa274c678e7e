from __future__ import annotations

import pytest

from tameflare_core.decision import Decision, RuleKind
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.recorded import Recorded, Unreadable
from tameflare_core.testing import FIXED_TIME, gateway_from
from tests.core.recording import GITHUB, changed, read, record

POINT = DecisionPoint(
    gateway_from("""
        version: 1
        gateway: agent
        connectors: [{type: github}]
        permissions: [{connector: github, action: "github.*", decision: require_approval}]
    """)
)
LINE = record(POINT, "PUT", f"{GITHUB}/repos/O/r/pulls/1/merge", body=b'{"merge_method":"x"}')


def test_record_is_read_back() -> None:
    (one,) = read([LINE])
    assert isinstance(one, Recorded)
    assert (one.gateway, one.connector, one.time) == ("agent", "github", FIXED_TIME)
    assert (one.method, one.host, one.path) == (
        "PUT",
        "api.github.com",
        "/repos/O/r/pulls/1/merge",
    )
    assert (one.decision, one.rule) == (Decision.REQUIRE_APPROVAL, RuleKind.PERMISSION)
    (action,) = one.actions
    assert action.name == "github.pr.merge"
    assert action.resource == {"owner": "o", "repo": "r", "number": "1"}
    assert action.resource_complete
    assert (action.params, action.params_complete) == ({}, False)
    assert not one.passed


def test_approved_request_passed() -> None:
    (one,) = read([record(POINT, "GET", f"{GITHUB}/user", approved=True)])
    assert isinstance(one, Recorded)
    assert (one.approved, one.passed) == (True, True)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"nonsense\n",
        b"[]\n",
        b"{}\n",
        b"\xff\n",
        b"[" * 100_000,
        changed(LINE, time="noon"),
        changed(LINE, time="2026-01-01T00:00:00"),
        changed(LINE, decision="perhaps"),
        changed(LINE, actions=[{"name": "x"}]),
        changed(LINE, actions=[{"name": 1}]),
        changed(LINE, port="443"),
        changed(LINE, rule=None),
    ],
)
def test_line_that_is_no_record_is_told_with_its_number(line: bytes) -> None:
    first, second, third = read([LINE, line, LINE])
    assert isinstance(first, Recorded)
    assert isinstance(second, Unreadable)
    assert (second.line, second.why[:22]) == (2, "not a traffic record: ")
    assert isinstance(third, Recorded)


def test_request_that_was_never_judged_says_so() -> None:
    rejected, destination = read(
        [changed(LINE, decision=None, rule=None), changed(LINE, host=None)]
    )
    assert (rejected, destination) == (Unreadable(1, ""), Unreadable(2, ""))


def test_unknown_keys_are_left_alone() -> None:
    assert isinstance(read([changed(LINE, more=1)])[0], Recorded)
