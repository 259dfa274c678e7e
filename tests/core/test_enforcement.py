"""Each test is the transcript of one request: what the enforcement point asks for, and gets."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count, repeat

import pytest

from tameflare_core.action import Access, Action, Risk
from tameflare_core.approval import Answer, Approval, ApprovalState
from tameflare_core.commands import (
    AwaitApproval,
    Command,
    Enforcement,
    Forward,
    OpenApproval,
    PrepareRecord,
    ReadBody,
    Record,
    Refuse,
    Reply,
    ReserveUsage,
    ResolveCredential,
    WithdrawApproval,
)
from tameflare_core.connectors.base import Connector, ConnectorSettings
from tameflare_core.connectors.matching import Origin
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.enforcement import enforce
from tameflare_core.errors import (
    AddressRefused,
    ApprovalUnavailable,
    ClientGone,
    CredentialError,
    RequestRejected,
    UpstreamError,
)
from tameflare_core.hookspecs import hookimpl
from tameflare_core.injection.placement import Header
from tameflare_core.record import TrafficRecord
from tameflare_core.request import Body, BodyState, OutboundRequest
from tameflare_core.testing import (
    END,
    FIXED_TIME,
    Transcript,
    fixed_surroundings,
    gateway_from,
    opened,
)
from tameflare_core.vault.secret import Secret

CONFIGURATION = """
    version: 1
    gateway: agent
    enforcement: {level}
    connectors:
      - {{type: github, credential: "env:GITHUB_TOKEN"}}
      - {{type: generic, id: open, hosts: [open.example]}}
      - {{type: failing, id: failing}}
    permissions:
      - {{connector: github, action: "github.*", access: read, decision: allow}}
      - {{connector: github, action: github.pr.merge, decision: require_approval}}
      - {{connector: github, action: github.pr.update, decision: allow}}
      - {{connector: github, action: github.issue.create, decision: require_approval}}
      - {{connector: github, action: github.repo.delete, decision: deny}}
      - {{connector: open, action: "http.*", decision: allow}}
      - {{connector: failing, action: "failing.*", decision: require_approval}}
    approval: {{timeout: 60}}
