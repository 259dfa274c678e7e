"""MCP servers: every message of a request has its action."""

from __future__ import annotations

import base64
import gzip
import json
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.action import Access, Action, Category, Risk, action_name
from tameflare_core.builtin.mcp import Mcp
from tameflare_core.connectors.base import ConnectorSettings
from tameflare_core.connectors.matching import BaseUrl
from tameflare_core.decision import Decision
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.errors import ConfigError, OpaqueBody, RequestRejected
from tameflare_core.request import Body, OutboundRequest
from tameflare_core.testing import FIXED_TIME, gateway_from

URL = "https://mcp.example/mcp"
JSON = ("Content-Type", "application/json")


def connector(**settings: object) -> Mcp:
    values: dict[str, object] = {"base_url": BaseUrl.parse(URL)} | settings
    return Mcp(ConnectorSettings(id="tools", **values))  # type: ignore[arg-type]


def actions(
    document: object,
    *,
    method: str = "POST",
    url: str = URL,
    headers: Sequence[tuple[str, str]] = (JSON,),
    one: Mcp | None = None,
) -> list[Action]:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    body = Body.complete(data)
    request = OutboundRequest.from_url(method, url, headers=headers, body=body)
    return list((one or connector()).parse(request))


def named(document: object, **how: object) -> list[str]:
    return [action.name for action in actions(document, **how)]  # type: ignore[arg-type]


def call(method: str, ident: object = 1, /, **params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": ident, "method": method, "params": params}


def tool(name: object, /, **arguments: object) -> dict[str, object]:
    return call("tools/call", name=name, arguments=arguments)


@pytest.mark.parametrize(
    ("method", "params", "name", "access", "risk", "resource"),
    [
        ("initialize", {"protocolVersion": "x"}, "mcp.initialize", "read", "low", {}),
        ("ping", {}, "mcp.ping", "read", "low", {}),
        ("tools/list", {"cursor": "x"}, "mcp.tools.list", "read", "low", {}),
        ("prompts/list", {}, "mcp.prompts.list", "read", "low", {}),
        ("prompts/get", {"name": "p"}, "mcp.prompts.get", "read", "low", {"prompt": "p"}),
        ("resources/list", {}, "mcp.resources.list", "read", "low", {}),
        ("resources/templates/list", {}, "mcp.resources.templates.list", "read", "low", {}),
        ("resources/read", {"uri": "a:b"}, "mcp.resources.read", "read", "medium", {"uri": "a:b"}),
        (
            "resources/subscribe",
            {"uri": "a:b"},
            "mcp.resources.subscribe",
            "write",
            "low",
            {"uri": "a:b"},
        ),
        (
            "resources/unsubscribe",
            {"uri": "a:b"},
            "mcp.resources.unsubscribe",
            "write",
            "low",
            {"uri": "a:b"},
        ),
        (
            "completion/complete",
            {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {}},
            "mcp.completion.complete",
            "read",
            "low",
            {"prompt": "p"},
        ),
        (
            "completion/complete",
            {"ref": {"type": "ref/resource", "uri": "a:{b}"}, "argument": {}},
            "mcp.completion.complete",
            "read",
            "low",
            {"uri": "a:{b}"},
        ),
        ("logging/setLevel", {"level": "info"}, "mcp.logging.set_level", "write", "low", {}),
        ("tasks/list", {}, "mcp.tasks.list", "read", "low", {}),
        ("tasks/get", {"taskId": "7"}, "mcp.tasks.get", "read", "low", {"task": "7"}),
        ("tasks/result", {"taskId": "7"}, "mcp.tasks.result", "read", "low", {"task": "7"}),
        ("tasks/cancel", {"taskId": "7"}, "mcp.tasks.cancel", "write", "medium", {"task": "7"}),
    ],
)
def test_request_is_named_by_its_method(
    method: str,
    params: dict[str, object],
    name: str,
    access: str,
    risk: str,
    resource: Mapping[str, str],
) -> None:
    (action,) = actions(call(method, 1, **params, _meta={"progressToken": 1}))
    assert (action.name, action.access, action.risk) == (name, Access(access), Risk(risk))
    assert action.resource == resource
    assert set(action.resource) <= connector().resource_fields
    assert action.params == params
    assert action_name(action.name)


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("notifications/initialized", "mcp.notifications.initialized"),
        ("notifications/cancelled", "mcp.notifications.cancelled"),
        ("notifications/progress", "mcp.notifications.progress"),
        ("notifications/roots/list_changed", "mcp.notifications.roots_list_changed"),
        ("notifications/tasks/status", "mcp.notifications.tasks_status"),
    ],
)
def test_notification_belongs_to_the_session(method: str, name: str) -> None:
    (action,) = actions({"jsonrpc": "2.0", "method": method})
    assert (action.name, action.access, action.risk) == (name, Access.READ, Risk.LOW)


