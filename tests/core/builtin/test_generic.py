"""Any HTTP service: actions by method, and by name where the configuration gives one."""

from __future__ import annotations

import pytest

from tameflare_core.action import Access, Action, Category, Risk
from tameflare_core.builtin.generic import Generic
from tameflare_core.canonical import Ambiguity
from tameflare_core.connectors.base import ConnectorSettings
from tameflare_core.connectors.matching import BaseUrl
from tameflare_core.parsers.route_table import Route
from tameflare_core.request import OutboundRequest

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


@pytest.mark.parametrize(
    "path", ["/v2/contacts", "/v2/contacts/7/x", "/V2/contacts/7", "/v3/contacts/7"]
)
def test_other_path_is_named_by_its_method(path: str) -> None:
    assert parsed("DELETE", path).name == "http.delete"


def test_named_actions_start_below_the_base_url() -> None:
    one = connector(hosts=(), base_url=BaseUrl.parse("https://a.example/api"))
    assert parsed("DELETE", "/api/v2/contacts/7", one).name == "crm.contact.delete"
    assert parsed("DELETE", "/v2/contacts/7", one).name == "http.delete"
    assert parsed("GET", "/api", one).name == "http.get"
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
