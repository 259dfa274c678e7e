"""OpenAI: its API, servers that speak the same language, and Azure.

Source of the operations: OpenAI's OpenAPI description and what its Python client calls, which has
more; and the WebSocket paths of that client. Source of Azure's paths: the client again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from typing import ClassVar

from tameflare_core.action import Action
from tameflare_core.connectors.base import Connector
from tameflare_core.connectors.inference import InferenceConnector
from tameflare_core.errors import RequestRejected
from tameflare_core.hookspecs import hookimpl
from tameflare_core.injection.placement import Header
from tameflare_core.parsers.route_table import Route
from tameflare_core.request import OutboundRequest

__all__ = ["OpenAI", "register_connectors"]

_DEPLOYED = frozenset(
    {
        "/v1/audio/speech",
        "/v1/audio/transcriptions",
        "/v1/audio/translations",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/images/edits",
        "/v1/images/generations",
    }
)
_DEPLOYMENTS = "/deployments/"

# Their bodies name a model and may give it tools that OpenAI runs.
_HOSTING = frozenset(
    {
        "openai.agent.create",
        "openai.agent.update",
        "openai.agent_session.create",
        "openai.assistant.create",
        "openai.assistant.update",
        "openai.chat.create",
        "openai.chatkit_session.create",
        "openai.live_session.accept",
        "openai.live_session.create",
        "openai.live_session.fork",
        "openai.realtime_call.accept",
        "openai.realtime_call.create",
        "openai.realtime_client_secret.create",
        "openai.realtime_session.create",
        "openai.response.compact",
        "openai.response.create",
        "openai.thread_run.create",
    }
)


class OpenAI(InferenceConnector):
    """OpenAI's API, or at a `base_url` any server that speaks it.

    The `base_url` is what clients are given, with or without `/v1`. For Azure it is the resource,
    `https://NAME.openai.azure.com`: the deployment in a path is the model.
    """

    type = "openai"
    provider = "openai"
    placement = Header()
    # The second one is Azure's.
    key_headers = (placement, Header(name="api-key", prefix=""))
    probe = "GET /v1/models"
    catalogue_file = files(__package__) / "catalogs" / "openai.tsv"
    home = (
        "api.openai.com",
        "ae.api.openai.com",
        "au.api.openai.com",
        "eu.api.openai.com",
        "in.api.openai.com",
        "jp.api.openai.com",
        "us.api.openai.com",
    )
    # Names of models at other services: `meta-llama/Llama-3`.
    slash_params = frozenset({"model"})
    hosting_actions = _HOSTING
    body_actions = _HOSTING | {
        "openai.audio_speech.create",
        "openai.audio_transcription.create",
        "openai.audio_translation.create",
        "openai.batch.create",
        "openai.completion.create",
        "openai.decision.create",
        "openai.embedding.create",
        "openai.eval_run.create",
        "openai.fine_tuning_job.create",
        "openai.image.create",
        "openai.image.create_variation",
        "openai.image.edit",
        "openai.moderation.create",
        "openai.realtime_transcription_session.create",
        "openai.realtime_translation_client_secret.create",
        "openai.video.create",
        "openai.video.edit",
        "openai.video.extend",
        "openai.video.remix",
    }
    streaming_actions = frozenset(
        {
            "openai.live_session.attach",
            "openai.live_session.connect",
            "openai.live_session.connect_fork",
            "openai.realtime_session.connect",
            "openai.realtime_translation.connect",
            "openai.response.connect",
        }
    )
    model_holders: ClassVar = {
        "openai.agent_session.create": "agent",
        "openai.live_session.accept": "session",
        "openai.live_session.create": "session",
        "openai.live_session.fork": "session",
        "openai.realtime_call.create": "session",
        "openai.realtime_client_secret.create": "session",
        "openai.realtime_translation_client_secret.create": "session",
    }
    query_models: ClassVar = {
        "openai.realtime_session.connect": frozenset({"deployment", "model"}),
        "openai.realtime_translation.connect": frozenset({"model"}),
    }
    code_tools = ("code_interpreter", "programmatic_tool_calling", "shell")

    @classmethod
    def matched(cls, rows: Sequence[Route]) -> Sequence[Route]:
        deployed = (
            replace(row, path=row.path.replace("/v1/", f"{_DEPLOYMENTS}{{model}}/"))
            for row in rows
            if row.path in _DEPLOYED and row.method == "POST"
        )
        return [*rows, *deployed]

    def below(self, request: OutboundRequest) -> str | None:
        path = super().below(request)
        base = self.settings.base_url
        if path is None or base is None:
            return path if path is not None and path.startswith("/v1/") else None
        if path.startswith("/openai/"):
            path = path.removeprefix("/openai")
        # Azure and several other services have the same operations without `/v1`.
        return path if path.startswith(("/v1/", _DEPLOYMENTS)) else f"/v1{path}"

    def parse(self, request: OutboundRequest) -> Sequence[Action]:
        # Browsers cannot set `Authorization` on a WebSocket, so OpenAI takes a key from here too.
        if "api-key" in request.headers.get("sec-websocket-protocol").lower():
            raise RequestRejected("a key in `Sec-WebSocket-Protocol`: send it as `Authorization`")
        return super().parse(request)


@hookimpl
def register_connectors() -> list[type[Connector]]:
    return [OpenAI]