"""
SECRET = "ghp_REAL"
READ = ("GET", "https://api.github.com/repos/o/r?token=query-value")
MERGE = ("PUT", "https://api.github.com/repos/o/r/pulls/1/merge")
UPDATE = ("PATCH", "https://api.github.com/repos/o/r/pulls/1")
DELETE = ("DELETE", "https://api.github.com/repos/o/r")
NEW_ISSUE = ("POST", "https://api.github.com/repos/o/r/issues")


class Failing(Connector):
    """Every request to it fails to be read."""

    type = "failing"
    provider = "failing"
    placement = Header()

    def __init__(self, settings: ConnectorSettings) -> None:
        super().__init__(settings)
        self.origins = (Origin("https", "failing.example", 443),)

    def needs_body(self, request: OutboundRequest) -> bool:
        if request.path == "/needs-body":
            raise ZeroDivisionError("the body of a secret")
        return False

    def shown_path(self, request: OutboundRequest) -> str:
        return "/…"

    def parse(self, request: OutboundRequest) -> Sequence[Action]:
        if request.path.startswith("/hook/"):
            return (Action(name="failing.hook.call", access=Access.WRITE, risk=Risk.LOW),)
        raise ZeroDivisionError("the body of a secret")

    @staticmethod
    @hookimpl
    def register_connectors() -> list[type[Connector]]:
        return [Failing]


def point_at(level: str = "enforce") -> DecisionPoint:
    return DecisionPoint(gateway_from(CONFIGURATION.format(level=level), extra=[Failing]))


@pytest.fixture(scope="module")
def point() -> DecisionPoint:
    return point_at()


def request(
    method: str,
    url: str,
    *,
    headers: Sequence[tuple[str, str]] = (),
    body: Body | None = None,
) -> OutboundRequest:
    return OutboundRequest.from_url(method, url, headers=headers, body=body or Body.absent())


def transcript(point: DecisionPoint, asked: OutboundRequest) -> Transcript:
    return Transcript(enforce(lambda: asked, lambda: point, fixed_surroundings()))


def recorded(finished: Transcript) -> TrafficRecord:
    return finished.only(Record).record


def test_allowed_request_is_forwarded_with_credential(point: DecisionPoint) -> None:
    asked = request(*READ, headers=[("authorization", "Bearer tf_placeholder"), ("accept", "*/*")])
    finished = (
        transcript(point, asked)
        << PrepareRecord()
        << ResolveCredential
        >> Secret(SECRET)
        << Forward
        >> 200
        << Record
        << END
    )
    forward = finished.only(Forward)
    assert forward.request.headers.get_all("authorization") == (f"Bearer {SECRET}",)
    assert forward.request == replace(asked, headers=forward.request.headers)
    assert forward.connector is point.connector_for("https", "api.github.com", 443)
    assert (recorded(finished).outcome, recorded(finished).status) == ("forwarded", 200)
    assert recorded(finished).id == forward.request_id == "00000000-0000-7000-8000-000000000001"


def test_connector_without_credential_passes_the_clients_own(point: DecisionPoint) -> None:
    asked = request("GET", "https://open.example/", headers=[("authorization", "Bearer own")])
    finished = transcript(point, asked) << PrepareRecord << Forward >> 200 << Record << END
    assert finished.only(Forward).request == asked


def test_denied_request_is_refused(point: DecisionPoint) -> None:
    finished = transcript(point, request(*DELETE)) << Refuse << Record << END
    assert finished.only(Refuse).refusal.status == 403
    assert (recorded(finished).outcome, recorded(finished).status) == ("denied", 403)


def test_destination_without_connector_is_refused(point: DecisionPoint) -> None:
    asked = request("GET", "https://evil.example/")
    finished = transcript(point, asked) << Refuse << Record << END
    assert "no connector owns https://evil.example" in finished.only(Refuse).refusal.detail


def test_request_that_cannot_be_read_is_rejected(point: DecisionPoint) -> None:
    def unreadable() -> OutboundRequest:
        raise RequestRejected("dot segment in path")

    finished = Transcript(enforce(unreadable, lambda: point)) << Refuse << Record << END
    assert finished.only(Refuse).refusal.status == 400
    record = recorded(finished)
    assert (record.outcome, record.request, record.gateway) == ("rejected", None, "agent")


def test_body_is_read_when_the_connector_asks(point: DecisionPoint) -> None:
    asked = request(*UPDATE, body=Body.unread())
    body = Body.complete(b'{"title": "t"}')
    finished = (
        transcript(point, asked)
        << ReadBody(1024 * 1024)
        >> body
        << PrepareRecord
        << ResolveCredential
        >> Secret(SECRET)
        << Forward
        >> 200
        << Record
        << END
    )
    assert finished.only(Forward).request.body == body


def test_body_names_another_action(point: DecisionPoint) -> None:
    asked = request(*UPDATE, body=Body.unread())
    body = Body.complete(b'{"state": "closed"}')
    finished = transcript(point, asked) << ReadBody >> body << Refuse << Record << END
    assert finished.only(Refuse).refusal.detail.endswith("matches github.pr.close")


def test_oversize_body_is_opaque_and_denied(point: DecisionPoint) -> None:
    asked = request(*UPDATE, body=Body.unread())
    finished = transcript(point, asked) << ReadBody >> Body.oversize() << Refuse << Record << END
    verdict = recorded(finished).verdict
    assert verdict is not None
    assert [action.name for action in verdict.actions] == ["github.opaque.patch"]


def test_approved_request_is_forwarded(point: DecisionPoint) -> None:
    finished = (
        transcript(point, request(*MERGE))
        << OpenApproval
        >> opened
        << AwaitApproval
        >> Answer(state=ApprovalState.APPROVED, by="owner")
        << PrepareRecord
        << ResolveCredential
        >> Secret(SECRET)
        << Forward
        >> 200
        << Record
        << END
    )
    approval = finished.only(AwaitApproval).approval
    assert approval == finished.only(OpenApproval).approval
    assert (approval.timeout, approval.created) == (60, FIXED_TIME)
    assert SECRET not in repr(approval)
    record = recorded(finished)
    assert (record.outcome, record.status) == ("forwarded", 200)
    assert (record.approval_id, record.approval_state) == (approval.id, ApprovalState.APPROVED)


def held_with(point: DecisionPoint, body: Body) -> Approval:
    issue = request(*NEW_ISSUE, headers=[("content-type", "application/json")], body=Body.unread())
    asked = transcript(point, issue) << ReadBody >> body << OpenApproval
    return asked.only(OpenApproval).approval


def test_body_is_read_before_a_human_is_asked(point: DecisionPoint) -> None:
    one = held_with(point, Body.complete(b'{"title":"one"}'))
    other = held_with(point, Body.complete(b'{"title":"other"}'))
    assert one.request.body.data == b'{"title":"one"}'
    assert one.fingerprint != other.fingerprint


def test_human_is_told_of_a_body_too_large_to_show(point: DecisionPoint) -> None:
    assert held_with(point, Body.oversize()).request.body.state is BodyState.OVERSIZE


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (ApprovalState.DENIED, 403),
        (ApprovalState.EXPIRED, 408),
        (ApprovalState.CANCELLED, 403),
        (ApprovalState.KILLED, 403),
    ],
)
def test_request_not_approved_is_refused(
    point: DecisionPoint, state: ApprovalState, status: int
) -> None:
    finished = (
        transcript(point, request(*MERGE))
        << OpenApproval
        >> opened
        << AwaitApproval
        >> Answer(state=state, by="owner", note="not today")
        << Refuse
        << Record
        << END
    )
    refusal = finished.only(Refuse).refusal
    assert refusal.status == status
    assert refusal.detail.endswith("(owner): not today")
    assert ("x-should-retry", "false") in refusal.headers
    record = recorded(finished)
    assert (record.outcome, record.approval_state, record.status) == (state, state, status)


def test_answer_that_is_not_final_is_refused(point: DecisionPoint) -> None:
    (
        transcript(point, request(*MERGE))
        << OpenApproval
        >> opened
        << AwaitApproval
        >> Answer(state=ApprovalState.PENDING)
        << Refuse
        << Record
        << END
    )


def test_nobody_to_ask_is_a_refusal(point: DecisionPoint) -> None:
    finished = (
        transcript(point, request(*MERGE))
        << OpenApproval
        >> ApprovalUnavailable("no terminal")
        << Refuse
        << Record
        << END
    )
    refusal = finished.only(Refuse).refusal
    assert (refusal.status, refusal.kind) == (403, "approval-unavailable")
    record = recorded(finished)
    assert (record.outcome, record.error, record.approval_id) == ("denied", "no terminal", None)


def test_approver_that_gets_lost_withdraws_and_refuses(point: DecisionPoint) -> None:
    finished = (
        transcript(point, request(*MERGE))
        << OpenApproval
        >> opened
        << AwaitApproval
        >> ApprovalUnavailable("the control plane is gone")
        << WithdrawApproval
        << Refuse
        << Record
        << END
    )
    assert finished.only(Refuse).refusal.kind == "approval-unavailable"
    assert recorded(finished).approval_state is ApprovalState.CANCELLED


@pytest.mark.parametrize("withdrawal", [None, OSError("the control plane is gone")])
def test_client_gone_while_held_withdraws_the_question(
    point: DecisionPoint, withdrawal: Exception | None
) -> None:
    finished = (
        transcript(point, request(*MERGE))
        << OpenApproval
        >> opened
        << AwaitApproval
        >> ClientGone()
        << WithdrawApproval
        >> withdrawal
        << Record
        << END
    )
    record = recorded(finished)
    assert (record.outcome, record.status) == ("cancelled", None)
    assert record.approval_state is ApprovalState.CANCELLED


def test_client_gone_while_asking_withdraws_the_question(point: DecisionPoint) -> None:
    (
        transcript(point, request(*MERGE))
        << OpenApproval
        >> ClientGone()
        << WithdrawApproval
        << Record
        << END
    )


def test_rules_changed_while_held_judge_again(point: DecisionPoint) -> None:
    stricter = replace(point.gateway, permissions=())
    points = iter([point, *repeat(DecisionPoint(stricter), 9)])
    asked = request(*MERGE)
    finished = (
        Transcript(enforce(lambda: asked, lambda: next(points)))
        << OpenApproval
        >> opened
        << AwaitApproval
        >> Answer(state=ApprovalState.APPROVED)
        << Refuse
        << Record
        << END
    )
    assert finished.only(Refuse).refusal.detail.startswith("no permission of connector")
    record = recorded(finished)
    assert (record.outcome, record.approval_state) == ("denied", ApprovalState.APPROVED)


def test_missing_credential_forwards_nothing(point: DecisionPoint) -> None:
    finished = (
        transcript(point, request(*READ))
        << PrepareRecord
        << ResolveCredential
        >> CredentialError("environment variable `GITHUB_TOKEN` is not set")
        << Refuse
        << Record
        << END
    )
    refusal = finished.only(Refuse).refusal
    assert (refusal.status, refusal.kind) == (502, "credential")
    assert "`GITHUB_TOKEN` is not set" in refusal.detail


def test_credential_that_fits_no_header_forwards_nothing(point: DecisionPoint) -> None:
    finished = (
        transcript(point, request(*READ))
        << PrepareRecord
        << ResolveCredential
        >> Secret("ghp\r\nX-Injected: 1")
        << Refuse
        << Record
        << END
    )
    assert finished.only(Refuse).refusal.kind == "credential"
    assert "Injected" not in finished.only(Refuse).refusal.detail


def test_recorder_that_cannot_record_forwards_nothing(point: DecisionPoint) -> None:
    finished = (
        transcript(point, request(*READ))
        << PrepareRecord
        >> OSError("No space left on device: /home/user/traffic.jsonl")
        << Refuse
        << Record
        << END
    )
    refusal = finished.only(Refuse).refusal
    assert (refusal.status, refusal.kind) == (403, "internal")
    assert b"traffic.jsonl" not in refusal.body()
    assert recorded(finished).error == "internal error: OSError"


@pytest.mark.parametrize("error", [UpstreamError("no route"), AddressRefused("10.0.0.1")])
def test_upstream_error_is_a_bad_gateway(point: DecisionPoint, error: UpstreamError) -> None:
    finished = (
        transcript(point, request("GET", "https://open.example/"))
        << PrepareRecord
        << Forward
        >> error
        << Refuse
        << Record
        << END
    )
    refusal = finished.only(Refuse).refusal
    assert (refusal.status, refusal.detail) == (502, str(error))
    record = recorded(finished)
    assert (record.outcome, record.status, record.error) == ("failed", 502, str(error))


def test_client_gone_while_forwarding_is_recorded(point: DecisionPoint) -> None:
    finished = (
        transcript(point, request("GET", "https://open.example/"))
        << PrepareRecord
        << Forward
        >> ClientGone()
        << Record
        << END
    )
    assert (recorded(finished).outcome, recorded(finished).status) == ("abandoned", None)


@pytest.mark.parametrize("path", ["/parse", "/needs-body"])
def test_connector_that_raises_is_a_refusal(point: DecisionPoint, path: str) -> None:
    asked = request("GET", f"https://failing.example{path}", body=Body.unread())
    finished = transcript(point, asked) << Refuse << Record << END
    assert finished.only(Refuse).refusal.status == 403
    assert "secret" not in repr(finished.only(Refuse))


def test_failing_decision_point_is_a_refusal() -> None:
    def no_point() -> DecisionPoint:
        raise LookupError("no configuration yet")

    asked = request(*READ)
    finished = Transcript(enforce(lambda: asked, no_point)) << Refuse << Record << END
    assert finished.only(Refuse).refusal.kind == "internal"


def test_refusal_that_cannot_be_delivered_is_recorded(point: DecisionPoint) -> None:
    finished = (
        transcript(point, request(*DELETE)) << Refuse >> OSError("broken pipe") << Record << END
    )
    record = recorded(finished)
    assert (record.outcome, record.status) == ("denied", None)
    assert record.error == "the refusal was not delivered: OSError"


@pytest.mark.parametrize(
    ("level", "asked", "outcome"),
    [
        ("soft", NEW_ISSUE, "would_hold"),
        ("soft", ("POST", "https://evil.example/"), "would_deny"),
        ("monitor", MERGE, "would_hold"),
        ("monitor", DELETE, "would_deny"),
        ("monitor", ("POST", "https://evil.example/"), "would_deny"),
    ],
)
def test_level_lets_pass_and_says_what_it_would_do(
    level: str, asked: tuple[str, str], outcome: str
) -> None:
    steps = transcript(point_at(level), request(*asked)) << PrepareRecord
    if "github" in asked[1]:
        steps = steps << ResolveCredential >> Secret(SECRET)
    finished = steps << Forward >> 201 << Record << END
    assert (recorded(finished).outcome, recorded(finished).status) == (outcome, 201)


@pytest.mark.parametrize(("asked", "first"), [(DELETE, Refuse), (MERGE, OpenApproval)])
def test_soft_level_still_stops_high_risk(asked: tuple[str, str], first: type[Command]) -> None:
    transcript(point_at("soft"), request(*asked)) << first


def test_nothing_is_injected_without_connector() -> None:
    asked = request("GET", "https://evil.example/")
    finished = (
        transcript(point_at("monitor"), asked) << PrepareRecord << Forward >> 200 << Record << END
    )
    assert finished.only(Forward).request == asked
    assert finished.only(Forward).connector is None


def over_http(point: DecisionPoint) -> DecisionPoint:
    # No configuration can say this, so the bound connector is made by hand.
    (github, *others) = point.gateway.connectors
    github.connector.origins = (Origin("http", "api.github.com", 80), *github.origins)
    return DecisionPoint(replace(point.gateway, connectors=(github, *others)))


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("OPTIONS", "https://api.github.com/repos/o/r"),
        ("GET", "http://api.github.com/repos/o/r"),
    ],
)
def test_credential_slot_is_emptied_where_none_may_go(method: str, url: str) -> None:
    asked = request(method, url, headers=[("authorization", "Bearer tf_placeholder")])
    finished = (
        transcript(over_http(point_at("monitor")), asked)
        << PrepareRecord
        << Forward
        >> 200
        << Record
        << END
    )
    assert "authorization" not in finished.only(Forward).request.headers


def test_record_holds_no_values_and_no_secret(point: DecisionPoint) -> None:
    body = Body.complete(b'{"title": "body-value"}')
    asked = request(
        "PATCH",
        "https://api.github.com/repos/o/r/pulls/1?token=query-value",
        headers=[("x-custom", "header-value")],
        body=body,
    )
    finished = (
        transcript(point, asked)
        << PrepareRecord
        << ResolveCredential
        >> Secret(SECRET)
        << Forward
        >> 200
        << Record
        << END
    )
    line = recorded(finished).to_json()
    for value in ("query-value", "header-value", "body-value", SECRET):
        assert value not in line
    document = json.loads(line)
    assert document["path"] == "/repos/o/r/pulls/1"
    assert [action["name"] for action in document["actions"]] == ["github.pr.update"]


def test_record_says_where_the_time_went(point: DecisionPoint) -> None:
    ticks = count()
    surroundings = replace(fixed_surroundings(), monotonic=lambda: float(next(ticks)))
    asked = request(*MERGE)
    finished = (
        Transcript(enforce(lambda: asked, lambda: point, surroundings))
        << OpenApproval
        >> opened
        << AwaitApproval
        >> Answer(state=ApprovalState.APPROVED)
        << PrepareRecord
        << ResolveCredential
        >> Secret(SECRET)
        << Forward
        >> 200
        << Record
        << END
    )
    record = recorded(finished)
    # The clock of the tests moves by a second at each look; judging takes two spans.
    assert (record.judge_seconds, record.hold_seconds, record.upstream_seconds) == (2, 1, 1)


# Every command that can be yielded before or at a `Forward`, with the request that leads to it.
REPLIES: dict[type[Command], Callable[[Command], Reply]] = {
    ReadBody: lambda _: Body.complete(b'{"title": "t"}'),
    OpenApproval: opened,
    AwaitApproval: lambda _: Answer(state=ApprovalState.APPROVED),
    ResolveCredential: lambda _: Secret(SECRET),
    Forward: lambda _: 200,
    ReserveUsage: lambda _: frozenset(),
}


def reply_to(command: Command) -> Reply:
    reply = REPLIES.get(type(command))
    return None if reply is None else reply(command)


THROWN: list[Exception] = [
    ValueError("anything"),
    RuntimeError(),
    TimeoutError(),
    KeyError("x"),
    StopIteration(),
    MemoryError(),
    RequestRejected("x"),
    ApprovalUnavailable("x"),
    ClientGone(),
    CredentialError("x"),
    UpstreamError("x"),
]


def after(steps: Enforcement, wanted: type[Command], act: Callable[[], Command]) -> list[Command]:
    """Go on to the first `wanted`, `act` there, and collect what is yielded from then on."""
    command = next(steps)
    while not isinstance(command, wanted):
        command = steps.send(reply_to(command))
    rest: list[Command] = []
    try:
        command = act()
        while True:
            rest.append(command)
            command = steps.send(reply_to(command))
    except StopIteration:
        return rest


@pytest.mark.parametrize("error", THROWN, ids=repr)
@pytest.mark.parametrize(
    ("wanted", "asked"),
    [
        (ReadBody, UPDATE),
        (OpenApproval, MERGE),
        (AwaitApproval, MERGE),
        (PrepareRecord, READ),
        (ResolveCredential, READ),
        (Forward, READ),
        (Refuse, DELETE),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_error_at_any_command_never_leads_to_forward(
    point: DecisionPoint, wanted: type[Command], asked: tuple[str, str], error: Exception
) -> None:
    steps = enforce(lambda: request(*asked, body=Body.unread()), lambda: point)
    rest = after(steps, wanted, lambda: steps.throw(error))
    assert not any(isinstance(command, Forward) for command in rest)
    assert isinstance(rest[-1], Record), "whatever happens is recorded"
    assert sum(isinstance(command, Refuse) for command in rest) <= 1


@pytest.mark.parametrize("error", THROWN, ids=repr)
def test_error_at_withdrawal_never_leads_to_forward(point: DecisionPoint, error: Exception) -> None:
    finished = (
        transcript(point, request(*MERGE))
        << OpenApproval
        >> opened
        << AwaitApproval
        >> ClientGone()
        << WithdrawApproval
        >> error
        << Record
        << END
    )
    assert recorded(finished).outcome == "cancelled"


@pytest.mark.parametrize(
    ("wanted", "asked"),
    [(ReadBody, UPDATE), (AwaitApproval, MERGE), (ResolveCredential, READ)],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_wrong_reply_never_leads_to_forward(
    point: DecisionPoint, wanted: type[Command], asked: tuple[str, str]
) -> None:
    steps = enforce(lambda: request(*asked, body=Body.unread()), lambda: point)
    rest = after(steps, wanted, lambda: steps.send(True))
    assert not any(isinstance(command, Forward) for command in rest)


def test_error_at_record_is_the_drivers(point: DecisionPoint) -> None:
    steps = transcript(point, request(*DELETE)) << Refuse << Record >> OSError("disk")
    with pytest.raises(OSError, match="disk"):
        steps << END


def test_secret_in_a_path_is_neither_asked_about_nor_recorded(point: DecisionPoint) -> None:
    asked = request("POST", "https://failing.example/hook/sEcret?key=sEcret")
    finished = (
        transcript(point, asked)
        << OpenApproval
        >> opened
        << AwaitApproval
        >> Answer(state=ApprovalState.DENIED)
        << Refuse
        << Record
        << END
    )
    assert finished.only(OpenApproval).approval.shown_url == "https://failing.example/…?…"
    assert json.loads(recorded(finished).to_json())["path"] == "/…"
    assert "sEcret" not in recorded(finished).to_json()


def test_path_of_a_request_that_fails_is_recorded_as_it_may_be_shown(point: DecisionPoint) -> None:
    asked = request("PUT", "https://failing.example/needs-body", body=Body.unread())
    finished = transcript(point, asked) << Refuse << Record << END
    assert json.loads(recorded(finished).to_json())["path"] == "/…"
