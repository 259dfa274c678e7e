"""A service that runs models: which model a request asks, and what the model may do meanwhile.

The model is a resource field, so that a permission can be about it; token limits, tools and MCP
servers are params. A tool that the provider runs itself is something that the request does: code
in the provider's containers, calls to servers that no gateway sees.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import ClassVar
from urllib.parse import parse_qsl, unquote_plus

from tameflare_core.action import Action, Category, Risk
from tameflare_core.connectors.catalogue import CatalogueConnector
from tameflare_core.errors import OpaqueBody
from tameflare_core.injection.placement import Header, Placement
from tameflare_core.parsers.strict_json import Json, json_object
from tameflare_core.request import FORM_TYPE, BodyState, OutboundRequest
from tameflare_core.vault.secret import Secret

__all__ = ["InferenceConnector"]

type _Object = Mapping[str, Json]

_SCALARS = (
    "agent_id",
    "assistant_id",
    "background",
    "endpoint",
    "environment_id",
    "input_file_id",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens",
    "max_tokens_to_sample",
    "n",
    "service_tier",
    "store",
    "stream",
    "training_file",
)
_PARAMS = frozenset(_SCALARS) | {"container", "mcp_servers", "model", "tools"}
_TOOL_LISTS = frozenset({"functions", "tools"})
_LISTS = _TOOL_LISTS | {"mcp_servers"}
# What is stored at the provider has tools and limits of its own.
_STORED = ("agent_id", "assistant_id")
_DECIDING = frozenset(_SCALARS) | _TOOL_LISTS | {
    "agent",
    "container",
    "fallbacks",
    "mcp_servers",
    "model",
    "models",
    "prompt",
    "requests",
    "session",
    "web_search_options",
}  # fmt: skip

# A form may be JSON as well to who does not mind the type: `{"model":"a","x":"&model=b&"}`.
_UNREAD_TYPES = ("multipart/", "application/sdp", FORM_TYPE)

# A body with more tools or requests, or with more that differs between them, is told of as unread.
_MAX_LISTED = 1000
_MAX_JUDGED = 64
_MAX_CONTAINERS = 100_000
_MAX_NAME = 256
_MAX_ADDRESS = 2048

# What a tool may do that the provider runs; assumed where the tools cannot be known.
_HOSTED = frozenset({Category.CODE_EXECUTION, Category.DATA_EXPORT})

# Tools of these types run at the client, under a name of their own.
_NAMED_TYPES = frozenset({"", "custom", "function"})
_MCP_ADDRESSES = ("server_url", "connector_id", "tunnel_id")
_DATE = re.compile(r"_(?:\d{8}|\d{4}_\d{2}_\d{2})$")
_URL = re.compile(r"([a-z][a-z0-9+.-]*://)(?:[^/?#]*@)?([^?#]*).*", re.IGNORECASE | re.DOTALL)


class InferenceConnector(CatalogueConnector):
    """A service whose requests name a model.

    Class attributes:
        body_actions: actions of which the JSON body says what the model is asked. A body that is
            too large, or no JSON by its type (a recording, an image), leaves `params_complete`
            false.
        hosting_actions: those of them that may carry tools which the provider runs.
        streaming_actions: actions that open a connection; what is asked over it is not read.
        model_holders: actions of which the body names the model under a key: an object, or the
            list of a batch, whose items hold their requests as `params`.
        query_models: the streaming actions of which the query names the model, and the parameters
            that do, in lower case.
        code_tools: how the types of tools begin that run code at the provider.
        key_headers: the fields that the service takes a key from. Clients differ in which they
            use, so by default the credential goes where the client put its own.
    """

    # A service minds the case of a model's name, or knows it in one case only.
    case_insensitive = frozenset({"model"})
    further_fields = frozenset({"model"})
    # Some GET requests open a connection over which anything can be asked.
    safe_reads = False
    hosting_actions: ClassVar[frozenset[str]] = frozenset()
    streaming_actions: ClassVar[frozenset[str]] = frozenset()
    model_holders: ClassVar[Mapping[str, str]] = {}
    query_models: ClassVar[Mapping[str, frozenset[str]]] = {}
    code_tools: ClassVar[tuple[str, ...]]
    key_headers: ClassVar[tuple[Header, ...]]

    @property
    def param_fields(self) -> frozenset[str]:
        return _PARAMS

    def below(self, request: OutboundRequest) -> str | None:
        """The path in the catalogue's terms; a `base_url` may end in their `/v1` or before it."""
        path = super().below(request)
        base = self.settings.base_url
        if path is None or base is None or not base.prefix.endswith("/v1"):
            return path
        return f"/v1{path}"

    def takes_method_from_body(self, request: OutboundRequest) -> bool:
        return False

    def placement_for(self, request: OutboundRequest, configured: Placement) -> Placement | None:
        if configured not in self.key_headers:
            return configured
        used = [header for header in self.key_headers if header.name in request.headers]
        if configured == self.placement and used and configured not in used:
            configured = used[0]
        return _OnlyHeader(configured, self.key_headers)

    def needs_body(self, request: OutboundRequest) -> bool:
        return not _has_unread_type(request) and super().needs_body(request)

    def refine(self, action: Action, request: OutboundRequest) -> Sequence[Action]:
        if action.name in self.streaming_actions:
            return self._unread(action, self._models_in_query(action, request))
        has_body = request.body.state is not BodyState.ABSENT
        in_query = _has_param_in_query(request)
        if action.name not in self.body_actions:
            return (replace(action, params_complete=not (has_body or in_query)),)
        # A model in the path is the one that runs, whatever the body says.
        in_path = action.resource.get("model")
        fixed = [in_path] if in_path else []
        inspected = request.body.state in {BodyState.ABSENT, BodyState.COMPLETE}
        if not inspected or _has_unread_type(request):
            return self._unread(action, fixed)
        body = json_object(request, _DECIDING)
        parts = _parts(body, self.model_holders.get(action.name))
        actions: list[Action] = []
        for part in parts:
            tools = list(islice(_tools(part), _MAX_LISTED + 1))
            models = _models(part, tools)
            if in_path:
                models = [in_path, *filter(None, models[1:])]
            listed = max(len(parts), len(tools))
            if listed > _MAX_LISTED or len(models) + len(actions) > _MAX_JUDGED:
                return self._unread(action, fixed)
            described = self._described(action, body, part, tools)
            if in_query:
                described = replace(described, params_complete=False)
            actions += [one for one in self._each(described, models) if one not in actions]
        return actions

    def _models_in_query(self, action: Action, request: OutboundRequest) -> list[str]:
        names = self.query_models.get(action.name, frozenset())
        # Some servers mind the case of a parameter's name and some do not.
        pairs = parse_qsl(request.query or "", errors="replace")
        return [value for name, value in pairs if name.casefold() in names]

    def _unread(self, action: Action, models: Sequence[str]) -> list[Action]:
        action = replace(action, params_complete=False)
        if action.name in self.hosting_actions:
            action = _hosting(action, _HOSTED)
        return self._each(action, models or [None])

    def _each(self, action: Action, models: Sequence[str | None]) -> list[Action]:
        """`action` once for each model; None is one that the request leaves to the service."""
        return [
            replace(action, resource_complete=False, params_complete=False)
            if model is None
            else replace(
                action,
                resource={**action.resource, "model": self.spelled("model", model)},
                params={**action.params, "model": model},
            )
            for model in dict.fromkeys(models)
        ]

    def _described(
        self, action: Action, body: _Object, part: _Object, tools: Sequence[_Object]
    ) -> Action:
        servers = {*_mcp_servers(part, tools)}
        names = {_tool_name(tool) for tool in tools}
        if "web_search_options" in part:
            names.add("web_search")
        scalars = [
            (key, value)
            for source in (body, part)
            for key in _SCALARS
            if (value := source.get(key)) is not None
        ]
        params: dict[str, object] = {key: value for key, value in scalars if _is_short(value)}
        container = part.get("container")
        # What is too long, of another kind, or one thing here and another there, is not told.
        complete = (
            all(params.get(key) == value for key, value in scalars)
            and (container is None or _identifier(container) is not None)
            and all(isinstance(part.get(key, []), list | None) for key in _LISTS)
            and not any(source.get(key) for source in (body, part) for key in _STORED)
            and "" not in names | servers
        )
        listed = {
            "container": _identifier(container),
            "mcp_servers": sorted(servers - {""}),
            "tools": sorted(names - {""}),
        }
        params |= {key: value for key, value in listed.items() if value}
        does: set[Category] = set()
        if any(self._runs_code(tool) for tool in tools):
            does.add(Category.CODE_EXECUTION)
        if servers or any(_type(tool) == "mcp" for tool in tools):
            does.add(Category.DATA_EXPORT)
        # A prompt that is stored at the provider has tools of its own.
        stored = isinstance(part.get("prompt"), dict)
        described = replace(action, params=params, params_complete=complete and not stored)
        return _hosting(described, _HOSTED if stored else frozenset(does))

    def _runs_code(self, tool: _Object) -> bool:
        environment = tool.get("environment")
        is_local = isinstance(environment, dict) and environment.get("type") == "local"
        return _type(tool).startswith(self.code_tools) and not is_local


