"""MCP, the Model Context Protocol: servers over Streamable HTTP, over HTTP+SSE, and over stdio.

A server is one endpoint, so the JSON-RPC messages in the body name the actions. Source: the
specification, versions 2024-11-05 to 2025-11-25.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import unquote

from tameflare_core.action import Access, Action, Category, Risk, action_name
from tameflare_core.builtin.mcp_answers import reworded_for_client
from tameflare_core.canonical import Ambiguity
from tameflare_core.connectors.base import Connector, ConnectorSettings, unmapped_action
from tameflare_core.connectors.matching import Origin
from tameflare_core.decision import Refusal
from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.hookspecs import hookimpl
from tameflare_core.injection.placement import Header, Placement
from tameflare_core.parsers.jsonrpc import Message, MessageKind, exact_keys, read_messages
from tameflare_core.parsers.strict_json import Json, parse_json
from tameflare_core.request import BodyState, OutboundRequest

__all__ = ["Mcp", "register_connectors"]


class _Kind(NamedTuple):
    """What a message or a tool does, and the parameter that says to what."""

    access: Access
    risk: Risk
    categories: frozenset[Category] = frozenset()
    target: str = ""


_READS = _Kind(Access.READ, Risk.LOW)
_OWN = _Kind(Access.WRITE, Risk.LOW)  # what the client sets for its own session
_TASK = _READS._replace(target="taskId")
# Nothing is known of a tool but its name; what servers say about their tools is not to be trusted.
_UNKNOWN_TOOL = _Kind(Access.WRITE, Risk.HIGH)
_SENT = _Kind(Access.WRITE, Risk.MEDIUM)
_LOGIN = _Kind(Access.WRITE, Risk.HIGH, frozenset({Category.IDENTITY, Category.SECRETS}))

_CALL = "tools/call"
_METHODS: Mapping[str, _Kind] = {
    "completion/complete": _READS,
    "initialize": _READS,
    "logging/setLevel": _OWN,
    # They belong to the session, and change nothing that outlasts it.
    "notifications/cancelled": _READS,
    "notifications/initialized": _READS,
    "notifications/progress": _READS,
    "notifications/roots/list_changed": _READS,
    "notifications/tasks/status": _READS,
    "ping": _READS,
    "prompts/get": _READS._replace(target="name"),
    "prompts/list": _READS,
    "resources/list": _READS,
    # What a resource holds is not known: files and secrets are among them.
    "resources/read": _Kind(Access.READ, Risk.MEDIUM, target="uri"),
    "resources/subscribe": _OWN._replace(target="uri"),
    "resources/templates/list": _READS,
    "resources/unsubscribe": _OWN._replace(target="uri"),
    "tasks/cancel": _SENT._replace(target="taskId"),
    "tasks/get": _TASK,
    "tasks/list": _READS,
    "tasks/result": _TASK,
    _CALL: _UNKNOWN_TOOL._replace(target="name"),
    "tools/list": _READS,
}
_LETTERS = re.compile(r"[^a-z]+")
_FOLDED = frozenset(_LETTERS.sub("", method.lower()) for method in _METHODS)

# What the vocabulary of rules calls a parameter, by the first part of its method.
_FIELDS = {
    "completion": "prompt",
    "prompts": "prompt",
    "resources": "uri",
    "tasks": "task",
    "tools": "tool",
}
_DECIDING = frozenset({"arguments", "name", "ref", "taskId", "uri"})

# Where servers commonly listen below a base URL that is not the endpoint itself.
_ENDPOINT = re.compile(r"(?:/mcp)?(?:/sse)?")
_POSTED_TO = re.compile(r"(?:/mcp)?(?:/sse)?(?:/messages?)?")
_DISCOVERY = re.compile(
    r"(?:/.*)?/\.well-known/"
    r"(?:oauth-protected-resource|oauth-authorization-server|openid-configuration)(?:/.*)?"
)
# Where an authorization server is that publishes no metadata. Source: version 2025-03-26.
_LOGINS = {
    "/register": "mcp.auth.register",
    "/revoke": "mcp.auth.revoke",
    "/token": "mcp.auth.token",
}

_LONGEST_NAME = 128
_LONGEST_TEXT = 4096
_BASE64 = re.compile(r"=\?base64\?([A-Za-z0-9+/=]*)\?=")
_UNPLAIN = re.compile(r"[^a-z0-9_.-]")
# A scheme in capitals; what WHATWG URL parsers drop; `.` and `..` segments; what needs no encoding.
_VARIANT_URI = re.compile(
    r"^[a-z0-9+.-]*[A-Z][A-Za-z0-9+.-]*:|^ | $|[\x00-\x1f\x7f]"
    r"|(?:^|[/\\:])\.{1,2}(?:[/\\?#]|$)"
    r"|%(?:2[DEde]|3[0-9]|4[1-9A-Fa-f]|5[0-9AFaf]|6[1-9A-Fa-f]|7[0-9AEae])"
)


class Mcp(Connector):
    """One MCP server.

    Over HTTP it lives at a `base_url`, its endpoint, or on `hosts` of its own. With `stdio: true`
    it is a program that `tf mcp` runs, and `stdio_url` stands for its address. The option `tools`
    says of tools, by their exact names, what they do: `{search: {access: read, risk: low}}`. With
    `jsonrpc_errors: true` a refused message is answered in the client's own protocol.
    """

    type = "mcp"
    provider = "mcp"
    placement = Header()
    options = frozenset({"jsonrpc_errors", "stdio", "tools"})
    tolerates = frozenset({Ambiguity.TRAILING_SLASH})

    def __init__(self, settings: ConnectorSettings) -> None:
        super().__init__(settings)
        if settings.actions:
            raise ValueError("`actions` is not for mcp: its messages name the actions")
        origins = [Origin.parse(host) for host in settings.hosts]
        if settings.base_url is not None:
            origins.append(settings.base_url.origin)
        stdio, self._answers_errors = (
            _flag(settings.options, name) for name in ("stdio", "jsonrpc_errors")
        )
        if stdio and origins:
            raise ValueError("a server over stdio has neither `base_url` nor `hosts`")
        self.stdio_url: str | None = None
        if stdio:
            # No name below `invalid` is ever resolved. Source: RFC 6761 section 6.4.
            host = f"{settings.id}.stdio.invalid"
            origins.append(Origin.parse(host))
            self.stdio_url = f"https://{host}/"
        if not origins:
            raise ValueError("an mcp connector needs a `base_url`, `hosts`, or `stdio: true`")
        self.origins = tuple(origins)
        self._tools = _tools(settings.options.get("tools", {}))

    @property
    def resource_fields(self) -> frozenset[str]:
        return frozenset({"method", *_FIELDS.values()})

    def takes_method_from_body(self, request: OutboundRequest) -> bool:
        return False

    def placement_for(self, request: OutboundRequest, configured: Placement) -> Placement | None:
        # What tells a client how to get a token of its own needs none.
        outside = self._below(request.path) is None
        login = request.path in _LOGINS or _DISCOVERY.fullmatch(request.path)
        return None if outside or login else configured

    def reworded(self, request: OutboundRequest, refusal: Refusal) -> Refusal:
        is_message = request.method == "POST"
        if not (self._answers_errors and is_message):
            return refusal
        return reworded_for_client(request, refusal)

    def needs_body(self, request: OutboundRequest) -> bool:
        return True

    def parse(self, request: OutboundRequest) -> Sequence[Action]:
        if "upgrade" in request.headers:
            raise OpaqueBody("what goes over a WebSocket is not read")
        aside = self._aside(request)
        if aside is not None:
            return (aside,)
        below = self._below(request.path)
        has_body = request.body.state is not BodyState.ABSENT
        if request.method != "POST" and not has_body:
            return (self._session(request, below) or self._unmapped(request),)
        # Whatever carries messages is read, wherever it goes: a server may have further endpoints.
        messages = self._messages(request)
        if below is not None and request.method == "POST" and _POSTED_TO.fullmatch(below):
            return messages
        return (*messages, self._unmapped(request))

    def _below(self, path: str) -> str | None:
        base = self.settings.base_url
        below = path if base is None else base.relative(path)
        return None if below is None else below.removesuffix("/")

    def _aside(self, request: OutboundRequest) -> Action | None:
        """The action of a request for an authorization, which has no messages."""
        login = _LOGINS.get(request.path) if request.method == "POST" else None
        if login is not None and not _may_hold_messages(request.decoded_body()):
            return _action(login, _LOGIN, complete=False)
        absent = request.body.state is BodyState.ABSENT
        if request.operation == "GET" and absent and _DISCOVERY.fullmatch(request.path):
            return _action("mcp.auth.discover", _READS, complete=not request.query)
        return None

    def _session(self, request: OutboundRequest, below: str | None) -> Action | None:
        # Some JSON-RPC servers take a call from a query.
        calls = any(request.query_values(key) for key in ("jsonrpc", "method", "params"))
        if below is None or calls or not _ENDPOINT.fullmatch(below):
            return None
        if request.operation == "GET":
            return _action("mcp.stream.open", _READS, complete=not request.query)
        if request.method == "DELETE":
            return _action("mcp.session.end", _OWN, complete=not request.query)
        return None

    def _unmapped(self, request: OutboundRequest, method: str = "") -> Action:
        resource = {"method": method} if method else {}
        return unmapped_action(self.provider, request, safe_reads=False, resource=resource)

    def _messages(self, request: OutboundRequest) -> tuple[Action, ...]:
        _check_content_type(request)
        messages = read_messages(request.decoded_body())
        for message in messages:
            _check_mirrors(request, message)
        return tuple(self._named(message, request) for message in messages)

    def _named(self, message: Message, request: OutboundRequest) -> Action:
        if message.kind is MessageKind.RESPONSE:
            # The answer to a ping; every other one tells the server something.
            if message.answer == {}:
                return _action("mcp.response.acknowledge", _READS)
            return _action("mcp.response.send", _SENT, complete=False)
        method, params = message.method, message.params
        kind = _METHODS.get(method)
        if kind is None:
            if _LETTERS.sub("", method.casefold()) in _FOLDED:
                raise RequestRejected("the method differs from a known one in case only")
            return self._unmapped(request, _text(method))
        exact_keys(params, _DECIDING)
        if method == _CALL:
            return self._tool(params)
        resource = _completed(params) if method == "completion/complete" else {}
        if kind.target:
            resource[_FIELDS[method.split("/")[0]]] = _text(params.get(kind.target))
        if "uri" in resource:
            _check_uri(resource["uri"])
        given = {key: value for key, value in params.items() if key != "_meta"}
        return _action(_method_action(method), kind, resource, given)

    def _tool(self, params: Mapping[str, Json]) -> Action:
        tool = _text(params.get("name"))
        if not tool.isprintable() or tool != tool.strip():
            raise RequestRejected("the name of a tool has invisible characters or outer spaces")
        arguments = params.get("arguments")
        if arguments is not None and not isinstance(arguments, dict):
            raise OpaqueBody("the arguments of a tool have no names")
        kind = self._tools.get(tool, _UNKNOWN_TOOL)
        return _action(_tool_action(tool), kind, {"tool": tool}, arguments)


def _action(
    name: str,
    kind: _Kind,
    resource: Mapping[str, str] | None = None,
    params: Mapping[str, Json] | None = None,
    *,
    complete: bool = True,
) -> Action:
    return Action(
        name=name,
        access=kind.access,
        risk=kind.risk,
        categories=kind.categories,
        resource=resource or {},
        params=params or {},
        params_complete=complete,
    )


def _method_action(method: str) -> str:
    name = re.sub(r"([A-Z])", r"_\1", method).lower()
    first, _, rest = name.partition("/")
    # `notifications/roots/list_changed`: what it is about belongs to its verb.
    separator = "_" if first == "notifications" else "."
    return f"mcp.{first}" + (f".{rest.replace('/', separator)}" if rest else "")


def _tool_action(tool: str) -> str:
    """The action of a call: the tool's name in lower case, where it is made of segments.

    Any other name gets the start of its hash, so that no two tools share an action unless they
    differ in case alone.
    """
    folded = tool.lower()
    if tool.isascii() and len(tool) <= _LONGEST_NAME:
        try:
            return action_name(f"mcp.tools.call.{folded}")
        except ValueError:
            pass
    shown = _UNPLAIN.sub("_", folded[:_LONGEST_NAME]).replace(".", "_").lstrip("-") or "_"
    return f"mcp.tools.call.{shown}-{sha256(folded.encode()).hexdigest()[:8]}"


def _may_hold_messages(data: bytes) -> bool:
    if not data.lstrip().startswith((b"{", b"[")):
        return False
    document = parse_json(data)
    if not isinstance(document, dict):
        return True
    return not {key.casefold() for key in document}.isdisjoint({"jsonrpc", "method"})


def _text(value: Json) -> str:
    """`value` when it is a text that every reader reads alike, and not empty."""
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TEXT:
        raise OpaqueBody("what a message is about is no text, or a very long one")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise OpaqueBody("a message is about half of a character") from None
    return value


def _completed(params: Mapping[str, Json]) -> dict[str, str]:
    match params.get("ref"):
        case {"type": "ref/prompt", "name": str(name)}:
            return {"prompt": _text(name)}
        case {"type": "ref/resource", "uri": str(uri)}:
            return {"uri": _text(uri)}
    raise OpaqueBody("a completion is about neither a prompt nor a resource")


def _check_uri(uri: str) -> None:
    # Servers parse URIs, and some normalise them on the way.
    plain = uri
    for _ in range(2):
        if _VARIANT_URI.search(plain):
            raise RequestRejected("the URI of a resource has a plainer form")
        plain = unquote(plain)


def _check_content_type(request: OutboundRequest) -> None:
    kind, *parameters = request.headers.get("content-type").lower().split(";")
    charset = [part.strip().replace('"', "") for part in parameters]
    if kind.strip() != "application/json" or charset not in ([], ["charset=utf-8"]):
        raise OpaqueBody("the content type is not that of JSON-RPC")


def _check_mirrors(request: OutboundRequest, message: Message) -> None:
    """Check that the headers that repeat parts of a message say the same; others route by them."""
    target = _METHODS.get(message.method, _READS).target
    for header, expected in (
        ("mcp-method", message.method),
        ("mcp-name", message.params.get(target)),
    ):
        for value in request.headers.get_all(header):
            encoded = _BASE64.fullmatch(value)
            try:
                told = base64.b64decode(encoded[1]).decode() if encoded else value
            except ValueError:
                told = None
            if told != expected or not told:
                raise RequestRejected(f"header `{header}` names something else than the body")


def _flag(options: Mapping[str, object], name: str) -> bool:
    value = options.get(name, False)
    if not isinstance(value, bool):
        raise ValueError(f"`{name}` is true or false")
    return value


def _tools(option: object) -> dict[str, _Kind]:
    if not isinstance(option, Mapping):
        raise ValueError("`tools` maps names of tools to what they do")
    return {name: _described(name, said) for name, said in option.items()}


def _described(name: str, said: object) -> _Kind:
    known = {"access", "risk", "categories"}
    if not isinstance(said, Mapping) or not {"access"} <= set(said) <= known:
        raise ValueError(f"`tools.{name}` has an `access`, and perhaps a `risk` and `categories`")
    categories = said.get("categories", ())
    if not isinstance(categories, (list, tuple)):
        raise ValueError(f"`tools.{name}.categories` is a list")
    try:
        return _Kind(
            Access(said["access"]),
            Risk(said.get("risk", Risk.MEDIUM)),
            frozenset(map(Category, categories)),
        )
    except ValueError as error:
        raise ValueError(f"`tools.{name}`: {error}") from None


@hookimpl
def register_connectors() -> list[type[Connector]]:
    return [Mcp]
