"""Transcripts of requests that count towards limits: before they leave, and only if they do."""

from __future__ import annotations

import pytest

from tameflare_core.approval import Answer, ApprovalState
from tameflare_core.commands import (
    AwaitApproval,
    Command,
    Forward,
    GiveBackUsage,
    OpenApproval,
    PrepareRecord,
    ReadBody,
    Record,
    Refuse,
    Reply,
    ReserveUsage,
    ResolveCredential,
    SettleUsage,
    TakeUsage,
)
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.enforcement import enforce
from tameflare_core.errors import ClientGone, CredentialError, TameflareError, UpstreamError
from tameflare_core.request import Body, OutboundRequest
from tameflare_core.testing import (
    END,
    FIXED_TIME,
    Transcript,
    fixed_surroundings,
    gateway_from,
    opened,
)

ID = "00000000-0000-7000-8000-000000000001"
CONFIG = """
    version: 1
    gateway: agent
    enforcement: {level}
    connectors:
      - {{type: github}}
      - {{type: github, id: keyed, credential: "env:KEY", base_url: "https://ghe.example/api/v3"}}
    permissions:
      - {{connector: github, action: "github.*", decision: allow}}
      - {{connector: keyed, action: "github.*", decision: allow}}
      - {{connector: github, action: github.pr.merge, decision: require_approval}}
    policies:
      - name: few
        scope: {{actions: ["github.*"]}}
        rules:
          - {{name: calls, limit: {{requests: 1, within: 1h}}, decision: {decision}}}
"""
USER = "https://api.github.com/user"


def point_with(decision: str = "deny", level: str = "enforce") -> DecisionPoint:
    return DecisionPoint(gateway_from(CONFIG.format(decision=decision, level=level)))


def transcript(point: DecisionPoint, method: str = "GET", url: str = USER) -> Transcript:
    request = OutboundRequest.from_url(method, url, body=Body.absent())
    return Transcript(enforce(lambda: request, lambda: point, fixed_surroundings()))


def over(command: Command) -> Reply:
    assert isinstance(command, ReserveUsage)
    return frozenset(command.charges)


def test_request_counts_before_it_leaves_and_stays_counted() -> None:
    finished = (
        transcript(point_with())
        << ReserveUsage
        >> frozenset()
        << PrepareRecord
        << Forward
        >> 200
        << SettleUsage(ID)
        << Record
        << END
    )
    reserved = finished.only(ReserveUsage)
    (charge,) = reserved.charges
    assert (reserved.request_id, reserved.now) == (ID, FIXED_TIME)
    assert (charge.key, charge.amount, charge.most) == (("agent", "few/calls"), 1, 1)
    assert charge.within == 3600


def test_request_over_the_limit_is_denied_by_the_rule() -> None:
    finished = transcript(point_with()) << ReserveUsage >> over << Refuse << Record << END
    refusal = finished.only(Refuse).refusal
    assert refusal.status == 403
    assert "its limit is reached" in refusal.detail
    verdict = finished.only(Record).record.verdict
    assert verdict is not None
    assert (verdict.rule.kind, verdict.rule.pattern) == ("policy", "few/calls")


def test_request_over_the_limit_that_is_approved_counts_all_the_same() -> None:
    finished = (
        transcript(point_with("require_approval"))
        << ReserveUsage
        >> over
        << OpenApproval
        >> opened
        << AwaitApproval
        >> Answer(state=ApprovalState.APPROVED)
        << PrepareRecord
        << TakeUsage
        << Forward
        >> 200
        << SettleUsage(ID)
        << Record
        << END
    )
    assert finished.only(TakeUsage).charges == finished.only(ReserveUsage).charges
    assert finished.only(OpenApproval).approval.subjects is None, "a limit cannot be widened away"


