"""OpenAI: what each request is called, at OpenAI, at servers like it, and at Azure."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.resources import files

import openai
import pytest

from tameflare_core.action import Access, Action, Category, Risk
from tameflare_core.builtin.openai import OpenAI
from tameflare_core.connectors.base import ConnectorSettings
from tameflare_core.connectors.matching import BaseUrl
from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.parsers.route_table import read_catalogue
from tameflare_core.request import Body, OutboundRequest
from tameflare_core.vault.secret import Secret
from tests.standin import Received, Standin, as_json

HOME = "https://api.openai.com"
AZURE = "https://acme.openai.azure.com"
CONNECTOR = OpenAI(ConnectorSettings(id="openai"))
CATALOGUE = read_catalogue(
    files("tameflare_core.builtin").joinpath("catalogs/openai.tsv").read_text("utf-8")
)


def at(base_url: str) -> OpenAI:
    return OpenAI(ConnectorSettings(id="server", base_url=BaseUrl.parse(base_url)))


def request(
    method: str, url: str, body: object = None, *, kind: str = "application/json"
) -> OutboundRequest:
    known = body if isinstance(body, Body) else Body.complete(b"")
    if body is not None and not isinstance(body, Body):
        known = Body.complete(json.dumps(body).encode())
    return OutboundRequest.from_url(method, url, headers=[("Content-Type", kind)], body=known)


def parsed(method: str, path: str, body: object = None) -> Sequence[Action]:
    return CONNECTOR.parse(request(method, HOME + path, body))


def names(actions: Sequence[Action]) -> list[str]:
    return [action.name.removeprefix("openai.") for action in actions]


# The catalogue


def test_each_method_and_path_stands_once_and_in_order() -> None:
    shapes = Counter((row.method, re.sub(r"\{.+?\}", "{}", row.path)) for row in CATALOGUE)
    assert [shape for shape, count in shapes.items() if count > 1] == []
    assert sorted(CATALOGUE, key=lambda row: (row.path, row.method)) == CATALOGUE


def test_access_risk_and_categories_make_sense() -> None:
    for row in CATALOGUE:
        if row.method == "DELETE":
            assert Category.DESTRUCTIVE in row.categories, row
        if row.access is Access.WRITE:
            assert row.risk is not Risk.LOW, row
        else:
            assert row.risk in {Risk.LOW, Risk.MEDIUM}, row
        if Category.DESTRUCTIVE in row.categories:
            assert row.access is Access.WRITE, row
            assert row.risk in {Risk.HIGH, Risk.CRITICAL}, row
        if Category.CODE_EXECUTION in row.categories:
            assert (row.access, row.risk) == (Access.WRITE, Risk.HIGH), row
        if row.path.endswith("/content"):
            assert Category.DATA_EXPORT in row.categories, row
        if re.search(r"api_key|client_secret", row.path):
            assert Category.SECRETS in row.categories, row


def test_get_is_a_write_only_where_it_opens_a_connection() -> None:
    writes = {row.action for row in CATALOGUE if row.method == "GET" and row.access is Access.WRITE}
    assert writes == CONNECTOR.streaming_actions


def test_actions_of_the_connector_are_in_its_catalogue() -> None:
    named = CONNECTOR.body_actions | CONNECTOR.streaming_actions
    assert named <= CONNECTOR.known_actions
    assert CONNECTOR.model_holders.keys() <= CONNECTOR.body_actions
    assert CONNECTOR.query_models.keys() <= CONNECTOR.streaming_actions


# What real clients send


def sent(standin: Standin, call: Callable[[openai.OpenAI], object], base: str = "/v1") -> Received:
    with openai.OpenAI(api_key="k", base_url=standin.url + base, max_retries=0) as client:
        call(client)
    return standin.last


# Without one, the client takes the answer for an error.
EMBEDDINGS = as_json({"data": [{"embedding": [0.0], "index": 0, "object": "embedding"}]})


def judged(received: Received, connector: OpenAI = CONNECTOR, host: str = HOME) -> list[Action]:
    read = OutboundRequest.from_url(
        received.method,
        host + received.target,
        headers=[(key, value) for key, value in received.headers if key.lower() != "host"],
        body=Body.unread() if received.body else Body.absent(),
    )
    if connector.needs_body(read):
        read = read.with_body(Body.complete(received.body))
    return list(connector.parse(read))


CALLS: list[tuple[Callable[[openai.OpenAI], object], str, dict[str, str], dict[str, object]]] = [
    (
        lambda client: client.chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "user", "content": "hi"}],
            max_completion_tokens=5,
            tools=[{"type": "function", "function": {"name": "pay", "parameters": {}}}],
        ),
        "chat.create",
        {"model": "gpt-4o-mini"},
        {"model": "gpt-4o-mini", "max_completion_tokens": 5, "tools": ["pay"]},
    ),
    (
        lambda client: client.responses.create(
            model="gpt-5",
            input="hi",
            tools=[
                {"type": "web_search"},
                {"type": "code_interpreter", "container": {"type": "auto"}},
                {"type": "mcp", "server_label": "x", "server_url": "https://mcp.example/sse"},
            ],
        ),
        "response.create",
        {"model": "gpt-5"},
        {
            "model": "gpt-5",
            "tools": ["code_interpreter", "mcp", "web_search"],
            "mcp_servers": ["https://mcp.example/sse"],
        },
    ),
    (
        lambda client: client.embeddings.create(model="e", input="x"),
        "embedding.create",
        {"model": "e"},
        {"model": "e"},
    ),
    (
        lambda client: client.batches.create(
            completion_window="24h", endpoint="/v1/embeddings", input_file_id="file-1"
        ),
        "batch.create",
        {},
        {"endpoint": "/v1/embeddings", "input_file_id": "file-1"},
    ),
    (
        lambda client: client.realtime.client_secrets.create(
            session={"type": "realtime", "model": "gpt-realtime"}
        ),
        "realtime_client_secret.create",
        {"model": "gpt-realtime"},
        {"model": "gpt-realtime"},
    ),
    (lambda client: client.models.list(), "model.list", {}, {}),
    (lambda client: client.models.retrieve("ft:x/y"), "model.get", {"model": "ft:x/y"}, {}),
    (lambda client: client.files.delete("file-1"), "file.delete", {"file_id": "file-1"}, {}),
    (
        lambda client: client.files.create(file=b"x", purpose="batch"),
        "file.upload",
        {},
        {},
    ),
    (
        lambda client: client.audio.transcriptions.create(file=b"x", model="whisper-1"),
        "audio_transcription.create",
        {},
        {},
    ),
]


@pytest.mark.parametrize(
    ("call", "name", "resource", "params"), CALLS, ids=[call[1] for call in CALLS]
)
def test_call_of_the_client_has_its_name(
    start_standin: Callable[..., Standin],
    call: Callable[[openai.OpenAI], object],
    name: str,
    resource: dict[str, str],
    params: dict[str, object],
) -> None:
    standin = start_standin(tls=False)
    standin.answer("POST", "/v1/embeddings", EMBEDDINGS)
    (action,) = judged(sent(standin, call))
    assert names([action]) == [name]
    assert (action.resource, action.params) == (resource, params)


def test_upload_is_not_read(start_standin: Callable[..., Standin]) -> None:
    received = sent(start_standin(tls=False), CALLS[-1][0])
    (action,) = judged(received)
    assert (action.resource_complete, action.params_complete) == (False, False)
    assert action.risk is Risk.MEDIUM


@pytest.mark.parametrize("in_client", [False, True])
def test_deployment_at_azure_is_the_model(
    start_standin: Callable[..., Standin], in_client: bool
) -> None:
    standin = start_standin(tls=False)
    with openai.AzureOpenAI(
        api_key="k",
        api_version="2024-10-21",
        azure_endpoint=standin.url,
        azure_deployment="Prod" if in_client else None,
        max_retries=0,
    ) as client:
        client.chat.completions.create(model="gpt-4o" if in_client else "Prod", messages=[])
        client.models.list()
    chat, models = (judged(one, at(AZURE), AZURE) for one in standin.requests)
    assert names(chat) == ["chat.create"]
    assert chat[0].resource == {"model": "prod"}
    assert names(models) == ["model.list"]
    assert [one.header("api-key") for one in standin.requests] == ["k", "k"]


def test_azure_takes_its_key_from_a_field_of_its_own() -> None:
    sent_key = OutboundRequest.from_url("GET", f"{AZURE}/openai/models", headers=[("Api-Key", "k")])
    placement = at(AZURE).placement_for(sent_key, OpenAI.placement)
    assert placement is not None
    assert dict(placement.fill(sent_key, Secret("real")).headers) == {"api-key": "real"}


# Servers like OpenAI's


@pytest.mark.parametrize(
    ("base", "path", "name"),
    [
        ("https://llm.internal/v1", "/v1/chat/completions", "chat.create"),
        ("https://openrouter.ai/api/v1", "/api/v1/chat/completions", "chat.create"),
        ("https://openrouter.ai/api/v1", "/api/v1/keys", "unmapped.post"),
        ("https://openrouter.ai/api/v1", "/api/chat/completions", "unmapped.post"),
        ("https://localhost:8443", "/v1/chat/completions", "chat.create"),
        ("https://localhost:8443", "/chat/completions", "chat.create"),
        ("https://h.example/v1beta/openai", "/v1beta/openai/chat/completions", "chat.create"),
        ("https://h.example/openai/v1", "/openai/v1/responses", "response.create"),
        (AZURE, "/openai/v1/responses", "response.create"),
        (AZURE, "/openai/responses?api-version=2025-03-01-preview", "response.create"),
        (AZURE, "/openai/deployments/d/embeddings?api-version=1", "embedding.create"),
        (AZURE, "/openai/deployments/d/images/generations", "image.create"),
        (AZURE, "/openai/deployments/d/audio/speech", "audio_speech.create"),
        (AZURE, "/openai/deployments/d/files", "unmapped.post"),
        (f"{AZURE}/openai", "/openai/deployments/d/chat/completions", "chat.create"),
    ],
)
def test_path_below_a_base_url_has_its_name(base: str, path: str, name: str) -> None:
    connector = at(base)
    origin = str(connector.origins[0])
    assert names(connector.parse(request("POST", origin + path, {"model": "m"}))) == [name]


@pytest.mark.parametrize("path", ["/chat/completions", "/openai/v1/chat/completions", "/v1"])
def test_other_forms_are_unmapped_at_home(path: str) -> None:
    (action,) = parsed("POST", path, {"model": "m"})
    assert (names([action]), action.risk) == (["unmapped.post"], Risk.HIGH)
    assert names(parsed("POST", "/deployments/d/chat/completions", {})) == ["unmapped.post"]


def test_home_has_its_regions() -> None:
    assert {"api.openai.com", "eu.api.openai.com", "us.api.openai.com"} <= {
        origin.host for origin in CONNECTOR.origins
    }


@pytest.mark.parametrize(
    ("base", "path"),
    [
        (HOME, "/V1/chat/completions"),
        (HOME, "/v1/Chat/completions"),
        (HOME, "/v1/chat/completions;x"),
        (HOME, "/v1/chat/completions.json"),
        (HOME, "/v1/chat/completions%20"),
        (AZURE, "/OpenAI/deployments/d/chat/completions"),
        (AZURE, "/openai/deployments/d/chat/Completions"),
        (AZURE, "/openai/V1/responses"),
    ],
)
def test_lookalike_of_a_path_is_rejected(base: str, path: str) -> None:
    connector = CONNECTOR if base == HOME else at(base)
    with pytest.raises(RequestRejected, match="in case or decoration only"):
        connector.parse(request("POST", base + path, {"model": "m"}))


@pytest.mark.parametrize("path", ["/v1/chat/completions/", "/v1/chat/completions?beta=true"])
def test_slash_and_query_make_no_other_operation(path: str) -> None:
    assert names(parsed("POST", path, {"model": "m"})) == ["chat.create"]


def test_encoded_slash_is_for_models_alone() -> None:
    assert parsed("GET", "/v1/models/a%2Fb")[0].resource == {"model": "a/b"}
    with pytest.raises(RequestRejected, match="encoded slash"):
        parsed("GET", "/v1/files/a%2Fcontent")


# What the body says


def test_body_that_names_a_model_twice_is_opaque() -> None:
    with pytest.raises(OpaqueBody):
        parsed("POST", "/v1/chat/completions", Body.complete(b'{"model": "a", "model": "b"}'))


@pytest.mark.parametrize("kind", ["local", "container_auto"])
def test_shell_runs_where_it_says(kind: str) -> None:
    tool = {"type": "shell", "environment": {"type": kind}}
    (action,) = parsed("POST", "/v1/responses", {"model": "m", "tools": [tool]})
    assert (Category.CODE_EXECUTION in action.categories) is (kind != "local")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/realtime/client_secrets", {"model": "a", "session": {}}),
        ("/v1/realtime/calls?model=a", {"sdp": "v=0", "session": {}}),
        ("/v1/agents/sessions", {"model": "a", "agent_id": "agent_1"}),
        ("/v1/threads/runs", {"assistant_id": "asst_1"}),
    ],
)
def test_model_that_is_elsewhere_is_not_taken_from_here(path: str, body: object) -> None:
    (action,) = parsed("POST", path, body)
    assert "model" not in action.resource
    assert not action.resource_complete


def test_connection_of_a_realtime_session_is_no_read() -> None:
    (action,) = parsed("GET", "/v1/realtime?model=gpt-realtime")
    assert (names([action]), action.access) == (["realtime_session.connect"], Access.WRITE)
    assert action.resource == {"model": "gpt-realtime"}
    (action,) = parsed("GET", "/v1/responses?model=gpt-5")
    assert not action.resource_complete


def test_key_beside_the_credential_is_rejected() -> None:
    """With it the session would be somebody else's, and what is said in it theirs to read."""
    protocols = [("Sec-WebSocket-Protocol", "realtime, openai-insecure-api-key.sk-mine")]
    with pytest.raises(RequestRejected, match="Sec-WebSocket-Protocol"):
        CONNECTOR.parse(OutboundRequest.from_url("GET", f"{HOME}/v1/realtime", headers=protocols))
    plain = [("Sec-WebSocket-Protocol", "realtime")]
    read = OutboundRequest.from_url("GET", f"{HOME}/v1/realtime", headers=plain)
    assert names(CONNECTOR.parse(read)) == ["realtime_session.connect"]