@dataclass(frozen=True, slots=True)
class _OnlyHeader(Placement):
    """One of several slots; the others, which the service would read as well, are emptied."""

    slot: Placement
    slots: tuple[Header, ...]

    def clear(self, request: OutboundRequest) -> OutboundRequest:
        for slot in self.slots:
            request = slot.clear(request)
        return request

    def fill(self, request: OutboundRequest, secret: Secret) -> OutboundRequest:
        return self.slot.fill(self.clear(request), secret)


def _has_unread_type(request: OutboundRequest) -> bool:
    return request.headers.get("content-type").strip().lower().startswith(_UNREAD_TYPES)


def _has_param_in_query(request: OutboundRequest) -> bool:
    # None is documented there, which does not mean that none is read there.
    pairs = re.split("[&;]", request.query) if request.query else ()
    names = (unquote_plus(pair.partition("=")[0]) for pair in pairs)
    return any(re.split(r"[\[.]", name.strip())[0].casefold() in _PARAMS for name in names)


def _hosting(action: Action, does: frozenset[Category]) -> Action:
    if not does:
        return action
    return replace(action, risk=Risk.HIGH, categories=action.categories | does)


def _parts(body: _Object, holder: str | None) -> list[_Object]:
    """The objects of a body that each name a model; never none."""
    if holder is None:
        return [body]
    held = body.get(holder)
    if isinstance(held, list):
        return [_object(_object(item).get("params")) for item in held] or [{}]
    return [_object(held)]