def test_request_over_the_limit_counts_where_the_level_lets_it_pass() -> None:
    finished = (
        transcript(point_with(level="monitor"))
        << ReserveUsage
        >> over
        << PrepareRecord
        << TakeUsage
        << Forward
        >> 200
        << SettleUsage(ID)
        << Record
        << END
    )
    assert finished.only(Record).record.outcome == "would_deny"


def test_usage_that_cannot_be_counted_lets_nothing_leave() -> None:
    (
        transcript(point_with(level="monitor"))
        << ReserveUsage
        >> over
        << PrepareRecord
        << TakeUsage
        >> TameflareError("full")
        << Refuse
        << Record
        << END
    )
    (
        transcript(point_with())
        << ReserveUsage
        >> ConnectionError("the counter is gone")
        << Refuse
        << Record
        << END
    )


def test_wrong_reply_lets_nothing_leave() -> None:
    transcript(point_with()) << ReserveUsage >> None << Refuse << Record << END


def test_held_request_keeps_its_place_and_gives_it_back_when_denied() -> None:
    merge = "https://api.github.com/repos/o/r/pulls/1/merge"
    (
        transcript(point_with(), "PUT", merge)
        << ReserveUsage
        >> frozenset()
        << OpenApproval
        >> opened
        << AwaitApproval
        >> Answer(state=ApprovalState.DENIED)
        << Refuse
        << GiveBackUsage(ID)
        << Record
        << END
    )


def test_held_request_counts_once() -> None:
    merge = "https://api.github.com/repos/o/r/pulls/1/merge"
    finished = (
        transcript(point_with(), "PUT", merge)
        << ReserveUsage
        >> frozenset()
        << OpenApproval
        >> opened
        << AwaitApproval
        >> Answer(state=ApprovalState.APPROVED)
        << PrepareRecord
        << Forward
        >> 200
        << SettleUsage(ID)
        << Record
        << END
    )
    assert not any(isinstance(command, TakeUsage) for command in finished.commands)


def test_request_whose_body_is_read_for_the_approver_counts_once() -> None:
    request = OutboundRequest.from_url(
        "PUT", "https://api.github.com/repos/o/r/pulls/1/merge", body=Body.unread()
    )
    point = point_with()
    (
        Transcript(enforce(lambda: request, lambda: point, fixed_surroundings()))
        << ReserveUsage
        >> frozenset()
        << GiveBackUsage(ID)
        << ReadBody
        >> Body.complete(b"{}")
        << ReserveUsage
        >> frozenset()
        << OpenApproval
    )


@pytest.mark.parametrize("error", [OSError("disk full"), ClientGone()])
def test_request_that_does_not_leave_gives_back(error: Exception) -> None:
    steps = transcript(point_with()) << ReserveUsage >> frozenset() << PrepareRecord >> error
    if not isinstance(error, ClientGone):
        steps = steps << Refuse
    steps << GiveBackUsage(ID) << Record << END


def test_missing_credential_gives_back() -> None:
    (
        transcript(point_with(), url="https://ghe.example/api/v3/user")
        << ReserveUsage
        >> frozenset()
        << PrepareRecord
        << ResolveCredential
        >> CredentialError("not set")
        << Refuse
        << GiveBackUsage(ID)
        << Record
        << END
    )


@pytest.mark.parametrize("error", [UpstreamError("reset"), ClientGone()])
def test_request_that_may_have_left_stays_counted(error: Exception) -> None:
    steps = (
        transcript(point_with()) << ReserveUsage >> frozenset() << PrepareRecord << Forward >> error
    )
    if not isinstance(error, ClientGone):
        steps = steps << Refuse
    steps << SettleUsage(ID) << Record << END


def test_counter_that_fails_afterwards_hides_nothing() -> None:
    finished = (
        transcript(point_with())
        << ReserveUsage
        >> frozenset()
        << PrepareRecord
        << Forward
        >> 200
        << SettleUsage(ID)
        >> ConnectionError("the counter is gone")
        << Record
        << END
    )
    assert finished.only(Record).record.outcome == "forwarded"