def test_tool_call_is_named_by_its_tool() -> None:
    (action,) = actions(tool("delete_file", path="/a"))
    assert action == Action(
        name="mcp.tools.call.delete_file",
        access=Access.WRITE,
        risk=Risk.HIGH,
        resource={"tool": "delete_file"},
        params={"path": "/a"},
    )


def test_tool_called_by_a_notification_is_named_all_the_same() -> None:
    document = {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "x"}}
    assert named(document) == ["mcp.tools.call.x"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("getUser", "mcp.tools.call.getuser"),
        ("GET_USER-2", "mcp.tools.call.get_user-2"),
        ("admin.user.delete", "mcp.tools.call.admin.user.delete"),
        ("a" * 128, "mcp.tools.call." + "a" * 128),
    ],
)
def test_tool_with_a_plain_name_keeps_it(name: str, expected: str) -> None:
    (action,) = actions(tool(name))
    assert (action.name, action.resource) == (expected, {"tool": name})


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("files/read", "files_read"),
        ("files read", "files_read"),
        ("a..b", "a__b"),
        (".a", "_a"),
        ("-rm", "rm"),
        ("---", "_"),
        ("löschen", "l_schen"),
        ("get\u212aey", "getkey"),
        ("a" * 129, "a" * 128),
    ],
)
def test_tool_with_another_name_gets_a_hash(name: str, shown: str) -> None:
    (action,) = actions(tool(name))
    assert re.fullmatch(rf"mcp\.tools\.call\.{shown}-[0-9a-f]{{8}}", action.name)
    assert action_name(action.name)
    assert action.resource == {"tool": name}


NAMES = st.text(st.sampled_from("abAB._-/ é*"), min_size=1, max_size=8).filter(
    lambda name: name == name.strip()
)


@given(NAMES, NAMES)
def test_tools_share_a_name_only_if_they_differ_in_case(one: str, other: str) -> None:
    same = named(tool(one)) == named(tool(other))
    assert same == (one.lower() == other.lower())


@pytest.mark.parametrize("name", [" x", "x\t", "x\n", "a\u200bb", "a\u202eb", "a\0b", "x\u00a0"])
def test_tool_with_invisible_characters_is_refused(name: str) -> None:
    with pytest.raises(RequestRejected):
        actions(tool(name))


@pytest.mark.parametrize(
    "document",
    [
        tool(""),
        tool(None),
        tool(7),
        tool("x" * 5000),
        call("tools/call"),
        call("tools/call", name="x", arguments=[1]),
        call("tools/call", name="x", Name="y"),
        call("tools/call", name="x", Arguments={}),
        call("resources/read"),
        call("prompts/get", name=1),
        call("tasks/cancel"),
        call("completion/complete", ref={"type": "ref/other"}),
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\\ud800"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"\\ud800"}',
        b"",
        b"method=tools/call",
    ],
)
def test_message_that_reads_in_two_ways_is_opaque(document: object) -> None:
    with pytest.raises(OpaqueBody):
        actions(document)


@pytest.mark.parametrize(
    "method",
    ["Tools/Call", "tools/CALL", "tools/call ", "tools/call/", "tool\u017f/call", "toolsCall"],
)
def test_method_that_is_nearly_a_known_one_is_refused(method: str) -> None:
    with pytest.raises(RequestRejected):
        actions(call(method, name="x"))


