"""The decision point: which stage decides, at which level, and that nothing gets past an error."""

from __future__ import annotations

import gzip
import json
import time
import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tameflare_core.action import Access, Action, Risk
from tameflare_core.body import MAX_INSPECTED
from tameflare_core.connectors.base import Connector, ConnectorSettings
from tameflare_core.connectors.matching import Origin
from tameflare_core.decision import Decision, RuleKind, Verdict
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.hookspecs import hookimpl
from tameflare_core.host_categories import HostClassifier
from tameflare_core.injection.placement import Header
from tameflare_core.kill_switch import KillScope, KillSwitch, KillSwitches
from tameflare_core.request import Body, BodyState, OutboundRequest
from tameflare_core.respond_async import STATUS_HOST
from tameflare_core.testing import FIXED_TIME, gateway_from

ALLOW, ASK, DENY = Decision.ALLOW, Decision.REQUIRE_APPROVAL, Decision.DENY


class Scripted(Connector):
    """A connector that does what the path says."""

    type = "scripted"
    provider = "scripted"
    placement = Header()

    def __init__(self, settings: ConnectorSettings) -> None:
        super().__init__(settings)
        self.origins = (Origin("https", "scripted.example", 443),)

    def parse(self, request: OutboundRequest) -> Sequence[Action]:
        match request.path:
            case "/raises":
                raise ZeroDivisionError("a secret detail")
            case "/rejects":
                raise RequestRejected("reads in two ways")
            case "/names-nothing":
                return ()
            case "/bad-name":
                return (Action(name="scripted", access=Access.READ, risk=Risk.LOW),)
            case "/opaque-put" if request.method == "PUT":
                raise OpaqueBody("cannot be read")
        named = [part for part in request.path.split("/") if part]
        return [
            Action(name=f"scripted.{name}.do", access=Access.WRITE, risk=Risk.LOW) for name in named
        ]

    def shown_path(self, request: OutboundRequest) -> str:
        if request.path == "/raises":
            raise ZeroDivisionError("a secret detail")
        return "/hidden/…" if request.path.startswith("/hidden/") else request.path

    @staticmethod
    @hookimpl
    def register_connectors() -> list[type[Connector]]:
        return [Scripted]


def point_at(level: str = "enforce", blocked: str = "") -> DecisionPoint:
    return DecisionPoint(
        gateway_from(
            f"""
            version: 1
            gateway: agent
            enforcement: {level}
            connectors:
              - {{type: github}}
              - {{type: generic, id: open, hosts: [open.example, "*.open.example"]}}
              - {{type: scripted}}
            permissions:
              - {{connector: github, action: "github.*", access: read, decision: allow}}
              - {{connector: github, action: "github.issue.*", decision: allow}}
              - {{connector: github, action: github.issue.create, decision: require_approval}}
              - {{connector: github, action: github.repo.delete, decision: deny}}
              - {{connector: open, action: "http.*", decision: allow}}
              - {{connector: open, action: http.delete, decision: deny}}
              - {{connector: scripted, action: "scripted.*", decision: allow}}
              - {{connector: scripted, action: scripted.ask.do, decision: require_approval}}
              - {{connector: scripted, action: scripted.deny.do, decision: deny}}
              - {{connector: scripted, action: "scripted.opaque.*", decision: allow}}
            blocked_categories: [{blocked}]
            """,
            extra=[Scripted],
        )
    )


POINT = point_at()
GITHUB = "https://api.github.com"


def request(
    method: str, url: str, *headers: tuple[str, str], body: Body | None = None
) -> OutboundRequest:
    return OutboundRequest.from_url(method, url, headers=headers, body=body or Body.absent())


def judged(
    method: str,
    url: str,
    *headers: tuple[str, str],
    body: Body | None = None,
    point: DecisionPoint = POINT,
) -> Verdict:
    return point.decide(request(method, url, *headers, body=body), FIXED_TIME)


# The order of stages


