"""Slack's arguments: where they are read, what they name, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.action import Access, Action, Risk
from tameflare_core.builtin.slack_arguments import PARAMS, read_arguments, with_arguments
from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.request import Body, OutboundRequest

SEND = Action(name="slack.message.send", access=Access.WRITE, risk=Risk.MEDIUM)
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


def request(
    data: bytes | Body = b"", *, kind: str = FORM, query: str = "", method: str = "POST"
) -> OutboundRequest:
    url = "https://slack.com/api/chat.postMessage" + (f"?{query}" if query else "")
    headers = [("Content-Type", kind)] if kind else []
    body = data if isinstance(data, Body) else Body.complete(data)
    return OutboundRequest.from_url(method, url, headers=headers, body=body)


def told(arguments: dict[str, object]) -> Sequence[tuple[dict[str, str], bool]]:
    read, _ = read_arguments(request(json.dumps(arguments).encode(), kind=JSON), takes_json=True)
    return [(dict(one.resource), one.resource_complete) for one in with_arguments(SEND, read)]


@pytest.mark.parametrize(
    ("data", "kind", "query"),
    [
        (b"", "", "channel=C1&text=x"),
        (b"channel=C1&text=x", FORM, ""),
        (b"channel=C1&text=x", f"{FORM}; charset=utf-8", ""),
        (b"%63hannel=C1&text=x", FORM.upper(), ""),
        (b"text=x", FORM, "channel=C1"),
        (b"text=x&channel=C1", FORM, "channel=C1"),
        (b'{"channel": "C1", "text": "x"}', JSON, ""),
        (b'{"ch\\u0061nnel": "C1", "text": "x"}', f"{JSON};charset=utf-8", ""),
        (b'{"text": "x"}', JSON, "channel=C1"),
    ],
)
def test_arguments_are_read_wherever_slack_reads_them(data: bytes, kind: str, query: str) -> None:
    read = read_arguments(request(data, kind=kind, query=query), takes_json=True)
    assert read == ({"channel": "C1", "text": "x"}, True)


@pytest.mark.parametrize(
    ("data", "kind", "query"),
    [
        (b"token=xoxb-1", FORM, ""),
        (b"token=", FORM, ""),
        (b"t%6Fken=xoxb-1", FORM, ""),
        (b"token[]=xoxb-1", FORM, ""),
        (b"token[a]=xoxb-1", FORM, ""),
        (b'{"token": "xoxb-1"}', JSON, ""),
        (b'{"token": null}', JSON, ""),
        (b"", "", "token=xoxb-1"),
        (b"channel=C1", FORM, "t%6fken=xoxb-1"),
    ],
)
@pytest.mark.parametrize("takes_json", [True, False])
def test_token_of_the_clients_own_is_rejected(
    data: bytes, kind: str, query: str, takes_json: bool
) -> None:
    with pytest.raises(RequestRejected, match="send no token"):
        read_arguments(request(data, kind=kind, query=query), takes_json=takes_json)


@pytest.mark.parametrize(
    ("data", "kind"), [(b"channel=C2", FORM), (b'{"channel": "C2"}', JSON), (b"channel=", FORM)]
)
def test_argument_with_two_values_is_rejected(data: bytes, kind: str) -> None:
    with pytest.raises(RequestRejected, match="`channel` differs between query and body"):
        read_arguments(request(data, kind=kind, query="channel=C1"), takes_json=True)


@pytest.mark.parametrize(
    ("data", "kind", "query"),
    [
        (Body.unread(), FORM, ""),
        (Body.oversize(), JSON, ""),
        (b"channel=C1&channel=C2", FORM, ""),
        (b"channel=C1&Channel=C2", FORM, ""),
        (b"Channel=C1", FORM, ""),
        (b"Token=x", FORM, ""),
        (b"channel%00=C1", FORM, ""),
        (b"%20channel=C1", FORM, ""),
        (b"channel=C1;token=x", FORM, ""),
        (b"channel=\xff", FORM, ""),
        (b'{"Token": "x"}', JSON, ""),
        (b'{"channel": "C1", "channel": "C2"}', JSON, ""),
        (b"[]", JSON, ""),
        (b"channel=C1", JSON, ""),
        (b'{"channel": "C1"}', FORM, ""),
        (b'{"channel": "C1"}', "text/plain", ""),
        (b"channel=C1", "", ""),
        (b"channel=C1", "multipart/form-data; boundary=x", ""),
        (b"channel=C1", f"{JSON}, {FORM}", ""),
        (b"", "", "channel=C1&channel=C2"),
        (b"", "", "Channel=C1"),
    ],
)
def test_what_can_be_read_in_two_ways_is_opaque(data: bytes | Body, kind: str, query: str) -> None:
    with pytest.raises(OpaqueBody):
        read_arguments(request(data, kind=kind, query=query), takes_json=True)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_body_of_a_get_is_opaque(method: str) -> None:
    with pytest.raises(OpaqueBody):
        read_arguments(request(b"channel=C1", method=method), takes_json=True)


def test_json_that_may_be_ignored_names_nothing() -> None:
    asked = request(b'{"channel": "C1"}', kind=JSON, query="limit=1")
    assert read_arguments(asked, takes_json=False) == ({"limit": "1"}, False)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, [({}, True)]),
        ({"channel": None}, [({}, True)]),
        ({"channel": "C1"}, [({"channel": "C1"}, True)]),
        ({"channel_id": " C1 "}, [({"channel": "C1"}, True)]),
        ({"channel": "#general"}, [({}, False)]),
        ({"channel": "general"}, [({}, False)]),
        ({"channel": "c1"}, [({}, False)]),
        ({"channel": "@u1"}, [({}, False)]),
        ({"channel": "U1"}, [({"user": "U1"}, False)]),
        ({"channel": 1}, [({}, False)]),
        ({"channel": {"id": "C1"}}, [({}, False)]),
        ({"channel": "[C1"}, [({}, False)]),
        ({"channel": '["\\ud800"]'}, [({}, False)]),
        ({"channel": "C1\u0660"}, [({}, False)]),
        ({"channels": "C1, C2"}, [({"channel": "C1"}, True), ({"channel": "C2"}, True)]),
        ({"channel_ids": ["C1", "C2"]}, [({"channel": "C1"}, True), ({"channel": "C2"}, True)]),
        ({"channel_ids": '["C1"]'}, [({"channel": "C1"}, True)]),
        ({"channels": "C1,#x"}, [({"channel": "C1"}, True), ({}, False)]),
        (
            {"channel": "C1", "channel_id": "C2"},
            [({"channel": "C1"}, True), ({"channel": "C2"}, True)],
        ),
        (
            {"channel": "C1", "users": "U1,W2"},
            [({"channel": "C1", "user": "U1"}, True), ({"channel": "C1", "user": "W2"}, True)],
        ),
        ({"files": [{"id": "F1"}], "team_id": "T1"}, [({"team": "T1"}, False)]),
        ({"canvas_id": "F1"}, [({"file": "F1"}, True)]),
        ({"entity_ids": "U1"}, [({"user": "U1"}, False)]),
        ({"entity_ids": "T1"}, [({"team": "T1"}, False)]),
    ],
)
def test_ids_are_told_and_nothing_else(
    arguments: dict[str, object], expected: list[tuple[dict[str, str], bool]]
) -> None:
    assert told(arguments) == expected


def test_too_many_of_them_are_not_told() -> None:
    users = [f"U{number}" for number in range(101)]
    for written in (users, ",".join(users), json.dumps(users)):
        assert told({"channel": "C1", "users": written}) == [({"channel": "C1"}, False)]
    assert len(told({"channel": "C1", "users": users[:100]})) == 100
    assert told({"channels": "C1,C2", "users": users[:51]}) == [({}, False)]


def test_params_hold_what_people_will_see() -> None:
    data = urlencode({"channel": "C1", "text": "hi", "blocks": "[{}]", "client_secret": "x"})
    read, _ = read_arguments(request(data.encode()), takes_json=True)
    (action,) = with_arguments(SEND, read)
    assert action.params == {"channel": "C1", "text": "hi", "blocks": True}
    assert action.params_complete


@pytest.mark.parametrize(
    ("arguments", "params", "complete"),
    [
        ({"text": "x", "limit": 5, "as_user": True, "purpose": None}, True, True),
        ({"emails": ["a@x.example", "b@x.example"]}, True, True),
        ({"blocks": [], "view": {"a": 1}, "unheard_of": {"a": 1}}, {"view": True}, True),
        ({"text": {"a": 1}, "name": "n"}, {"name": "n"}, False),
        ({"emails": [["a@x.example"]]}, {}, False),
    ],
)
def test_argument_that_is_not_told_is_said_to_be_missing(
    arguments: dict[str, object], params: dict[str, object] | bool, complete: bool
) -> None:
    read, _ = read_arguments(request(json.dumps(arguments).encode(), kind=JSON), takes_json=True)
    (action,) = with_arguments(SEND, read)
    given = {key: value for key, value in arguments.items() if value is not None}
    assert action.params == (given if params is True else params)
    assert action.params_complete is complete
    assert action.params.keys() <= PARAMS


@pytest.mark.parametrize("name", ["Text", "TEXT", "Blocks", "uSername"])
def test_argument_in_another_case_is_opaque(name: str) -> None:
    for data, kind in ((f"{name}=x".encode(), FORM), (json.dumps({name: "x"}).encode(), JSON)):
        with pytest.raises(OpaqueBody):
            read_arguments(request(data, kind=kind), takes_json=True)


def test_what_was_not_all_read_stays_so() -> None:
    (action,) = with_arguments(replace(SEND, params_complete=False), {"text": "x"})
    assert not action.params_complete


@given(
    st.dictionaries(
        st.sampled_from(["channel", "channels", "Channel", "users", "text", "token"]),
        st.one_of(
            st.text(),
            st.lists(st.text()),
            st.none(),
            st.integers(),
            st.sampled_from(["C1", "C1,C2", "U1", "#x", '["C1"]', "[["]),
        ),
    )
)
def test_an_argument_more_never_hides_a_channel(arguments: dict[str, object]) -> None:
    data = json.dumps({**arguments, "channel_id": "C999"}).encode()
    try:
        read, _ = read_arguments(request(data, kind=JSON), takes_json=True)
    except (OpaqueBody, RequestRejected):
        return
    actions = with_arguments(SEND, read)
    assert any(
        action.resource.get("channel") == "C999" or not action.resource_complete
        for action in actions
    )


@pytest.mark.parametrize(("kind", "data"), [(FORM, b"channel=C1"), (JSON, b'{"channel": "C1"}')])
def test_arguments_in_another_encoding_are_opaque(kind: str, data: bytes) -> None:
    with pytest.raises(OpaqueBody):
        read_arguments(request(data, kind=f"{kind}; charset=utf-7"), takes_json=True)


def test_channel_by_name_is_shown_though_no_rule_can_trust_it() -> None:
    (action,) = with_arguments(
        Action(name="slack.message.send", access=Access.WRITE, risk=Risk.LOW),
        {"channel": "#general"},
    )
    assert action.params["channel"] == "#general"
    assert "channel" not in action.resource
    assert not action.resource_complete