def test_unknown_method_is_unmapped() -> None:
    (action,) = actions(call("x/reset_everything"))
    assert (action.name, action.access, action.risk) == (
        "mcp.unmapped.post",
        Access.WRITE,
        Risk.HIGH,
    )
    assert action.resource == {"method": "x/reset_everything"}
    assert not action.resource_complete


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ({"result": {}}, "mcp.response.acknowledge"),
        ({"result": {"roots": []}}, "mcp.response.send"),
        ({"result": {"content": {"text": "everything"}}}, "mcp.response.send"),
        ({"error": {"code": 1, "message": "x"}}, "mcp.response.send"),
    ],
)
def test_response_to_the_server_is_named(answer: dict[str, object], name: str) -> None:
    assert named({"jsonrpc": "2.0", "id": 4} | answer) == [name]


def test_every_message_of_a_batch_is_named() -> None:
    batch = [call("tools/list"), tool("delete_file"), {"jsonrpc": "2.0", "id": 1, "result": {}}]
    assert named(batch) == [
        "mcp.tools.list",
        "mcp.tools.call.delete_file",
        "mcp.response.acknowledge",
    ]


@pytest.mark.parametrize(
    "uri", ["file:///srv/a.txt", "docs://Manual/1", "db:a/b%20c?x=%2F", "repo://{owner}/{name}"]
)
def test_uri_in_its_plain_form_is_taken(uri: str) -> None:
    (action,) = actions(call("resources/read", uri=uri))
    assert action.resource == {"uri": uri}


@pytest.mark.parametrize(
    "uri",
    [
        "file:///srv/../etc/shadow",
        "file:///srv/%2e%2e/etc/shadow",
        "file:///srv/%2E./etc/shadow",
        "file:///srv/%252e%252e/etc/shadow",
        "file:///srv\\..\\etc",
        "file:///srv/..",
        "file:../etc",
        "file:///./srv",
        "FILE:///etc/shadow",
        "file:///etc/shado%77",
        "file:///etc/shado%2577",
        " file:///etc",
        "file:///etc ",
        "file:///e\ttc",
        "file:///etc%0A",
    ],
)
@pytest.mark.parametrize("method", ["resources/read", "resources/subscribe"])
def test_uri_that_has_a_plainer_form_is_refused(uri: str, method: str) -> None:
    with pytest.raises(RequestRejected):
        actions(call(method, uri=uri))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/mcp", "/mcp/", "/mcp/sse", "/mcp?resume=1"])
def test_opening_a_stream_is_a_read(method: str, path: str) -> None:
    (action,) = actions(b"", method=method, url=f"https://mcp.example{path}", headers=())
    assert (action.name, action.access, action.risk) == ("mcp.stream.open", Access.READ, Risk.LOW)


def test_ending_a_session_is_a_write() -> None:
    (action,) = actions(b"", method="DELETE", headers=[("Mcp-Session-Id", "x")])
    assert (action.name, action.access, action.risk) == ("mcp.session.end", Access.WRITE, Risk.LOW)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/admin"),
        ("GET", "/mcp/users"),
        ("DELETE", "/mcp/users"),
        ("GET", "/mcp?method=tools/call&params=x"),
        ("GET", "/mcp?jsonrpc=2.0"),
        ("PUT", "/mcp"),
        ("OPTIONS", "/mcp"),
        ("GET", "/.well-known/other"),
        ("DELETE", "/.well-known/oauth-protected-resource"),
    ],
)
def test_what_the_protocol_does_not_know_is_unmapped(method: str, path: str) -> None:
    url = f"https://mcp.example{path}"
    assert named(b"", method=method, url=url, headers=()) == [f"mcp.unmapped.{method.lower()}"]