@pytest.mark.parametrize(
    ("method", "url", "decision", "kind", "rule", "pattern"),
    [
        ("GET", f"{GITHUB}/repos/o/r", ALLOW, RuleKind.PERMISSION, "permissions[0]", "github.*"),
        (
            "POST",
            f"{GITHUB}/repos/o/r/issues",
            ASK,
            RuleKind.PERMISSION,
            "permissions[2]",
            "github.issue.create",
        ),
        (
            "DELETE",
            f"{GITHUB}/repos/o/r",
            DENY,
            RuleKind.PERMISSION,
            "permissions[3]",
            "github.repo.delete",
        ),
        ("PUT", f"{GITHUB}/repos/o/r/topics", DENY, RuleKind.DEFAULT, "default", ""),
        ("GET", "https://other.example/", DENY, RuleKind.NO_CONNECTOR, "no_connector", ""),
        ("GET", "http://api.github.com/", DENY, RuleKind.NO_CONNECTOR, "no_connector", ""),
        ("GET", f"{GITHUB}:8443/", DENY, RuleKind.NO_CONNECTOR, "no_connector", ""),
        ("GET", "https://a.open.example/", ALLOW, RuleKind.PERMISSION, "permissions[4]", "http.*"),
        ("TRACE", "https://open.example/", DENY, RuleKind.BUILTIN, "trace", ""),
        ("GET", "https://scripted.example/raises", DENY, RuleKind.ERROR, "error", ""),
        ("GET", "https://scripted.example/names-nothing", DENY, RuleKind.ERROR, "error", ""),
        ("GET", "https://scripted.example/bad-name", DENY, RuleKind.DEFAULT, "default", ""),
    ],
)
def test_stage_decides(
    method: str, url: str, decision: Decision, kind: RuleKind, rule: str, pattern: str
) -> None:
    verdict = judged(method, url)
    assert (verdict.decision, verdict.applied) == (decision, decision)
    assert (verdict.rule.kind, verdict.rule.id, verdict.rule.pattern) == (kind, rule, pattern)
    assert verdict.reason


def test_blocked_category_beats_every_permission() -> None:
    point = point_at(blocked="secrets, messaging")
    verdict = judged("POST", f"{GITHUB}/repos/o/r/issues", point=point)
    assert verdict.decision is DENY
    assert verdict.rule.kind is RuleKind.BLOCKED_CATEGORY
    assert (verdict.rule.id, verdict.rule.pattern) == ("blocked_categories[1]", "messaging")


def test_strictest_of_several_actions_stands() -> None:
    for path, decision in [("/a/b", ALLOW), ("/a/ask/b", ASK), ("/a/ask/deny", DENY)]:
        verdict = judged("GET", f"https://scripted.example{path}")
        assert verdict.decision is decision
        assert len(verdict.judgements) == path.count("/")
        determining = verdict.determining
        assert determining is not None
        assert decision is ALLOW or decision.value[-3:] in f"{determining.name} require_approval"


def test_error_while_judging_tells_nothing_of_itself() -> None:
    assert "secret" not in judged("GET", "https://scripted.example/raises").reason


def test_request_that_a_connector_rejects_is_rejected() -> None:
    with pytest.raises(RequestRejected, match="two ways"):
        judged("GET", "https://scripted.example/rejects")


@pytest.mark.parametrize(
    "url",
    [
        f"{GITHUB}//repos/o/r",
        "https://open.example//x",
        "https://open.example/a%2Fb",
        "https://scripted.example/x/",
    ],
)
def test_ambiguity_that_nobody_vouches_for_is_rejected(url: str) -> None:
    with pytest.raises(RequestRejected):
        judged("GET", url)


def test_ambiguity_at_a_host_that_nobody_owns_is_a_denial() -> None:
    for path in ("//x", "/x/", "/a%2fb"):
        assert judged("GET", f"https://nobody.example{path}").rule.kind is RuleKind.NO_CONNECTOR


# Opaque requests and overrides


def test_opaque_request_needs_a_rule_that_names_it() -> None:
    verdict = judged("POST", f"{GITHUB}/graphql")
    assert verdict.decision is DENY
    assert [action.name for action in verdict.actions] == ["github.opaque.post"]


def test_each_method_that_could_run_is_judged() -> None:
    override = ("X-HTTP-Method-Override", "DELETE")
    assert judged("POST", "https://open.example/x").decision is ALLOW
    assert judged("POST", "https://open.example/x", override).decision is DENY
    assert judged("POST", "https://open.example/x?_method=delete").decision is DENY


