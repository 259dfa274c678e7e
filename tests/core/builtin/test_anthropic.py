"""Anthropic: what each request is called, as its client sends it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from importlib.resources import files

import anthropic
import pytest

from tameflare_core.action import Access, Action, Category, Risk
from tameflare_core.builtin.anthropic import Anthropic
from tameflare_core.connectors.base import ConnectorSettings
from tameflare_core.connectors.matching import BaseUrl
from tameflare_core.errors import RequestRejected
from tameflare_core.injection.placement import Header
from tameflare_core.parsers.route_table import read_catalogue
from tameflare_core.request import Body, OutboundRequest
from tameflare_core.vault.secret import Secret
from tests.standin import Standin

HOME = "https://api.anthropic.com"
CONNECTOR = Anthropic(ConnectorSettings(id="anthropic"))
CATALOGUE = read_catalogue(
    files("tameflare_core.builtin").joinpath("catalogs/anthropic.tsv").read_text("utf-8")
)


def parsed(method: str, path: str, body: object = None) -> Sequence[Action]:
    known = Body.absent() if body is None else Body.complete(json.dumps(body).encode())
    return CONNECTOR.parse(OutboundRequest.from_url(method, HOME + path, body=known))


def names(actions: Sequence[Action]) -> list[str]:
    return [action.name.removeprefix("anthropic.") for action in actions]


# The catalogue


def test_access_risk_and_categories_make_sense() -> None:
    for row in CATALOGUE:
        if row.method == "DELETE":
            assert Category.DESTRUCTIVE in row.categories, row
        if row.access is Access.WRITE:
            assert row.risk is not Risk.LOW, row
        else:
            assert row.risk is not Risk.CRITICAL, row
        if Category.DESTRUCTIVE in row.categories:
            assert row.access is Access.WRITE, row
            assert row.risk in {Risk.HIGH, Risk.CRITICAL}, row
        if Category.CODE_EXECUTION in row.categories:
            assert (row.access, row.risk) == (Access.WRITE, Risk.HIGH), row
        if row.path.endswith(("/content", "/results")):
            assert Category.DATA_EXPORT in row.categories, row
        if re.search(r"vaults|token\b|api_keys|secret", row.path) and "count" not in row.path:
            assert Category.SECRETS in row.categories, row


def test_get_that_takes_work_is_no_read() -> None:
    writes = {row.action for row in CATALOGUE if row.method == "GET" and row.access is Access.WRITE}
    assert writes == {"anthropic.work.poll"}


def test_actions_of_the_connector_are_in_its_catalogue() -> None:
    assert CONNECTOR.body_actions <= CONNECTOR.known_actions
    assert CONNECTOR.model_holders.keys() <= CONNECTOR.body_actions


# What the client sends

MESSAGE = {
    "model": "claude-haiku-4-5",
    "max_tokens": 5,
    "messages": [{"role": "user", "content": "hi"}],
}

CALLS: list[
    tuple[Callable[[anthropic.Anthropic], object], str, dict[str, str], dict[str, object]]
] = [
    (
        lambda client: client.messages.create(
            **MESSAGE, tools=[{"name": "pay", "input_schema": {}}]
        ),
        "message.create",
        {"model": "claude-haiku-4-5"},
        {"model": "claude-haiku-4-5", "max_tokens": 5, "tools": ["pay"]},
    ),
    (
        lambda client: client.beta.messages.create(
            **MESSAGE,
            betas=["mcp-client-2025-11-20"],
            mcp_servers=[{"type": "url", "name": "x", "url": "https://mcp.example/sse?key=1"}],
            container="container_1",
        ),
        "message.create",
        {"model": "claude-haiku-4-5"},
        {
            "model": "claude-haiku-4-5",
            "max_tokens": 5,
            "mcp_servers": ["https://mcp.example/sse"],
            "container": "container_1",
        },
    ),
    (
        lambda client: client.messages.batches.create(
            requests=[{"custom_id": "1", "params": MESSAGE}, {"custom_id": "2", "params": MESSAGE}]
        ),
        "message_batch.create",
        {"model": "claude-haiku-4-5"},
        {"model": "claude-haiku-4-5", "max_tokens": 5},
    ),
    (
        lambda client: client.messages.count_tokens(
            model=MESSAGE["model"], messages=MESSAGE["messages"]
        ),
        "message.count_tokens",
        {},
        {},
    ),
    (lambda client: client.models.list(), "model.list", {}, {}),
    (
        lambda client: client.beta.files.upload(file=b"x"),
        "file.upload",
        {},
        {},
    ),
    (
        lambda client: client.beta.sessions.create(agent="agent_1", environment_id="env_1"),
        "session.create",
        {},
        {"environment_id": "env_1"},
    ),
]


@pytest.mark.parametrize(
    ("call", "name", "resource", "params"), CALLS, ids=[call[1] for call in CALLS]
)
def test_call_of_the_client_has_its_name(
    start_standin: Callable[..., Standin],
    call: Callable[[anthropic.Anthropic], object],
    name: str,
    resource: dict[str, str],
    params: dict[str, object],
) -> None:
    standin = start_standin(tls=False)
    with anthropic.Anthropic(api_key="k", base_url=standin.url, max_retries=0) as client:
        call(client)
    received = standin.last
    read = OutboundRequest.from_url(
        received.method,
        HOME + received.target,
        headers=[(key, value) for key, value in received.headers if key.lower() != "host"],
        body=Body.unread() if received.body else Body.absent(),
    )
    if CONNECTOR.needs_body(read):
        read = read.with_body(Body.complete(received.body))
    (action,) = CONNECTOR.parse(read)
    assert names([action]) == [name]
    assert (action.resource, action.params) == (resource, params)
    placement = CONNECTOR.placement_for(read, CONNECTOR.placement)
    assert placement is not None
    keyed = placement.fill(read, Secret("real"))
    fields = dict(keyed.headers)
    assert [fields.get("x-api-key"), fields.get("authorization")] in (
        ["real", None],
        [None, "Bearer real"],
    )


def test_key_goes_into_its_documented_field() -> None:
    assert CONNECTOR.placement == Header(name="x-api-key", prefix="")


def test_beta_is_the_same_operation() -> None:
    assert parsed("POST", "/v1/messages?beta=true", MESSAGE) == parsed(
        "POST", "/v1/messages", MESSAGE
    )


def test_code_at_the_provider_is_part_of_the_message() -> None:
    tools = [{"type": "code_execution_20250825", "name": "code_execution"}]
    (action,) = parsed("POST", "/v1/messages", {**MESSAGE, "tools": tools})
    assert (action.risk, action.params["tools"]) == (Risk.HIGH, ["code_execution"])
    assert Category.CODE_EXECUTION in action.categories


def test_code_at_the_client_is_not() -> None:
    tools = [{"type": "bash_20250124", "name": "bash"}]
    (action,) = parsed("POST", "/v1/messages", {**MESSAGE, "tools": tools})
    assert action.categories == {Category.MODEL_INFERENCE}


def test_fallback_model_is_judged_too() -> None:
    actions = parsed("POST", "/v1/messages", {**MESSAGE, "fallbacks": [{"model": "claude-opus"}]})
    assert [action.resource["model"] for action in actions] == ["claude-haiku-4-5", "claude-opus"]


def test_agent_of_a_session_may_bring_its_model() -> None:
    agent = {"id": "agent_1", "model": {"id": "claude-opus"}, "tools": [{"type": "mcp_toolset"}]}
    (action,) = parsed("POST", "/v1/sessions", {"agent": agent, "model": "other"})
    assert action.resource == {"model": "claude-opus"}
    assert action.params["tools"] == ["mcp_toolset"]


@pytest.mark.parametrize("base", ["https://h.example/anthropic", "https://h.example/anthropic/v1"])
def test_base_url_may_end_in_the_version(base: str) -> None:
    connector = Anthropic(ConnectorSettings(id="a", base_url=BaseUrl.parse(base)))
    body = Body.complete(json.dumps(MESSAGE).encode())
    (action,) = connector.parse(
        OutboundRequest.from_url("POST", "https://h.example/anthropic/v1/messages", body=body)
    )
    assert names([action]) == ["message.create"]
    (action,) = connector.parse(
        OutboundRequest.from_url("POST", "https://h.example/v1/messages", body=body)
    )
    assert names([action]) == ["unmapped.post"]


@pytest.mark.parametrize("path", ["/v1/Messages", "/v1/messages.json", "/v1/messages;a/batches"])
def test_lookalike_of_a_path_is_rejected(path: str) -> None:
    with pytest.raises(RequestRejected, match="in case or decoration only"):
        parsed("POST", path, MESSAGE)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unmapped_request_is_a_write(method: str) -> None:
    (action,) = parsed(method, "/v1/nothing")
    assert (action.access, action.risk) == (Access.WRITE, Risk.HIGH)
