from __future__ import annotations

import pytest

from tameflare_core.errors import RequestRejected
from tameflare_core.reading import actions_of, needs_body, readable_actions
from tameflare_core.request import Body, OutboundRequest
from tameflare_core.testing import gateway_from

(BOUND,) = gateway_from("version: 1\ngateway: g\nconnectors: [{type: github}]\n").connectors
GITHUB = BOUND.connector
ISSUE = "https://api.github.com/repos/o/r/issues/1"


def request(method: str, url: str, body: Body) -> OutboundRequest:
    return OutboundRequest.from_url(method, url, body=body)


def names(actions: object) -> list[str]:
    return [action.name for action in actions]  # type: ignore[attr-defined]


def test_body_is_needed_where_it_names_the_action() -> None:
    assert needs_body(GITHUB, request("PATCH", ISSUE, Body.unread()))
    assert not needs_body(GITHUB, request("GET", ISSUE, Body.unread()))


def test_body_that_cannot_be_read_is_one_opaque_action() -> None:
    opaque = actions_of(GITHUB, request("PATCH", ISSUE, Body.oversize()))
    assert names(opaque) == ["github.opaque.patch"]


def test_request_that_reads_in_two_ways_is_rejected() -> None:
    twofold = request("GET", "https://api.github.com/repos/o/r//issues", Body.absent())
    with pytest.raises(RequestRejected):
        actions_of(GITHUB, twofold)
    assert readable_actions(GITHUB, twofold) == ()


def test_actions_are_told_as_far_as_they_can_be() -> None:
    assert readable_actions(GITHUB, request("PATCH", ISSUE, Body.unread())) == ()
    read = readable_actions(GITHUB, request("PATCH", ISSUE, Body.complete(b'{"state":"closed"}')))
    assert names(read) == ["github.issue.close"]
    assert names(readable_actions(GITHUB, request("GET", ISSUE, Body.absent()))) == [
        "github.issue.get"
    ]