def test_opaque_variant_does_not_hide_the_others() -> None:
    """A rule lets opaque requests pass; what the other method does is judged all the same."""
    override = ("X-HTTP-Method", "PUT")
    verdict = judged("DELETE", "https://scripted.example/opaque-put", override)
    assert [action.name for action in verdict.actions] == [
        "scripted.opaque-put.do",
        "scripted.opaque.put",
    ]


@pytest.mark.parametrize(
    ("method", "url", "headers", "needed"),
    [
        ("PATCH", f"{GITHUB}/repos/o/r/issues/1", [], True),
        ("GET", f"{GITHUB}/repos/o/r/issues/1", [], False),
        ("GET", f"{GITHUB}/repos/o/r/issues/1", [("X-HTTP-Method", "PATCH")], True),
        ("PUT", "https://open.example/x", [], False),
        ("POST", "https://open.example/x", [("Content-Type", "application/json")], False),
        ("POST", "https://open.example/x", [], True),
        (
            "POST",
            "https://open.example/x",
            [("Content-Type", "application/x-www-form-urlencoded")],
            True,
        ),
        ("POST", "https://open.example/x", [("Content-Type", "multipart/form-data")], True),
        ("POST", "https://nobody.example/x", [], False),
    ],
)
def test_body_is_asked_for_where_it_can_decide(
    method: str, url: str, headers: list[tuple[str, str]], needed: bool
) -> None:
    unread = request(method, url, *headers, body=Body.unread())
    assert POINT.needs_body(unread) is needed
    for known in (Body.absent(), Body.oversize(), Body.complete(b"x")):
        assert not POINT.needs_body(unread.with_body(known))


def test_large_upload_to_an_open_service_passes() -> None:
    for content_type in ("application/octet-stream", "application/json"):
        headers = ("Content-Type", content_type)
        verdict = judged("POST", "https://open.example/x", headers, body=Body.unread())
        assert verdict.decision is ALLOW


# Enforcement levels

LEVELS = [
    # url, what the rules say, what is done at soft, what is done at monitor
    ("GET", f"{GITHUB}/repos/o/r", ALLOW, ALLOW, ALLOW),
    ("POST", f"{GITHUB}/repos/o/r/issues", ASK, ALLOW, ALLOW),
    ("DELETE", f"{GITHUB}/repos/o/r", DENY, DENY, ALLOW),
    ("PUT", f"{GITHUB}/repos/o/r/topics", DENY, ALLOW, ALLOW),
    ("POST", f"{GITHUB}/graphql", DENY, DENY, ALLOW),
    ("GET", "https://nobody.example/", DENY, ALLOW, ALLOW),
    ("TRACE", f"{GITHUB}/", DENY, DENY, DENY),
    ("GET", "https://scripted.example/raises", DENY, DENY, DENY),
]


@pytest.mark.parametrize(("method", "url", "decided", "soft", "monitor"), LEVELS)
def test_level_says_how_much_is_enforced(
    method: str, url: str, decided: Decision, soft: Decision, monitor: Decision
) -> None:
    for level, applied in [("enforce", decided), ("soft", soft), ("monitor", monitor)]:
        verdict = judged(method, url, point=point_at(level))
        assert (verdict.decision, verdict.applied) == (decided, applied), level


def test_blocked_category_holds_when_soft() -> None:
    point = point_at("soft", blocked="messaging")
    assert judged("POST", f"{GITHUB}/repos/o/r/issues", point=point).applied is DENY


# What else it tells


def test_destination_alone_can_be_refused() -> None:
    refused = POINT.decide_destination("nobody.example", 443)
    assert refused is not None
    assert refused.rule.kind is RuleKind.NO_CONNECTOR
    assert POINT.decide_destination("api.github.com", 443) is None
    assert POINT.decide_destination("api.github.com", 22) is not None
    assert point_at("soft").decide_destination("nobody.example", 443) is None


def test_connector_owns_its_destination() -> None:
    bound = POINT.connector_for("https", "api.github.com", 443)
    assert bound is not None
    assert bound.id == "github"
    assert POINT.connector_for("https", "nobody.example", 443) is None


def test_judging_leaves_no_trace() -> None:
    body = Body.complete(b'{"state":"closed"}')
    one = request("PATCH", f"{GITHUB}/repos/o/r/issues/1", body=body)
    assert POINT.decide(one, FIXED_TIME) == POINT.decide(one, datetime(2030, 1, 1, tzinfo=UTC))