@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server",
        "/mcp/.well-known/openid-configuration",
    ],
)
def test_metadata_of_the_authorization_is_a_read(path: str) -> None:
    url = f"https://mcp.example{path}"
    assert named(b"", method="GET", url=url, headers=()) == ["mcp.auth.discover"]


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("/token", b"grant_type=authorization_code&code=x", "mcp.auth.token"),
        ("/revoke", b"token=x", "mcp.auth.revoke"),
        ("/register", b'{"redirect_uris": []}', "mcp.auth.register"),
    ],
)
def test_login_is_about_identity(path: str, body: bytes, name: str) -> None:
    (action,) = actions(body, url=f"https://mcp.example{path}")
    assert (action.name, action.risk) == (name, Risk.HIGH)
    assert Category.IDENTITY in action.categories


def test_messages_to_the_place_of_a_login_are_read() -> None:
    assert named(tool("x"), url="https://mcp.example/register") == [
        "mcp.tools.call.x",
        "mcp.unmapped.post",
    ]
    with pytest.raises(OpaqueBody):
        actions(json.dumps(tool("x")).encode(), url="https://mcp.example/token", headers=())


@pytest.mark.parametrize("path", ["/messages?sessionId=1", "/sse", "/mcp/messages", "/sse/message"])
def test_messages_of_the_older_transport_are_read(path: str) -> None:
    one = connector(base_url=None, hosts=("mcp.example",))
    assert named(tool("x"), url=f"https://mcp.example{path}", one=one) == ["mcp.tools.call.x"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/mcp/admin"), ("POST", "/other"), ("PUT", "/mcp"), ("GET", "/mcp")],
)
def test_messages_elsewhere_are_read_and_unmapped(method: str, path: str) -> None:
    assert named(tool("x"), method=method, url=f"https://mcp.example{path}") == [
        "mcp.tools.call.x",
        f"mcp.unmapped.{method.lower()}",
    ]


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=UTF-8",
        'application/json;charset="utf-8"',
    ],
)
def test_content_type_of_json_is_read(kind: str) -> None:
    assert named(tool("x"), headers=[("content-type", kind)]) == ["mcp.tools.call.x"]


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "text/plain",
        "application/json-rpc",
        "application/json;charset=utf-16",
        "application/json;charset=utf-8;charset=utf-16",
        "application/json; version=1",
    ],
)
def test_other_content_type_is_opaque(kind: str | None) -> None:
    with pytest.raises(OpaqueBody):
        actions(tool("x"), headers=[("content-type", kind)] if kind else ())


def test_coded_body_is_read_decoded() -> None:
    data = gzip.compress(json.dumps(tool("x")).encode())
    assert named(data, headers=[JSON, ("content-encoding", "gzip")]) == ["mcp.tools.call.x"]


@pytest.mark.parametrize("body", [Body.oversize(), Body.unread()])
def test_body_that_is_not_known_is_opaque(body: Body) -> None:
    for method in ("POST", "GET", "DELETE"):
        request = OutboundRequest.from_url(method, URL, headers=[JSON], body=body)
        assert connector().needs_body(request)
        with pytest.raises(OpaqueBody):
            connector().parse(request)


def test_websocket_is_opaque() -> None:
    with pytest.raises(OpaqueBody):
        actions(b"", method="GET", headers=[("Upgrade", "websocket"), ("Connection", "Upgrade")])


def b64(text: str) -> str:
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


@pytest.mark.parametrize("name", ["x", b64("x")])
def test_headers_that_repeat_the_body_are_taken(name: str) -> None:
    headers = [JSON, ("Mcp-Method", "tools/call"), ("Mcp-Name", name), ("Mcp-Session-Id", "s")]
    assert named(tool("x"), headers=headers) == ["mcp.tools.call.x"]
    uri = [JSON, ("Mcp-Method", "resources/read"), ("Mcp-Name", "a:b")]
    assert named(call("resources/read", uri="a:b"), headers=uri) == ["mcp.resources.read"]


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Mcp-Method", "tools/list"),
        ("Mcp-Method", "Tools/Call"),
        ("Mcp-Method", ""),
        ("Mcp-Name", "y"),
        ("Mcp-Name", b64("y")),
        ("Mcp-Name", "=?base64?!?="),
        ("Mcp-Name", "=?base64?/w==?="),
    ],
)
def test_header_that_names_another_call_is_refused(header: str, value: str) -> None:
    with pytest.raises(RequestRejected):
        actions(tool("x"), headers=[JSON, (header, value)])
    with pytest.raises(RequestRejected):
        actions([tool("x"), call("ping")], headers=[JSON, ("Mcp-Method", "tools/call")])
    with pytest.raises(RequestRejected):
        actions({"jsonrpc": "2.0", "id": 1, "result": {}}, headers=[JSON, ("Mcp-Method", "ping")])


