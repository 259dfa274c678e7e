"""`tf explain`: the line format that other tools drive, and what it tells a human."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.harness import TF, Run

KEYS = [
    "id",
    "status",
    "error",
    "canonical_url",
    "connector",
    "actions",
    "decision",
    "rule",
    "reason",
]
USER = {"method": "GET", "url": "https://api.github.com/user"}


def answers(tf: Run, *lines: object) -> list[dict[str, Any]]:
    """The answers of one batch; text is sent as it is, everything else as JSON."""
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    done = tf("explain", "--batch", "-", stdin=text)
    assert (done.returncode, done.stderr) == (0, "")
    read = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(list(answer) == KEYS for answer in read)
    return read


def test_answer_names_action_rule_and_reason(tf: Run) -> None:
    url = "https://API.github.com:443/repos/O/r/pulls/7/merge"
    (answer,) = answers(tf, {"id": 3, "method": "PUT", "url": url})
    assert answer["reason"].startswith("github.pr.merge ")
    del answer["reason"]
    assert answer == {
        "id": 3,
        "status": "ok",
        "error": None,
        "canonical_url": "https://api.github.com/repos/O/r/pulls/7/merge",
        "connector": "github",
        "actions": [
            {
                "name": "github.pr.merge",
                "access": "write",
                "risk": "high",
                "categories": [],
                "resource": {"owner": "o", "repo": "r", "number": "7"},
                "params": {},
            }
        ],
        "decision": "require_approval",
        "rule": {"kind": "permission", "id": "permissions[1]", "pattern": "github.*"},
    }


def test_rejected_request_is_denied_and_names_nothing(tf: Run) -> None:
    (answer,) = answers(
        tf, {"id": "x", "method": "PUT", "url": "https://api.github.com/a/../b", "body": "{}"}
    )
    assert answer == {
        "id": "x",
        "status": "rejected",
        "error": "dot segment in path",
        "canonical_url": None,
        "connector": None,
        "actions": [],
        "decision": "deny",
        "rule": None,
        "reason": None,
    }


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("", "not JSON"),
        ("nonsense", "not JSON"),
        ("[1]", "not a JSON object"),
        ('{"method": "GET", "method": "PUT", "url": "https://a.example/"}', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ({"url": "https://a.example/"}, "`method` is missing"),
        ({"method": "GET"}, "`url` is missing"),
        ({"method": "GET", "url": 1}, "`url` is not a string"),
        ({**USER, "headers": "Accept: x"}, "`headers`"),
        ({**USER, "headers": [["a"]]}, "`headers`"),
        ({**USER, "headers": {"a": 1}}, "`headers`"),
        ({**USER, "body": 1}, "`body` is not a string"),
        ({**USER, "body": "\ud800"}, "`body` is not Unicode text"),
        ({**USER, "body_base64": "%"}, "`body_base64` is not base64"),
        ({**USER, "body": "a", "body_base64": "YQ=="}, "both"),
    ],
)
def test_malformed_line_is_rejected_in_its_place(tf: Run, line: object, error: str) -> None:
    first, bad, last = answers(tf, USER, line, {**USER, "id": "last"})
    assert (first["status"], last["status"], last["id"]) == ("ok", "ok", "last")
    assert (bad["status"], bad["decision"], bad["actions"]) == ("rejected", "deny", [])
    assert bad["error"].startswith("line 2: ")
    assert error in bad["error"]


def test_malformed_line_keeps_its_id(tf: Run) -> None:
    (answer,) = answers(tf, {"id": {"any": ["json"]}, "method": "GET"})
    assert answer["id"] == {"any": ["json"]}


def test_line_that_is_not_utf8_is_rejected(tf: Run) -> None:
    done = tf("explain", "--batch", "-", stdin=b'{"method": "\xff"}\n')
    assert json.loads(done.stdout)["error"].startswith("line 1: ")


def test_unknown_keys_are_left_alone(tf: Run) -> None:
    (answer,) = answers(tf, {**USER, "expect": "allow"})
    assert answer["decision"] == "allow"


CLOSE = {"method": "PATCH", "url": "https://api.github.com/repos/o/r/issues/1"}
CLOSING = '{"state": "closed"}'


@pytest.mark.parametrize(
    "body",
    [{"body": CLOSING}, {"body_base64": base64.b64encode(CLOSING.encode()).decode()}],
)
def test_body_is_judged(tf: Run, body: dict[str, str]) -> None:
    (answer,) = answers(tf, CLOSE | body)
    assert [action["name"] for action in answer["actions"]] == ["github.issue.close"]


def test_body_over_the_inspected_size_is_opaque(tf: Run) -> None:
    (answer,) = answers(tf, CLOSE | {"body": json.dumps({"state": "closed", "x": "y" * 2**20})})
    assert answer["actions"][0]["name"].startswith("github.opaque.")
    assert answer["decision"] == "deny"


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, [["host", "evil.example"]]])
def test_other_host_header_is_rejected(tf: Run, headers: object) -> None:
    (answer,) = answers(tf, {**USER, "headers": headers})
    assert answer["status"] == "rejected"


def test_destination_of_nobody_is_denied(tf: Run) -> None:
    (answer,) = answers(tf, {"method": "GET", "url": "https://evil.example/"})
    assert (answer["status"], answer["connector"], answer["actions"]) == ("ok", None, [])
    assert (answer["decision"], answer["rule"]["kind"]) == ("deny", "no_connector")


def test_answers_come_line_by_line(environment: dict[str, str], folder: Path) -> None:
    with subprocess.Popen(
        [*TF, "explain", "--batch", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=folder,
        env=environment,
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        for number in range(3):
            running.stdin.write(json.dumps({**USER, "id": number}).encode() + b"\n")
            running.stdin.flush()
            # The next question is asked only after this answer.
            assert json.loads(running.stdout.readline())["id"] == number
        running.stdin.close()
        assert running.wait(30) == 0


def test_batch_is_read_from_a_file(tf: Run, folder: Path) -> None:
    (folder / "requests.jsonl").write_text(json.dumps(USER) + "\n")
    done = tf("explain", "--batch", "requests.jsonl")
    assert json.loads(done.stdout)["decision"] == "allow"


def test_json_is_the_same_document_with_an_account(tf: Run) -> None:
    done = tf("explain", "--json", "GET https://api.github.com/user")
    account = json.loads(done.stdout)
    assert {key: account.pop(key) for key in KEYS} == answers(tf, USER)[0]
    assert list(account) == ["applied", "considered", "changes"]
    assert account["applied"] == "allow"
    assert account["considered"][0]["action"] == "github.user.get_self"
    assert account["considered"][0]["rules"][0]["outcome"] == "decides"
    assert account["changes"] == [
        {"text": "permissions[0] removed", "decision": "require_approval"}
    ]


def test_human_sees_every_rule_considered(tf: Run) -> None:
    done = tf("explain", "DELETE https://api.github.com/repos/o/r")
    assert done.returncode == 0
    assert "permissions[2]  github.repo.delete → deny  (decides)" in done.stdout
    assert "permissions[1]  github.* → require_approval  (gives way: " in done.stdout
    assert "github.* access=read → allow  (does not match: access is write)" in done.stdout
    assert "1. change permissions[2] to allow" in done.stdout or "add permission" in done.stdout
    assert "the request would be refused" in done.stdout
    assert "hint" in done.stdout


def test_human_sees_why_a_request_is_rejected(tf: Run) -> None:
    done = tf("explain", "GET https://api.github.com//user")
    assert done.returncode == 0
    assert "rejected  an empty path segment" in done.stdout


def test_options_make_headers_and_body(tf: Run, folder: Path) -> None:
    (folder / "body.json").write_text(CLOSING)
    request = f"{CLOSE['method']} {CLOSE['url']}"
    done = tf("explain", "-d", "@body.json", "-H", "Content-Type: application/json", request)
    assert "github.issue.close" in done.stdout
    override = ("-H", "X-HTTP-Method-Override: DELETE", "POST https://api.github.com/repos/o/r")
    assert "github.repo.delete" in tf("explain", *override).stdout


def test_secret_in_a_path_is_not_shown(tf: Run, folder: Path) -> None:
    with (folder / "tameflare.yaml").open("w") as file:
        file.write("version: 1\ngateway: hooks\nconnectors: [{type: slack}]\n")
    url = "https://hooks.slack.com/services/T1/B1/sEcret"
    (answer,) = answers(tf, {"method": "POST", "url": url})
    assert answer["canonical_url"] == "https://hooks.slack.com/services/T1/B1/…"
    assert answer["actions"][0]["resource"] == {"team": "T1", "webhook": "B1"}
    assert "sEcret" not in str(answer)
    told = tf("explain", f"POST {url}").stdout
    assert "services/T1/B1/" in told
    assert "sEcret" not in told


def test_blocked_category_decides_over_permissions(tf: Run, folder: Path) -> None:
    config = folder / "tameflare.yaml"
    config.write_text(
        config.read_text().replace("decision: deny}", "decision: allow}")
        + "blocked_categories: [destructive]\n"
    )
    done = tf("explain", "DELETE https://api.github.com/repos/o/r")
    assert "blocked_category blocked_categories[0] destructive" in done.stdout
    assert "blocked category destructive  (decides: github.repo.delete is in it)" in done.stdout
    assert "github.repo.delete → allow  (gives way: blocked category decides)" in done.stdout


def test_level_says_what_would_be_done(tf: Run, folder: Path) -> None:
    config = folder / "tameflare.yaml"
    config.write_text("enforcement: monitor\n" + config.read_text())
    done = tf("explain", "DELETE https://api.github.com/repos/o/r")
    assert "monitor: the request would be forwarded" in done.stdout


def test_kill_switches_count(tf: Run) -> None:
    tf("kill", "action:github.repo.*", "--reason", "an incident")
    done = tf("explain", "GET https://api.github.com/repos/o/r")
    assert "stopped by kill switch `action:github.repo.*`" in done.stdout
    assert "an incident  (decides)" in done.stdout
    assert "1. end kill switch action:github.repo.*: tf unkill ks_" in done.stdout
    (answer,) = answers(tf, {**USER, "url": "https://api.github.com/repos/o/r"})
    assert answer["rule"]["kind"] == "kill_switch"
    tf("unkill", "--all")


def test_time_decides_what_policies_say(tf: Run, folder: Path) -> None:
    with (folder / "tameflare.yaml").open("a") as file:
        file.write(
            "policies: [{name: nights, rules: [{name: none, decision: deny, when: {field: time,"
            ' op: time_between, value: {from: "22:00", to: "06:00", zone: UTC}}}]}]\n'
        )
    user = "GET https://api.github.com/user"
    by_day = tf("explain", "--at", "2026-01-05T12:00:00+00:00", user).stdout
    by_night = tf("explain", "--at", "2026-01-05T23:00:00+00:00", user).stdout
    assert "allow  " in by_day
    assert "policy nights/none when → deny  (does not match: time time_between" in by_day
    assert "deny  github.user.get_self is denied by policy `nights/none`" in by_night


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--at", "noon", "GET https://a.example/"),
        ("--at", "2026-01-05T12:00:00", "GET https://a.example/"),
        ("GET https://a.example/", "--batch", "-"),
        ("--batch", "absent.jsonl"),
        ("-d", "@absent", "GET https://a.example/"),
        ("-H", "nonsense", "GET https://a.example/"),
    ],
)
def test_wrong_usage_exits_2(tf: Run, arguments: tuple[str, ...]) -> None:
    done = tf("explain", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("tf: ")
