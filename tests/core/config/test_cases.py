"""Tables of cases: what they judge, and how their mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tameflare_core.config.cases import CaseResult, PolicyCases
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.errors import ConfigError
from tameflare_core.testing import gateway_from

POINT = DecisionPoint(
    gateway_from("""
        version: 1
        gateway: agent
        connectors: [{type: github}, {type: stripe}]
        permissions:
          - {connector: github, action: "github.*", access: read, decision: allow}
          - {connector: github, action: github.pr.merge, decision: require_approval}
          - {connector: stripe, action: "stripe.*", decision: allow}
        policies:
          - name: money
            scope: {actions: ["stripe.*"]}
            rules:
              - {name: large, when: {field: params.amount, op: gt, value: 100}, decision: deny}
              - {name: few, limit: {requests: 5, within: 1h}, decision: require_approval}
              - name: night
                when:
                  field: time
                  op: time_between
                  value: {from: "22:00", to: "06:00", zone: UTC}
                decision: deny
    """)
)


def cases(folder: Path, text: str) -> PolicyCases:
    file = folder / "cases.yaml"
    file.write_text(f"version: 1\ncases:\n{text}", "utf-8")
    return PolicyCases.from_file(file)


def only(folder: Path, text: str) -> CaseResult:
    (result,) = cases(folder, f"  - {{name: one, {text}}}\n").run(POINT)
    return result


DAY = "at: '2026-01-05T12:00:00Z'"
REFUND = "request: 'POST https://api.stripe.com/v1/refunds'"
FORM = "headers: {content-type: application/x-www-form-urlencoded}"


@pytest.mark.parametrize(
    "text",
    [
        "request: 'GET https://api.github.com/user', expect: allow, action: github.user.get_self",
        (
            "request: 'PUT https://api.github.com/repos/o/r/pulls/1/merge',"
            " expect: require_approval, rule: 'permissions[1]'"
        ),
        "request: 'GET https://nobody.example/', expect: deny, rule: no_connector",
        "request: 'GET https://api.github.com/a/../b', expect: rejected",
        f"{REFUND}, {FORM}, {DAY}, body: charge=c&amount=100, expect: allow",
        f"{REFUND}, {FORM}, {DAY}, body: charge=c&amount=101, expect: deny, rule: money/large",
        f"{REFUND}, {FORM}, {DAY}, body: amount=1, over: [money/few], expect: require_approval",
        (
            f"{REFUND}, {FORM}, body: amount=1, at: 2026-01-05T23:30:00+01:00, expect: deny,"
            " rule: money/night"
        ),
        (
            f"{REFUND}, {FORM}, {DAY}, body: amount=1, kill_switches: ['connector:stripe'],"
            " expect: deny"
        ),
        (
            "request: 'PATCH https://api.github.com/repos/o/r/issues/1', body: {state: closed},"
            " expect: deny, action: github.issue.close"
        ),
    ],
)
def test_case_that_is_as_expected_passes(tmp_path: Path, text: str) -> None:
    result = only(tmp_path, text)
    assert result.passed, result.problems
    assert result.line == 3


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "request: 'GET https://api.github.com/user', expect: deny",
            "expected deny, got allow",
        ),
        (
            "request: 'GET https://api.github.com/user', expect: allow, action: github.user.get",
            "expected action github.user.get, got github.user.get_self",
        ),
        (
            "request: 'GET https://api.github.com/user', expect: allow, rule: other",
            "expected rule other, got permissions[0] github.*",
        ),
        (
            "request: 'GET https://api.github.com/a/../b', expect: allow",
            "expected allow, got rejected",
        ),
    ],
)
def test_case_that_is_not_says_how(tmp_path: Path, text: str, problem: str) -> None:
    result = only(tmp_path, text)
    assert not result.passed
    assert problem in result.problems
    assert result.reason


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("request: GET, expect: allow", "cases[0].request: write a method and a URL"),
        (
            "request: 'GET https://a.example/', expect: allow, kill_switches: [all]",
            "cases[0].kill_switches: `all` is no scope",
        ),
        (
            "request: 'GET https://a.example/', expect: allow, over: [money/large]",
            "cases[0].over: no policy `money/large` with a limit",
        ),
        (
            "request: 'GET https://a.example/', expect: allow, at: '2026-01-05T12:00:00'",
            "cases[0].at: a time has a zone",
        ),
    ],
)
def test_wrong_case_is_named_with_line_and_key(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        only(tmp_path, text)
    (told,) = refused.value.problems
    assert told.startswith(f"{tmp_path / 'cases.yaml'}:3: {problem}")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("  - {name: one, request: x}\n", "3: cases[0].expect: missing"),
        ("  - {name: one, request: x, expect: no}\n", "3: cases[0].expect: input should be"),
        ("  - {name: one, request: x, expect: deny, wanted: 1}\n", "cases[0].wanted: unknown key"),
        ("  nonsense\n", "cases: input should be a list"),
    ],
)
def test_document_that_is_none_is_named_with_line_and_key(
    tmp_path: Path, text: str, problem: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        cases(tmp_path, text)
    assert problem in refused.value.problems[0]


def test_configuration_stands_beside_the_cases(tmp_path: Path) -> None:
    assert cases(tmp_path, "  []\n").config_path == tmp_path.resolve() / "tameflare.yaml"


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read: No such file"):
        PolicyCases.from_file(tmp_path / "none.yaml")