def test_method_is_not_taken_from_the_body() -> None:
    request = OutboundRequest.from_url("POST", URL)
    assert not connector().takes_method_from_body(request)


def test_credential_goes_to_the_server_alone() -> None:
    one = connector()
    for path, expected in {
        "/mcp": one.placement,
        "/mcp/messages": one.placement,
        "/other": None,
        "/token": None,
        "/mcp/.well-known/openid-configuration": None,
    }.items():
        request = OutboundRequest.from_url("GET", f"https://mcp.example{path}")
        assert one.placement_for(request, one.placement) == expected


def test_configuration_says_what_a_tool_does() -> None:
    said = {"search": {"access": "read", "risk": "low", "categories": ["data_export"]}}
    one = connector(options={"tools": said | {"get.it": {"access": "read"}}})
    (search,) = actions(tool("search"), one=one)
    assert (search.access, search.risk) == (Access.READ, Risk.LOW)
    assert search.categories == {Category.DATA_EXPORT}
    (get,) = actions(tool("get.it"), one=one)
    assert (get.access, get.risk) == (Access.READ, Risk.MEDIUM)
    # Another spelling may be another tool.
    (other,) = actions(tool("Search"), one=one)
    assert (other.access, other.risk) == (Access.WRITE, Risk.HIGH)