# Kill switches


def killed(point: DecisionPoint, *scopes: str) -> DecisionPoint:
    switches = [
        KillSwitch.new(KillScope.parse(scope), reason="why", by="ada", at=FIXED_TIME)
        for scope in scopes
    ]
    return point.with_kill_switches(KillSwitches(switches))


def test_killed_request_still_names_its_actions() -> None:
    merge = request("PUT", f"{GITHUB}/repos/o/r/pulls/1/merge")
    verdict = killed(POINT, "org").decide(merge, FIXED_TIME)
    assert [action.name for action in verdict.actions] == ["github.pr.merge"]
    assert verdict.reason == "stopped by kill switch `org` (ada): why"
    assert verdict.connector == "github"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/repos//o", Body.absent()),
        ("PATCH", "/repos/o/r/issues/1", Body.unread()),
        ("PATCH", "/repos/o/r/issues/1", Body.oversize()),
    ],
)
def test_killed_request_need_not_be_readable(method: str, path: str, body: Body) -> None:
    point = killed(POINT, "connector:github")
    own = request(method, GITHUB + path, body=body)
    assert not point.needs_body(own)
    verdict = point.decide(own, FIXED_TIME)
    assert (verdict.decision, verdict.rule.kind) == (DENY, RuleKind.KILL_SWITCH)


def test_kill_switch_on_one_of_several_actions_denies_all() -> None:
    verdict = killed(POINT, "action:scripted.b.*").decide(
        request("POST", "https://scripted.example/a/b"), FIXED_TIME
    )
    assert (verdict.decision, verdict.rule.kind) == (DENY, RuleKind.KILL_SWITCH)
    assert [judged.rule.kind for judged in verdict.judgements] != [RuleKind.KILL_SWITCH] * 2


def test_what_was_judged_before_is_found_by_a_new_kill_switch() -> None:
    merge = POINT.decide(request("GET", f"{GITHUB}/repos/o/r"), FIXED_TIME)
    unowned = POINT.decide(request("GET", "https://nobody.example/"), FIXED_TIME)
    assert POINT.stopped_by(merge) is None
    for scope, stops in [
        ("org", (True, True)),
        ("gateway:agent", (True, True)),
        ("gateway:other", (False, False)),
        ("connector:github", (True, False)),
        ("action:github.repo.*", (True, False)),
        ("action:github.pr.*", (False, False)),
    ]:
        point = killed(POINT, scope)
        assert (point.stopped_by(merge) is not None, point.stopped_by(unowned) is not None) == stops


# Hosts


class Classified(HostClassifier):
    categories = frozenset({"dump"})

    def classify(self, host: str) -> frozenset[str]:
        if host == "raises.example":
            raise ZeroDivisionError("a secret detail")
        return self.categories if host.startswith("dump.") else frozenset()

    @staticmethod
    @hookimpl
    def register_host_classifiers() -> list[HostClassifier]:
        return [Classified()]


def classified(level: str = "enforce") -> DecisionPoint:
    return DecisionPoint(
        gateway_from(
            f"""
            version: 1
            gateway: agent
            enforcement: {level}
            connectors: [{{type: generic, id: own, hosts: [dump.example, raises.example]}}]
            permissions: [{{connector: own, action: "http.*", decision: allow}}]
            blocked_categories: [dump]
            """,
            extra=[Classified],
        )
    )


@pytest.mark.parametrize("host", ["dump.example", "dump.nobody.example"])
def test_blocked_host_is_denied_whoever_owns_it(host: str) -> None:
    verdict = classified().decide(request("GET", f"https://{host}/"), FIXED_TIME)
    assert (verdict.decision, verdict.rule.pattern) == (DENY, "dump")
    assert verdict.reason == f"{host} is in the blocked category `dump`"


@pytest.mark.parametrize("host", ["raises.example"])
@pytest.mark.parametrize("level", ["enforce", "soft", "monitor"])
def test_classifier_that_raises_is_a_denial(host: str, level: str) -> None:
    verdict = classified(level).decide(request("GET", f"https://{host}/"), FIXED_TIME)
    assert (verdict.applied, verdict.rule.kind) == (DENY, RuleKind.ERROR)
    assert "secret" not in verdict.reason


