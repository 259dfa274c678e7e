"""Any HTTP service: actions by method, and by name where the configuration gives one."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from tameflare_core.action import Access, Action, Category, Risk
from tameflare_core.builtin.generic import Generic
from tameflare_core.canonical import Ambiguity
from tameflare_core.connectors.base import ConnectorSettings
from tameflare_core.connectors.matching import BaseUrl
from tameflare_core.decision import Decision
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.errors import RequestRejected
from tameflare_core.parsers.route_table import Route
from tameflare_core.request import Body, OutboundRequest
from tameflare_core.testing import FIXED_TIME, gateway_from

DELETE_CONTACT = Route(
    method="DELETE",
    path="/v2/contacts/{id}",
    action="crm.contact.delete",
    access=Access.WRITE,
    risk=Risk.HIGH,
    categories=frozenset({Category.DESTRUCTIVE}),
)


def connector(**settings: object) -> Generic:
    values = {"hosts": ("a.example",), "actions": (DELETE_CONTACT,)} | settings
    return Generic(ConnectorSettings(id="crm", **values))  # type: ignore[arg-type]


def parsed(method: str, path: str, one: Generic | None = None) -> Action:
    request = OutboundRequest.from_url(method, f"https://a.example{path}")
    (action,) = (one or connector()).parse(request)
    return action


@pytest.mark.parametrize(
    ("method", "name", "access", "risk"),
    [
        ("GET", "http.get", Access.READ, Risk.LOW),
        ("HEAD", "http.get", Access.READ, Risk.LOW),
        ("OPTIONS", "http.options", Access.READ, Risk.LOW),
        ("TRACE", "http.trace", Access.READ, Risk.MEDIUM),
        ("POST", "http.post", Access.WRITE, Risk.MEDIUM),
        ("PUT", "http.put", Access.WRITE, Risk.MEDIUM),
        ("PATCH", "http.patch", Access.WRITE, Risk.MEDIUM),
        ("DELETE", "http.delete", Access.WRITE, Risk.HIGH),
    ],
)
def test_method_names_the_action(method: str, name: str, access: Access, risk: Risk) -> None:
    action = parsed(method, "/x/y?z")
    assert (action.name, action.access, action.risk) == (name, access, risk)
    assert action.resource == {"host": "a.example", "path": "/x/y"}
    assert (Category.DESTRUCTIVE in action.categories) == (method == "DELETE")
    assert action.name in connector().known_actions


@pytest.mark.parametrize("path", ["/v2/contacts/7", "/v2/contacts/7/"])
def test_named_action_covers_its_path_with_and_without_a_slash(path: str) -> None:
    action = parsed("DELETE", path)
    assert (action.name, action.risk) == ("crm.contact.delete", Risk.HIGH)
    assert action.resource == {"id": "7"}


@pytest.mark.parametrize("path", ["/v2/contacts", "/v2/contacts/7/x", "/v3/contacts/7", "/A;b/C"])
def test_other_path_is_named_by_its_method(path: str) -> None:
    assert parsed("DELETE", path).name == "http.delete"


@pytest.mark.parametrize(
    "path",
    [
        "/V2/contacts/7",
        "/v2/Contacts/7/",
        "/v2/contacts;a/7",
        "/v2;/contacts/7",
        "/v2/contacts%20/7",
    ],
)
def test_path_that_only_looks_different_is_refused(path: str) -> None:
    with pytest.raises(RequestRejected, match="in case or decoration only"):
        parsed("DELETE", path)
    assert parsed("GET", path).name == "http.get"


def test_parameter_that_looks_like_another_name_is_refused() -> None:
    every = Route(
        method="DELETE",
        path="/v2/contacts/all",
        action="crm.contact.delete_all",
        access=Access.WRITE,
        risk=Risk.CRITICAL,
    )
    one = connector(actions=(DELETE_CONTACT, every))
    assert parsed("DELETE", "/v2/contacts/Bob;x", one).name == "crm.contact.delete"
    for path in ("/v2/contacts/ALL", "/v2/contacts/all;x", "/v2/contacts/all.json"):
        with pytest.raises(RequestRejected, match="in case or decoration only"):
            parsed("DELETE", path, one)


def test_spelling_of_the_template_is_taken_as_it_is() -> None:
    routes = [
        Route(method="GET", path=path, action=action, access=Access.READ, risk=Risk.LOW)
        for path, action in [
            ("/a", "crm.a.get"),
            ("/a.json", "crm.a.export"),
            ("/B/{id}", "crm.b.x"),
        ]
    ]
    one = connector(actions=tuple(routes))
    assert parsed("GET", "/a", one).name == "crm.a.get"
    assert parsed("GET", "/a.json", one).name == "crm.a.export"
    assert parsed("GET", "/B/X", one).name == "crm.b.x"


def test_named_actions_start_below_the_base_url() -> None:
    one = connector(hosts=(), base_url=BaseUrl.parse("https://a.example/api"))
    assert parsed("DELETE", "/api/v2/contacts/7", one).name == "crm.contact.delete"
    assert parsed("DELETE", "/v2/contacts/7", one).name == "http.delete"
    assert parsed("GET", "/api", one).name == "http.get"
    assert parsed("DELETE", "/API/v2/contacts/7", one).name == "crm.contact.delete"
    with pytest.raises(RequestRejected, match="in case or decoration only"):
        parsed("DELETE", "/api;x/v2/contacts/7", one)
    assert [str(origin) for origin in one.origins] == ["https://a.example:443"]


def test_encoding_does_not_change_the_resource() -> None:
    assert parsed("GET", "/a%21b%20c").resource["path"] == "/a!b c"
    assert parsed("DELETE", "/v2/contacts/%37%21").resource == {"id": "7!"}


def test_root_may_be_named() -> None:
    root = Route(method="GET", path="/", action="crm.root.get", access=Access.READ, risk=Risk.LOW)
    assert parsed("GET", "/", connector(actions=(root,))).name == "crm.root.get"


def test_hosts_and_base_url_are_all_owned() -> None:
    one = connector(hosts=("b.example", "*.c.example"), base_url=BaseUrl.parse("https://a.example"))
    assert {origin.host for origin in one.origins} == {"a.example", "b.example", "*.c.example"}


def test_connector_without_a_host_is_refused() -> None:
    with pytest.raises(ValueError, match="needs `hosts` or a `base_url`"):
        connector(hosts=())


def test_encoded_slash_is_taken_where_the_configuration_says_so() -> None:
    assert Ambiguity.ENCODED_SLASH not in connector().tolerates
    one = connector(options={"encoded_slashes": True})
    assert Ambiguity.ENCODED_SLASH in one.tolerates
    assert Ambiguity.EMPTY_SEGMENT not in one.tolerates
    assert parsed("DELETE", "/v2/contacts/a%2Fb", one).resource == {"id": "a/b"}
    assert parsed("GET", "/a%2Fb", one).resource["path"] == "/a%2Fb"


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_option_that_is_no_boolean_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="`encoded_slashes` is true or false"):
        connector(options={"encoded_slashes": value})


def test_resource_fields_are_those_of_its_actions() -> None:
    assert connector().resource_fields == {"host", "path", "id"}


# OpenAPI

CRM = """\
openapi: 3.0.3
servers: [{url: https://a.example/v2}]
paths:
  /contacts:
    get: {tags: [contacts], operationId: list_contacts}
  /contacts/{contact}:
    get: {tags: [contacts], operationId: get_contact}
    delete: {tags: [contacts], operationId: delete_contact}
  /contacts/all:
    delete: {tags: [contacts], operationId: delete_everyone}
"""


def documented(folder: Path, **settings: object) -> Generic:
    (folder / "crm.yaml").write_text(dedent(CRM))
    values = {"actions": (), "options": {"openapi": "crm.yaml"}, "folder": folder} | settings
    return connector(**values)


@pytest.mark.parametrize(
    ("method", "path", "name", "resource"),
    [
        ("GET", "/v2/contacts", "crm.contacts.list", {}),
        ("HEAD", "/v2/contacts/", "crm.contacts.list", {}),
        ("DELETE", "/v2/contacts/7", "crm.contacts.delete_contact", {"contact": "7"}),
        ("DELETE", "/v2/contacts/all", "crm.contacts.delete_everyone", {}),
        ("POST", "/v2/contacts", "http.post", {"host": "a.example", "path": "/v2/contacts"}),
        ("GET", "/contacts", "http.get", {"host": "a.example", "path": "/contacts"}),
    ],
)
def test_operations_of_the_document_are_named(
    method: str, path: str, name: str, resource: dict[str, str], tmp_path: Path
) -> None:
    one = documented(tmp_path)
    action = parsed(method, path, one)
    assert (action.name, action.resource) == (name, resource)
    assert action.name in one.known_actions
    assert set(resource) <= one.resource_fields


def test_document_says_what_its_methods_are(tmp_path: Path) -> None:
    action = parsed("DELETE", "/v2/contacts/7", documented(tmp_path))
    assert (action.access, action.risk) == (Access.WRITE, Risk.HIGH)
    assert action.categories == {Category.DESTRUCTIVE}


def test_actions_go_before_the_document(tmp_path: Path) -> None:
    one = documented(tmp_path, actions=(DELETE_CONTACT,))
    assert parsed("DELETE", "/v2/contacts/7", one).name == "crm.contact.delete"
    assert parsed("DELETE", "/v2/contacts/all", one).name == "crm.contact.delete"
    assert parsed("GET", "/v2/contacts/7", one).name == "crm.contacts.get_contact"


def test_document_starts_below_the_base_url(tmp_path: Path) -> None:
    one = documented(tmp_path, hosts=(), base_url=BaseUrl.parse("https://a.example/crm/v2"))
    assert parsed("GET", "/crm/v2/contacts", one).name == "crm.contacts.list"


def test_lookalike_of_a_documented_path_is_refused(tmp_path: Path) -> None:
    one = documented(tmp_path)
    for path in ("/v2/Contacts", "/v2/contacts.json", "/v2/contacts;x"):
        with pytest.raises(RequestRejected, match="in case or decoration only"):
            parsed("GET", path, one)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (1, "`openapi` is the name of a file"),
        ("", "`openapi` is the name of a file"),
        ("none.yaml", "`openapi`: none.yaml: cannot be read: No such file or directory"),
    ],
)
def test_document_that_cannot_be_read_is_refused(
    value: object, problem: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"^`openapi`") as refused:
        documented(tmp_path, options={"openapi": value})
    assert str(refused.value) == problem


def test_encoded_colon_of_a_named_path_is_refused() -> None:
    close = Route(
        method="POST",
        path="/items:close",
        action="crm.item.close",
        access=Access.WRITE,
        risk=Risk.HIGH,
    )
    one = connector(actions=(close,))
    assert parsed("POST", "/items:close", one).name == "crm.item.close"
    with pytest.raises(RequestRejected, match="in case or decoration only"):
        parsed("POST", "/items%3Aclose", one)


@pytest.mark.parametrize("ruled", ["/items/1", "/items/1/"])
@pytest.mark.parametrize("asked", ["/items/1", "/items/1/"])
def test_slash_at_the_end_gets_nothing_past_a_rule(ruled: str, asked: str) -> None:
    gateway = gateway_from(
        f"""
        version: 1
        gateway: agent
        connectors: [{{type: generic, id: api, hosts: [api.example.com]}}]
        permissions:
          - {{connector: api, action: "http.*", decision: allow}}
          - {{connector: api, action: "http.*", resource: {{path: {ruled}}}, decision: deny}}
        """
    )
    request = OutboundRequest.from_url("GET", f"https://api.example.com{asked}")
    assert DecisionPoint(gateway).decide(request, FIXED_TIME).decision is Decision.DENY


# Params

JSON = [("content-type", "application/json")]
FORM = [("content-type", "application/x-www-form-urlencoded")]


@pytest.mark.parametrize("path", ["/v2/contacts/7", "/v2/other"])
@pytest.mark.parametrize(
    ("headers", "body", "params", "complete"),
    [
        ([], Body.absent(), {"soft": "1"}, True),
        (JSON, Body.complete(b'{"all": true}'), {"soft": "1", "all": True}, True),
        (FORM, Body.complete(b"all=1"), {"soft": "1", "all": "1"}, True),
        (JSON, Body.unread(), {"soft": "1"}, False),
        (JSON, Body.oversize(), {"soft": "1"}, False),
        (JSON, Body.complete(b"[]"), {"soft": "1"}, False),
        ([], Body.complete(b"all=1"), {"soft": "1"}, False),
        (JSON, Body.complete(b'{"soft": 0}'), {}, False),
    ],
)
def test_params_are_those_of_query_and_body(
    path: str,
    headers: list[tuple[str, str]],
    body: Body,
    params: dict[str, object],
    complete: bool,
) -> None:
    one = connector()
    url = f"https://a.example{path}?soft=1"
    request = OutboundRequest.from_url("DELETE", url, headers=headers, body=body)
    (action,) = one.parse(request)
    assert (action.params, action.params_complete) == (params, complete)
    assert one.param_fields is None
    # Whether a rule looks at params, the connector does not know.
    assert not one.needs_body(request)