@pytest.mark.parametrize(
    ("tools", "message"),
    [
        ([], "`tools` maps names"),
        ({"x": "read"}, "`tools.x` has an `access`"),
        ({"x": {"risk": "low"}}, "`tools.x` has an `access`"),
        ({"x": {"access": "read", "danger": "low"}}, "`tools.x` has an `access`"),
        ({"x": {"access": "reads"}}, "`tools.x`: 'reads' is not a valid Access"),
        ({"x": {"access": "read", "risk": "some"}}, "`tools.x`: 'some' is not a valid Risk"),
        ({"x": {"access": "read", "categories": "secrets"}}, "`tools.x.categories` is a list"),
        ({"x": {"access": "read", "categories": ["a"]}}, "`tools.x`: 'a' is not a valid Category"),
    ],
)
def test_wrong_description_of_a_tool_is_an_error(tools: object, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        connector(options={"tools": tools})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base_url": None}, "needs a `base_url`, `hosts`, or `stdio: true`"),
        ({"options": {"stdio": "yes"}}, "`stdio` is true or false"),
        ({"options": {"stdio": True}}, "neither `base_url` nor `hosts`"),
        ({"actions": (object(),)}, "`actions` is not for mcp"),
    ],
)
def test_wrong_place_of_a_server_is_an_error(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        connector(**settings)


def test_server_over_stdio_has_an_address_that_leads_nowhere() -> None:
    one = connector(base_url=None, options={"stdio": True})
    assert one.stdio_url == "https://tools.stdio.invalid/"
    assert [str(origin) for origin in one.origins] == ["https://tools.stdio.invalid:443"]
    assert named(tool("x"), url=one.stdio_url, one=one) == ["mcp.tools.call.x"]


CONFIG = """
    version: 1
    gateway: g
    connectors: [{{type: mcp, base_url: "{url}"}}]
    permissions:
      - {{connector: mcp, action: "mcp.*", decision: allow}}
      - {{connector: mcp, action: {action}, resource: {{tool: "delete*"}}, decision: deny}}
"""


@pytest.mark.parametrize(
    ("document", "decision"),
    [
        (call("tools/list"), Decision.ALLOW),
        (tool("read_file"), Decision.ALLOW),
        (tool("delete_file"), Decision.DENY),
        ([call("tools/list"), tool("delete_file")], Decision.DENY),
        (call("x/unknown"), Decision.ALLOW),
        (b"{", Decision.DENY),
    ],
)
def test_strictest_message_decides(document: object, decision: Decision) -> None:
    point = DecisionPoint(gateway_from(CONFIG.format(url=URL, action='"mcp.tools.call.*"')))
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    for url in (URL, "https://mcp.example/elsewhere"):
        request = OutboundRequest.from_url("POST", url, headers=[JSON], body=Body.complete(data))
        assert point.decide(request, FIXED_TIME).decision is decision


def test_rule_in_capitals_is_an_error_that_says_what_to_write() -> None:
    with pytest.raises(
        ConfigError, match=r"not an action pattern: write `mcp\.tools\.call\.getuser`"
    ):
        gateway_from(CONFIG.format(url=URL, action="mcp.tools.call.getUser"))


def test_rule_about_an_unknown_field_is_an_error() -> None:
    text = CONFIG.format(url=URL, action='"mcp.*"').replace("{tool:", "{tol:")
    with pytest.raises(ConfigError, match="no action of this connector has this resource field"):
        gateway_from(text)


_MESSAGES = st.fixed_dictionaries(
    {
        "jsonrpc": st.just("2.0"),
        "method": st.sampled_from(
            ["tools/call", "resources/read", "completion/complete", "prompts/get", "ping", "x"]
        )
        | st.text(max_size=6),
    },
    optional={
        "id": st.integers() | st.text(max_size=3) | st.none(),
        "params": st.dictionaries(
            st.sampled_from(["name", "uri", "arguments", "ref", "taskId", "Name", ""]),
            st.text(max_size=12) | st.none() | st.integers() | st.just({"type": "ref/prompt"}),
        ),
        "result": st.just({}),
    },
)


@given(
    st.binary(max_size=40) | st.lists(_MESSAGES, max_size=3).map(json.dumps).map(str.encode),
    st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    st.sampled_from(
        ["/mcp", "/", "/token", "/register", "/mcp/x", "/.well-known/openid-configuration"]
    ),
)
def test_any_request_is_named_or_refused(data: bytes, method: str, path: str) -> None:
    try:
        found = actions(data, method=method, url=f"https://mcp.example{path}")
    except (OpaqueBody, RequestRejected):
        return
    assert found
    assert all(action_name(action.name).startswith("mcp.") for action in found)


@pytest.mark.parametrize(
    "document",
    [
        tool("a." * 2000),
        call("resources/read", uri="file:///" + "../" * 300_000),
        call("resources/read", uri="a" * 1_000_000),
        call("resources/read", uri="/." * 2000),
        call("resources/read", uri="%2525" * 800),
        call("X" * 1_000_000),
        [tool("é" * 4000)] * 100,
    ],
)
def test_no_message_takes_long(document: object) -> None:
    data = json.dumps(document).encode()
    started = time.process_time()
    with suppress(OpaqueBody, RequestRejected):
        actions(data)
    assert time.process_time() - started < 0.05


def test_params_are_all_told_only_where_they_are() -> None:
    (called,) = actions(tool("search", q="x"))
    assert (called.params, called.params_complete) == ({"q": "x"}, True)
    (answered,) = actions({"jsonrpc": "2.0", "id": 1, "result": {"action": "accept"}})
    assert (answered.name, answered.params_complete) == ("mcp.response.send", False)
    (unknown,) = actions(call("tools/erase", x=1))
    assert not unknown.params_complete
    (login,) = actions(b"grant_type=x", url="https://mcp.example/token", headers=[])
    assert not login.params_complete


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_query_of_a_session_is_not_told(method: str) -> None:
    for query, complete in (("", True), ("?session=1", False)):
        request = OutboundRequest.from_url(method, URL + query)
        (action,) = connector().parse(request)
        assert action.params_complete is complete