def test_blocked_host_is_refused_before_anything_is_sent_to_it() -> None:
    refused = classified().decide_destination("dump.nobody.example", 443)
    assert refused is not None
    assert refused.rule.kind is RuleKind.BLOCKED_CATEGORY
    assert classified("monitor").decide_destination("dump.nobody.example", 443) is None
    assert classified("soft").decide_destination("dump.nobody.example", 443) is not None


def test_gateways_own_name_is_no_destination_to_refuse() -> None:
    assert POINT.decide_destination(STATUS_HOST, 443) is None


# Policies


POLICED = DecisionPoint(
    gateway_from("""
        version: 1
        gateway: agent
        connectors: [{type: github}]
        permissions: [{connector: github, action: "github.*", decision: allow}]
        policies:
          - name: titles
            scope: {actions: [github.issue.create]}
            rules:
              - name: urgent
                when: {field: params.title, op: starts_with, value: URGENT}
                decision: require_approval
          - name: calls
            scope: {actions: [github.repo.get]}
            rules: [{name: few, limit: {requests: 1, within: 1m}, decision: deny}]
    """)
)


def test_body_is_read_where_a_policy_looks_at_it() -> None:
    assert POLICED.needs_body(request("POST", f"{GITHUB}/repos/o/r/issues", body=Body.unread()))
    assert not POLICED.needs_body(request("PUT", f"{GITHUB}/repos/o/r/topics", body=Body.unread()))
    issues = request("POST", f"{GITHUB}/repos/o/r/issues")
    for title, decision in (("URGENT: x", ASK), ("x", ALLOW)):
        body = Body.complete(json.dumps({"title": title}).encode())
        own = OutboundRequest.from_url(
            "POST", issues.url, headers=[("content-type", "application/json")], body=body
        )
        assert POLICED.decide(own, FIXED_TIME).decision is decision


def test_body_that_cannot_be_read_counts_as_what_the_policy_looks_for() -> None:
    own = request("POST", f"{GITHUB}/repos/o/r/issues", body=Body.oversize())
    assert POLICED.decide(own, FIXED_TIME).decision is not ALLOW


def test_verdict_over_a_limit_is_the_rules() -> None:
    verdict = POLICED.decide(request("GET", f"{GITHUB}/repos/o/r"), FIXED_TIME)
    (charge,) = verdict.charges
    assert verdict.decision is ALLOW
    over = POLICED.with_usage(verdict, {charge})
    assert (over.decision, over.applied, over.rule.pattern) == (DENY, DENY, "calls/few")
    assert over.charges == verdict.charges
    assert POLICED.with_usage(verdict, set()) == verdict


# Anything at all

BODIES = st.one_of(
    st.binary(max_size=200).map(Body.complete),
    st.sampled_from([Body.absent(), Body.unread(), Body.oversize()]),
    st.binary(max_size=60).map(gzip.compress).map(Body.complete),
    st.dictionaries(st.sampled_from(["state", "sha", "force", "State"]), st.text(max_size=6))
    .map(lambda document: json.dumps(document).encode())
    .map(Body.complete),
)
TARGETS = st.one_of(
    st.text(max_size=60),
    st.text(max_size=40).map("/{}".format),
    st.lists(
        st.sampled_from(
            [
                "repos",
                "o",
                "r",
                "pulls",
                "1",
                "merge",
                "graphql",
                "",
                "..",
                "%2e",
                "%2f",
                "%00",
                "contents;x",
                "MERGE",
                "%C3%A9",
                "git",
                "refs",
                "user",
                "orgs",
            ],
        ),
        max_size=8,
    ).map(lambda parts: "/" + "/".join(parts)),
)
FIELDS = st.lists(
    st.tuples(
        st.one_of(
            st.sampled_from(["Content-Type", "Content-Encoding", "X-HTTP-Method", "Host"]),
            st.text(max_size=8),
        ),
        st.one_of(
            st.sampled_from(["application/json", "gzip", "br, zstd", "PUT", "multipart/form-data"]),
            st.text(max_size=12),
        ),
    ),
    max_size=4,
)
AUTHORITIES = st.one_of(
    st.sampled_from(["api.github.com", "open.example", "scripted.example", "nobody.example:1"]),
    st.text(max_size=20),
)


