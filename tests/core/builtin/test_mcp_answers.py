"""Refusals in the protocol that an MCP client speaks."""

from __future__ import annotations

import json

import pytest

from tameflare_core.builtin.mcp_answers import ERROR_CODE, reworded_for_client
from tameflare_core.commands import Record, Refuse
from tameflare_core.decision import Refusal
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.enforcement import enforce
from tameflare_core.errors import OpaqueBody
from tameflare_core.request import Body, OutboundRequest
from tameflare_core.testing import Transcript, fixed_surroundings, gateway_from

URL = "https://mcp.example/mcp"
REFUSAL = Refusal(
    status=403,
    kind="denied",
    title="Denied by policy",
    detail="it is denied",
    hint="Do not retry",
    request_id="0198",
    headers=(("x-further", "1"),),
)
CALL = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "x"}}
NOTICE = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def request(document: object) -> OutboundRequest:
    return OutboundRequest.from_url(
        "POST",
        URL,
        headers=[("content-type", "application/json")],
        body=Body.complete(json.dumps(document).encode()),
    )


def test_call_is_answered_with_an_error() -> None:
    answer = reworded_for_client(request(CALL), REFUSAL)
    document = json.loads(answer.body())
    assert (answer.status, document["id"], document["error"]["code"]) == (200, 7, ERROR_CODE)
    assert document["error"]["data"] == json.loads(REFUSAL.body())
    assert dict(answer.fields()) == dict(REFUSAL.fields()) | {"content-type": "application/json"}


def test_batch_is_answered_with_a_batch() -> None:
    answer = reworded_for_client(request([NOTICE, CALL]), REFUSAL)
    assert [one["id"] for one in json.loads(answer.body())] == [7]


def test_notification_expects_no_answer() -> None:
    answer = reworded_for_client(request(NOTICE), REFUSAL)
    assert (answer.status, answer.body()) == (202, b"")


def test_what_is_no_message_has_no_answer() -> None:
    with pytest.raises(OpaqueBody):
        reworded_for_client(request({"method": "x"}), REFUSAL)


def refused(option: str, document: object) -> Refusal:
    gateway = gateway_from(
        f"""
        version: 1
        gateway: desk
        connectors: [{{type: mcp, base_url: "{URL}"{option}}}]
        """
    )
    point = DecisionPoint(gateway)
    transcript = Transcript(enforce(lambda: request(document), lambda: point, fixed_surroundings()))
    transcript << Refuse >> None << Record
    return transcript.only(Refuse).refusal


@pytest.mark.parametrize(
    ("option", "status"),
    [("", 403), (", jsonrpc_errors: false", 403), (", jsonrpc_errors: true", 200)],
)
def test_refusals_are_reworded_where_the_configuration_says_so(option: str, status: int) -> None:
    assert refused(option, CALL).status == status


def test_refusal_of_what_cannot_be_read_stays_as_it_is() -> None:
    assert refused(", jsonrpc_errors: true", {"method": "x"}).status == 403