def _models(part: _Object, tools: Sequence[_Object]) -> list[str | None]:
    """The models that `part` may run, its own first; None for one that it does not name."""
    fallbacks = part.get("fallbacks")
    named = [
        *_listed(part.get("models")),
        *(_object(fallback).get("model") for fallback in _listed(fallbacks)),
        *(tool["model"] for tool in tools if tool.get("model") is not None),
    ]
    # `fallbacks: default` leaves the choice to the provider.
    if fallbacks is not None and not isinstance(fallbacks, list):
        named.append(None)
    return [_identifier(name) for name in (part.get("model"), *named)]


def _tools(document: Json | _Object) -> Iterator[_Object]:
    """The definitions in every list of tools, wherever it stands.

    Raises:
        OpaqueBody: there are too many places to look at.
    """
    rest: list[object] = [document]
    for _ in range(_MAX_CONTAINERS):
        if not rest:
            return
        node = rest.pop()
        if isinstance(node, list):
            rest += (item for item in node if isinstance(item, list | dict))
        elif isinstance(node, dict):
            for key, value in node.items():
                if key in _TOOL_LISTS and isinstance(value, list):
                    yield from (item for item in value if isinstance(item, dict))
                if isinstance(value, list | dict):
                    rest.append(value)
    raise OpaqueBody("body has more lists and objects than are looked through")


def _tool_name(tool: _Object) -> str:
    kind = _type(tool)
    if kind not in _NAMED_TYPES:
        return _DATE.sub("", kind)
    # The definition stands under the type's name in one API, and beside the type in others.
    name = _object(tool.get(kind)).get("name", tool.get("name"))
    return name if isinstance(name, str) and _is_short(name) else ""


def _mcp_servers(part: _Object, tools: Sequence[_Object]) -> Iterator[str]:
    """Where a model would be sent: addresses without user info and query, which hold secrets.

    Empty for a server that has none.
    """
    found: list[Json] = [
        value for tool in tools for key in _MCP_ADDRESSES if (value := tool.get(key)) is not None
    ]
    found += [_object(server).get("url") for server in _listed(part.get("mcp_servers"))]
    if any(_type(tool) == "mcp" and tool.keys().isdisjoint(_MCP_ADDRESSES) for tool in tools):
        found.append(None)
    for address in found:
        text = address if isinstance(address, str) else ""
        yield _URL.sub(r"\1\2", text)[:_MAX_ADDRESS]


def _type(tool: _Object) -> str:
    kind = tool.get("type")
    return kind.lower() if isinstance(kind, str) and _is_short(kind) else ""


def _identifier(value: Json) -> str | None:
    """A name, or the `id` of an object that stands for one."""
    name = value.get("id") if isinstance(value, dict) else value
    return name if isinstance(name, str) and name and _is_short(name) else None


def _is_short(value: Json) -> bool:
    """Whether a value is fit for a param: a number, a truth value, a text of a name's length."""
    if isinstance(value, str):
        return len(value) <= _MAX_NAME
    return isinstance(value, bool | int | float)


def _object(value: Json) -> _Object:
    return value if isinstance(value, dict) else {}


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