@settings(max_examples=400)
@given(
    st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "get", "\u212a"]),
    AUTHORITIES,
    TARGETS,
    FIELDS,
    BODIES,
)
def test_anything_is_judged_or_rejected_in_bounded_time(
    method: str, authority: str, target: str, fields: list[tuple[str, str]], body: Body
) -> None:
    started = time.perf_counter()
    try:
        built = OutboundRequest.build(
            method=method,
            scheme="https",
            authority=authority,
            target=target,
            headers=fields,
            body=body,
        )
        POINT.needs_body(built)
        verdict = POINT.decide(built, FIXED_TIME)
    except RequestRejected:
        return
    finally:
        assert time.perf_counter() - started < 0.2
    assert verdict.applied is verdict.decision
    assert verdict.rule.kind is not RuleKind.ERROR or built.host == "scripted.example"


HOSTILE_TARGETS = [
    "/" + "a/" * 4000,
    "/" * 8192,
    "/repos" * 1300,
    "/repos/o/r/contents/" + "a/" * 4000 + "x",
    "/repos/o/r/contents/" + "%41" * 2700,
    "/repos/o/r/git/refs/" + "heads/" * 1300 + "x",
    "/%2f" * 2000,
    "/a;" * 2700,
    "/A%20" * 1600,
    "/" + "." * 8190,
    "/x?" + "&" * 60_000,
    "/x?" + "_method=&" * 7000,
    "/x?" + "%" * 60_000,
    "/" + "a" * 1_000_000,
    "/x?" + "a" * 1_000_000,
]


@pytest.mark.parametrize("target", HOSTILE_TARGETS, ids=lambda target: target[:24])
@pytest.mark.parametrize("host", ["api.github.com", "open.example"])
def test_hostile_target_is_judged_in_bounded_time(host: str, target: str) -> None:
    started = time.perf_counter()
    try:
        built = OutboundRequest.build(
            method="PUT", scheme="https", authority=host, target=target, headers=[]
        )
        POINT.decide(built, FIXED_TIME)
    except RequestRejected:
        pass
    assert time.perf_counter() - started < 0.05


HOSTILE_BODIES = {
    "gzip bomb": (gzip.compress(bytes(100_000_000)), "gzip"),
    "bomb in a bomb": (gzip.compress(gzip.compress(bytes(100_000_000))), "gzip, gzip"),
    "deep arrays": (b"[" * MAX_INSPECTED, ""),
    "deep objects": (b'{"state":' * (MAX_INSPECTED // 9), ""),
    "many keys": (json.dumps({f"k{n}": n for n in range(60_000)}).encode(), ""),
    "long number": (b'{"state":' + b"9" * 1_000_000 + b"}", ""),
    "long text": (b'{"state":"' + b"\\u0061" * 160_000 + b'"}', ""),
}


@pytest.mark.parametrize("name", HOSTILE_BODIES)
def test_hostile_body_is_judged_in_bounded_time_and_memory(name: str) -> None:
    data, coding = HOSTILE_BODIES[name]
    one = request(
        "PATCH",
        f"{GITHUB}/repos/o/r/issues/1",
        ("Content-Type", "application/json"),
        ("Content-Encoding", coding),
        body=Body.complete(data[:MAX_INSPECTED]),
    )
    assert one.body.state is BodyState.COMPLETE
    tracemalloc.start()
    started = time.perf_counter()
    verdict = POINT.decide(one, FIXED_TIME)
    taken = time.perf_counter() - started
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert verdict.rule.kind is not RuleKind.ERROR
    assert taken < 2
    assert peak < 100_000_000


# What may be shown


@pytest.mark.parametrize(
    ("url", "path", "shown"),
    [
        ("https://scripted.example/x?a=b", "/x", "https://scripted.example/x?a=b"),
        ("https://scripted.example/hidden/s", "/hidden/…", "https://scripted.example/hidden/…"),
        ("https://scripted.example/hidden/s?a", "/hidden/…", "https://scripted.example/hidden/…?…"),
        ("https://scripted.example/raises", "/…", "https://scripted.example/…"),
        ("https://nobody.example/hidden/s?a", "/hidden/s", "https://nobody.example/hidden/s?a"),
    ],
)
def test_secret_in_a_path_is_not_shown(url: str, path: str, shown: str) -> None:
    request = OutboundRequest.from_url("POST", url)
    assert (POINT.shown_path(request), POINT.shown_url(request)) == (path, shown)
