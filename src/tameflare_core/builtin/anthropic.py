"""Anthropic: the Claude API, and servers that speak the same language.

Source of the operations: what Anthropic's Python client calls, and three reports and the older
text completions of its API reference. `?beta=true` makes no other operation of a path.
"""

from __future__ import annotations

from importlib.resources import files
from typing import ClassVar

from tameflare_core.connectors.base import Connector
from tameflare_core.connectors.inference import InferenceConnector
from tameflare_core.hookspecs import hookimpl
from tameflare_core.injection.placement import Header

__all__ = ["Anthropic", "register_connectors"]

# Their bodies name a model and may give it tools that Anthropic runs.
_HOSTING = frozenset(
    {
        "anthropic.agent.create",
        "anthropic.agent.update",
        "anthropic.message.create",
        "anthropic.message_batch.create",
        "anthropic.session.create",
    }
)


class Anthropic(InferenceConnector):
    """The Claude API, or at a `base_url` any server that speaks it, with or without `/v1`."""

    type = "anthropic"
    provider = "anthropic"
    placement = Header(name="x-api-key", prefix="")
    key_headers = (placement, Header())
    probe = "GET /v1/models"
    probe_headers = (("anthropic-version", "2023-06-01"),)
    catalogue_file = files(__package__) / "catalogs" / "anthropic.tsv"
    home = ("api.anthropic.com",)
    hosting_actions = _HOSTING
    body_actions = _HOSTING | {"anthropic.completion.create", "anthropic.dream.create"}
    model_holders: ClassVar = {
        "anthropic.message_batch.create": "requests",
        "anthropic.session.create": "agent",
    }
    code_tools = ("agent_toolset", "code_execution")


@hookimpl
def register_connectors() -> list[type[Connector]]:
    return [Anthropic]
