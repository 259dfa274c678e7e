"""Requests to models: which model is asked, and what it may do meanwhile."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files

import pytest

from tameflare_core.action import Access, Action, Category, Risk
from tameflare_core.connectors.base import ConnectorSettings
from tameflare_core.connectors.inference import InferenceConnector
from tameflare_core.connectors.matching import BaseUrl
from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.injection.placement import Header
from tameflare_core.request import Body, OutboundRequest
from tameflare_core.vault.secret import Secret

HOSTED = {Category.CODE_EXECUTION, Category.DATA_EXPORT}


class Models(InferenceConnector):
    """A few operations of a real catalogue."""

    type = "models"
    provider = "openai"
    placement = Header(name="x-api-key", prefix="")
    key_headers = (placement, Header())
    catalogue_file = files("tameflare_core.builtin") / "catalogs" / "openai.tsv"
    home = ("models.example",)
    body_actions = frozenset(
        {"openai.chat.create", "openai.batch.create", "openai.embedding.create"}
    )
    hosting_actions = frozenset({"openai.chat.create"})
    streaming_actions = frozenset({"openai.realtime_session.connect"})
    model_holders = {"openai.batch.create": "requests"}  # noqa: RUF012
    query_models = {"openai.realtime_session.connect": frozenset({"model"})}  # noqa: RUF012
    code_tools = ("run_code",)


CONNECTOR = Models(ConnectorSettings(id="m"))


def request(
    body: object,
    *,
    path: str = "/v1/chat/completions",
    method: str = "POST",
    kind: str = "application/json",
) -> OutboundRequest:
    known = body if isinstance(body, Body) else Body.complete(json.dumps(body).encode())
    return OutboundRequest.from_url(
        method, f"https://models.example{path}", headers=[("Content-Type", kind)], body=known
    )


def asked(body: object, **how: str) -> Sequence[Action]:
    return CONNECTOR.parse(request(body, **how))


def models(actions: Sequence[Action]) -> list[str | None]:
    return [action.resource.get("model") for action in actions]


def test_model_is_resource_and_param() -> None:
    (action,) = asked({"model": "Big-1", "max_tokens": 9, "stream": True, "messages": []})
    assert action.name == "openai.chat.create"
    assert action.resource == {"model": "big-1"}
    assert action.params == {"model": "Big-1", "max_tokens": 9, "stream": True}
    assert (action.resource_complete, action.params_complete) == (True, True)
    assert (action.risk, action.categories) == (Risk.MEDIUM, {Category.MODEL_INFERENCE})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"model": "a", "models": ["b", "a"]}, ["a", "b"]),
        ({"model": "a", "fallbacks": [{"model": "b"}]}, ["a", "b"]),
        ({"model": "a", "fallbacks": "default"}, ["a", None]),
        ({"model": "a", "fallbacks": [{}]}, ["a", None]),
        ({"model": "a", "tools": [{"type": "advisor", "model": "b"}]}, ["a", "b"]),
        ({"model": {"id": "a", "speed": "fast"}}, ["a"]),
        ({"model": ["a"]}, [None]),
        ({"model": ""}, [None]),
        ({"model": "a" * 257}, [None]),
        ({}, [None]),
        # Of no meaning here, so they cannot stand in for the model that runs.
        ({"session": {"model": "a"}}, [None]),
        ({"requests": [{"params": {"model": "a"}}]}, [None]),
    ],
)
def test_every_model_that_may_run_is_judged(body: object, expected: list[str | None]) -> None:
    actions = asked(body)
    assert models(actions) == expected
    for action in actions:
        assert action.resource_complete is ("model" in action.resource)
        assert action.params_complete is ("model" in action.params)


def test_each_request_of_a_batch_is_judged() -> None:
    wanted = [{"model": "a", "max_tokens": 1}, {"model": "b"}, {"model": "b"}, {}]
    actions = asked(
        {"model": "z", "requests": [{"custom_id": "1", "params": one} for one in wanted]},
        path="/v1/batches",
    )
    assert models(actions) == ["a", "b", None]
    assert actions[0].params == {"model": "a", "max_tokens": 1}


def test_batch_of_unlike_requests_is_told_of_as_unread() -> None:
    requests = [{"params": {"model": f"m{n}"}} for n in range(65)]
    (action,) = asked({"requests": requests}, path="/v1/batches")
    assert (action.resource_complete, action.params_complete) == (False, False)


@pytest.mark.parametrize("body", [{}, {"requests": []}, {"requests": "x"}, {"requests": ["x"]}])
def test_batch_without_requests_names_no_model(body: object) -> None:
    assert models(asked(body, path="/v1/batches")) == [None]


def test_model_outside_ascii_is_rejected() -> None:
    with pytest.raises(RequestRejected, match="outside ASCII"):
        asked({"model": "\u212aimi"})


# Tools


@pytest.mark.parametrize(
    ("tool", "name"),
    [
        ({"type": "function", "function": {"name": "f"}}, "f"),
        ({"type": "function", "name": "f"}, "f"),
        ({"type": "custom", "custom": {"name": "f"}}, "f"),
        ({"name": "f", "input_schema": {}}, "f"),
        ({"type": "web_search_20250305", "name": "other"}, "web_search"),
        ({"type": "web_search_preview_2025_03_11"}, "web_search_preview"),
        ({"type": "namespace", "name": "n"}, "namespace"),
    ],
)
def test_tool_is_named(tool: object, name: str) -> None:
    (action,) = asked({"model": "a", "tools": [tool]})
    assert action.params["tools"] == [name]
    assert action.risk is Risk.MEDIUM


def test_older_ways_to_ask_for_tools_are_named() -> None:
    (action,) = asked({"model": "a", "functions": [{"name": "f"}], "web_search_options": {}})
    assert action.params["tools"] == ["f", "web_search"]


@pytest.mark.parametrize(
    ("tool", "does"),
    [
        ({"type": "run_code_20250101"}, Category.CODE_EXECUTION),
        ({"type": "RUN_CODE"}, Category.CODE_EXECUTION),
        ({"type": "mcp", "connector_id": "mail"}, Category.DATA_EXPORT),
        ({"type": "mcp"}, Category.DATA_EXPORT),
        ({"type": "other", "server_url": "https://x.example"}, Category.DATA_EXPORT),
        ({"type": "namespace", "tools": [{"type": "run_code"}]}, Category.CODE_EXECUTION),
    ],
)
def test_tool_that_the_provider_runs_is_part_of_the_action(tool: object, does: Category) -> None:
    for body in ({"tools": [tool]}, {"input": [{"type": "found_tools", "tools": [tool]}]}):
        (action,) = asked({"model": "a", **body})
        assert action.risk is Risk.HIGH
        assert action.categories == {Category.MODEL_INFERENCE, does}


def test_tool_that_runs_at_the_client_runs_no_code_at_the_provider() -> None:
    (action,) = asked(
        {"model": "a", "tools": [{"type": "run_code", "environment": {"type": "local"}}]}
    )
    assert action.categories == {Category.MODEL_INFERENCE}


def test_mcp_server_is_shown_without_its_secrets() -> None:
    secret = "https://user:key@mcp.example/sse?token=key#key"
    (action,) = asked(
        {
            "model": "a",
            "mcp_servers": [{"type": "url", "url": secret, "authorization_token": "key"}],
            "tools": [{"type": "mcp", "server_url": "https://b.example", "authorization": "key"}],
        }
    )
    assert action.params["mcp_servers"] == ["https://b.example", "https://mcp.example/sse"]
    assert Category.DATA_EXPORT in action.categories
    assert "key" not in repr(action)


def test_words_in_a_conversation_are_no_tools() -> None:
    said = {"role": "user", "content": '{"tools": [{"type": "run_code"}]}'}
    (action,) = asked({"model": "a", "messages": [said]})
    assert "tools" not in action.params
    assert action.risk is Risk.MEDIUM


def test_stored_prompt_may_hold_any_tool() -> None:
    (action,) = asked({"model": "a", "prompt": {"id": "pmpt_1"}})
    assert not action.params_complete
    assert action.categories >= HOSTED


# Bodies that are not read


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (Body.oversize(), "application/json"),
        (Body.unread(), "application/json"),
        (Body.complete(b'{"model": "a"}'), "multipart/form-data; boundary=x"),
        (Body.complete(b'{"model": "a"}'), "Multipart/Form-Data"),
        (Body.complete(b"v=0"), "application/sdp"),
    ],
)
def test_unread_body_is_named_with_the_worst(body: Body, kind: str) -> None:
    (action,) = asked(body, kind=kind)
    assert action.name == "openai.chat.create"
    assert (action.resource_complete, action.params_complete) == (False, False)
    assert action.risk is Risk.HIGH
    assert action.categories >= HOSTED


def test_unread_body_without_tools_keeps_its_risk() -> None:
    (action,) = asked(Body.oversize(), path="/v1/embeddings")
    assert (action.risk, action.params_complete) == (Risk.MEDIUM, False)


@pytest.mark.parametrize(
    "body",
    [
        {"model": "a", "tools": [{"name": f"f{n}"} for n in range(1001)]},
        {"model": "a", "models": [f"m{n}" for n in range(65)]},
    ],
)
def test_endless_list_is_told_of_as_unread(body: object) -> None:
    (action,) = asked(body)
    assert not action.params_complete
    assert action.risk is Risk.HIGH


@pytest.mark.parametrize(
    "body",
    [
        b'{"model": "a", "model": "b"}',
        b'{"model": "a", "Model": "b"}',
        b'{"Model": "b"}',
        b'{"Tools": []}',
        b'["a"]',
        b"model=a",
        b'\xef\xbb\xbf{"model": "a"}',
        b'{"model": "a", "messages": [' + b"[]," * 100_000 + b"[]]}",
    ],
)
def test_body_with_two_readings_is_opaque(body: bytes) -> None:
    with pytest.raises(OpaqueBody):
        asked(Body.complete(body))


@pytest.mark.parametrize(
    ("path", "kind", "needed"),
    [
        ("/v1/chat/completions", "application/json", True),
        ("/v1/chat/completions", "", True),
        ("/v1/chat/completions", "multipart/form-data; boundary=x", False),
        ("/v1/files", "application/json", False),
    ],
)
def test_body_is_asked_for_where_it_says_more(path: str, kind: str, needed: bool) -> None:
    assert CONNECTOR.needs_body(request(Body.unread(), path=path, kind=kind)) is needed


def test_form_cannot_ask_for_another_method() -> None:
    assert not CONNECTOR.takes_method_from_body(request(Body.unread(), path="/v1/files"))


# Where the key goes


@pytest.mark.parametrize(
    ("sent", "configured", "expected"),
    [
        ({}, Models.placement, {"x-api-key": "real"}),
        ({"X-Api-Key": "mine"}, Models.placement, {"x-api-key": "real"}),
        ({"Authorization": "Bearer mine"}, Models.placement, {"authorization": "Bearer real"}),
        (
            {"Authorization": "Bearer mine", "X_Api_Key": "mine", "X-Api-Key": "mine"},
            Models.placement,
            {"x-api-key": "real"},
        ),
        ({"X-Api-Key": "mine"}, Header(), {"authorization": "Bearer real"}),
        ({"X-Own": "mine"}, Header(name="x-own", prefix=""), {"x-own": "real"}),
    ],
)
def test_key_goes_where_the_client_put_its_own_and_nowhere_else(
    sent: dict[str, str], configured: Header, expected: dict[str, str]
) -> None:
    read = OutboundRequest.from_url("GET", "https://models.example/v1", headers=sent.items())
    placement = CONNECTOR.placement_for(read, configured)
    assert placement is not None
    assert dict(placement.fill(read, Secret("real")).headers) == expected
    assert dict(placement.clear(read).headers) == {}


# Connections


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?model=a", ["a"]),
        ("?model=a&model=b", ["a", "b"]),
        ("?model=a&Model=b", ["a", "b"]),
        ("?model=a&%6Dodel=b", ["a", "b"]),
        ("", [None]),
    ],
)
def test_connection_takes_its_model_from_the_query(query: str, expected: list[str | None]) -> None:
    actions = asked(Body.absent(), method="GET", path=f"/v1/realtime{query}")
    assert models(actions) == expected
    for action in actions:
        assert (action.access, action.params_complete) == (Access.WRITE, False)


def test_unmapped_get_is_no_read() -> None:
    (action,) = asked(Body.absent(), method="GET", path="/v1/nothing")
    assert action.access is Access.WRITE


@pytest.mark.parametrize(
    ("base", "path", "name"),
    [
        ("https://llm.example", "/v1/models", "model.list"),
        ("https://llm.example/v1", "/v1/models", "model.list"),
        ("https://llm.example/api/v1/", "/api/v1/models/", "model.list"),
        ("https://llm.example/api/v1", "/v1/models", "unmapped.get"),
        ("https://llm.example/v1", "/v1/v1/models", "unmapped.get"),
        ("https://llm.example/v1", "/models", "unmapped.get"),
    ],
)
def test_base_url_may_end_in_the_version(base: str, path: str, name: str) -> None:
    connector = Models(ConnectorSettings(id="m", base_url=BaseUrl.parse(base)))
    (action,) = connector.parse(OutboundRequest.from_url("GET", f"https://llm.example{path}"))
    assert action.name == f"openai.{name}"


def test_model_in_json_that_is_a_form_as_well_is_not_known() -> None:
    body = Body.complete(b'{"model":"a","x":"&model=b&"}')
    (action,) = CONNECTOR.parse(request(body, kind="application/x-www-form-urlencoded"))
    assert not action.resource_complete
    assert not action.params_complete
    assert "model" not in action.resource
    assert action.categories >= HOSTED


@pytest.mark.parametrize(
    "body",
    [
        {"max_tokens": [9]},
        {"max_tokens": {"value": 9}},
        {"service_tier": "x" * 257},
        {"tools": {"type": "bash"}},
        {"tools": [{"type": "custom"}]},
        {"tools": [{"type": "function", "function": {"name": "x" * 257}}]},
        {"functions": "x"},
        {"mcp_servers": {"url": "https://mcp.example"}},
        {"mcp_servers": [{"name": "x"}]},
        {"tools": [{"type": "mcp", "server_label": "x"}]},
        {"tools": [{"type": "mcp", "server_url": 7}]},
        {"container": {"type": "auto"}},
        {"container": 7},
        {"assistant_id": "asst_1"},
        {"agent_id": "agent_1"},
    ],
)
def test_param_that_is_not_told_is_said_to_be_missing(body: dict[str, object]) -> None:
    (action,) = asked({"model": "a", **body})
    assert not action.params_complete
    assert action.params.keys() <= CONNECTOR.param_fields


@pytest.mark.parametrize(
    "body",
    [
        {"max_tokens": None, "tools": None, "container": None},
        {"tools": [{"type": "bash"}], "mcp_servers": []},
        {"tools": [{"type": "mcp", "server_url": "https://mcp.example"}]},
        {"container": {"id": "c_1"}, "assistant_id": ""},
    ],
)
def test_ordinary_params_are_all_told(body: dict[str, object]) -> None:
    (action,) = asked({"model": "a", **body})
    assert action.params_complete


def test_param_within_and_around_a_request_is_not_settled() -> None:
    one = {"params": {"model": "a", "max_tokens": 1}}
    (settled,) = asked({"requests": [one], "max_tokens": 1}, path="/v1/batches")
    (disputed,) = asked({"requests": [one], "max_tokens": 9}, path="/v1/batches")
    assert (settled.params_complete, disputed.params_complete) == (True, False)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models"])
@pytest.mark.parametrize(
    ("query", "complete"),
    [
        ("beta=true&limit=9", True),
        ("stream=true", False),
        ("x=1&Max_Tokens=9", False),
        ("x=1;model=b", False),
        ("%6dodel=b", False),
        ("tools[0]=b", False),
        ("+model=b", False),
    ],
)
def test_param_in_the_query_is_said_to_be_missing(path: str, query: str, complete: bool) -> None:
    method, body = ("GET", Body.absent()) if path == "/v1/models" else ("POST", {"model": "a"})
    (action,) = asked(body, path=f"{path}?{query}", method=method)
    assert action.params_complete is complete


def test_body_that_is_not_looked_at_leaves_params_incomplete() -> None:
    (action,) = asked({"model": "a"}, path="/v1/vector_stores")
    assert (action.params, action.params_complete) == ({}, False)
    (listed,) = asked(Body.absent(), path="/v1/vector_stores", method="GET")
    assert listed.params_complete
