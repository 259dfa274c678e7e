"""Webhooks: the URLs that may be called, and that no other path of their hosts may be."""

from __future__ import annotations

from pathlib import Path
from string import printable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tameflare_core.action import Access, Category, Risk
from tameflare_core.builtin.webhook import Webhook
from tameflare_core.canonical import Ambiguity
from tameflare_core.connectors.base import ConnectorSettings
from tameflare_core.connectors.matching import BaseUrl
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.errors import RequestRejected
from tameflare_core.parsers.route_table import Route
from tameflare_core.request import Body, OutboundRequest
from tameflare_core.testing import gateway_from

CHAT = "https://hooks.example.com/services/*/*/*"
DEPLOY = "https://ci.example.com/hooks/deploy?token=*&ref=main"
SLASH = "https://ci.example.com:8443/done/"
SECRET = "https://hooks.example.com/services/T0/B0/s3cr3t"


def connector(**options: object) -> Webhook:
    values = {"urls": [CHAT, DEPLOY, SLASH]} | options
    return Webhook(ConnectorSettings(id="hooks", options=values))


def request(url: str, method: str = "POST") -> OutboundRequest:
    return OutboundRequest.from_url(method, url)


def name(url: str, method: str = "POST", one: Webhook | None = None) -> str:
    (action,) = (one or connector()).parse(request(url, method))
    return action.name


def test_call_names_the_pattern_and_not_the_secret() -> None:
    (action,) = connector().parse(request(SECRET))
    assert action.name == "webhook.post"
    assert (action.access, action.risk) == (Access.WRITE, Risk.MEDIUM)
    assert action.categories == {Category.MESSAGING}
    assert action.resource == {"host": "hooks.example.com", "url": CHAT}
    assert action.resource_complete


@pytest.mark.parametrize(
    "url",
    [
        SECRET,
        "https://HOOKS.example.com:443/services/T0/B0/a-b_c.d~e+f=:@",
        "https://ci.example.com/hooks/deploy?token=abc&ref=main",
        "https://ci.example.com/hooks/deploy?ref=main&token=a%2Fb",
        "https://ci.example.com:8443/done/",
    ],
)
def test_url_of_a_webhook_may_be_called(url: str) -> None:
    assert name(url) == "webhook.post"


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/",
        "https://hooks.example.com/services/T0/B0",
        "https://hooks.example.com/services/T0/B0/s/x",
        "https://hooks.example.com/services/T0/B0/s/",
        "https://hooks.example.com/Services/T0/B0/s",
        "https://hooks.example.com/services/T0/B0/s;x=1",
        "https://hooks.example.com/services/T0/B0/s%3Bx",
        "https://hooks.example.com/services/T0/B0/s%3Fx",
        "https://hooks.example.com/services/T0/B0/s%23",
        "https://hooks.example.com/services/T0/B0/%252e%252e",
        "https://hooks.example.com/services/T0/B0/%252Fadmin",
        "https://hooks.example.com/services/T0/B0/s%20",
        "https://hooks.example.com/services/T0/B0/s?x=1",
        "https://hooks.example.com:8443/services/T0/B0/s",
        "https://ci.example.com/hooks/deploy",
        "https://ci.example.com/hooks/deploy?token=abc",
        "https://ci.example.com/hooks/deploy?token=&ref=main",
        "https://ci.example.com/hooks/deploy?token=abc&ref=main&token=def",
        "https://ci.example.com/hooks/deploy?token=abc&ref=main&ref=main",
        "https://ci.example.com/hooks/deploy?token=abc&ref=prod",
        "https://ci.example.com/hooks/deploy?token=abc&ref=main&x",
        "https://ci.example.com/hooks/deploy?TOKEN=abc&ref=main",
        "https://ci.example.com:8443/done",
    ],
)
def test_everything_else_there_is_unmapped(url: str) -> None:
    one = connector()
    (action,) = one.parse(request(url))
    assert (action.name, action.risk) == ("webhook.unmapped.post", Risk.HIGH)
    assert not action.resource_complete
    assert one.shown_path(request(url)) == "/…"


@pytest.mark.parametrize(
    "path", ["/services/T0/B0/..", "/services/T0/B0/%2e%2e", "/services/a\\b/c/d"]
)
def test_path_with_two_readings_is_refused(path: str) -> None:
    with pytest.raises(RequestRejected):
        request(f"https://hooks.example.com{path}")


@pytest.mark.parametrize("path", ["/services/T0//s", "/services/T0/B0/a%2Fb"])
def test_ambiguous_path_is_not_tolerated(path: str) -> None:
    ambiguities = request(f"https://hooks.example.com{path}").ambiguities
    assert ambiguities
    assert not ambiguities <= Webhook.tolerates
    assert Webhook.tolerates == {Ambiguity.TRAILING_SLASH}


@given(st.text(alphabet=printable, max_size=12))
@example("0?&")
def test_no_secret_reaches_another_path(text: str) -> None:
    try:
        sent = request(f"https://hooks.example.com/services/T0/B0/{text}")
    except RequestRejected:
        return
    if sent.ambiguities <= Webhook.tolerates and name(sent.url) == "webhook.post":
        assert sent.path.startswith("/services/T0/B0/")
        assert sent.path.count("/") == 4
        assert "%" not in sent.path
        assert not sent.query


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_other_method_is_unmapped(method: str) -> None:
    verb = "get" if method == "HEAD" else method.lower()
    assert name(SECRET, method) == f"webhook.unmapped.{verb}"
    (action,) = connector().parse(request(SECRET, method))
    assert action.access is Access.WRITE


def test_methods_are_those_of_the_configuration() -> None:
    one = connector(methods=["GET", "PUT"])
    assert name(SECRET, "PUT", one) == "webhook.put"
    assert name(SECRET, "HEAD", one) == "webhook.get"
    assert name(SECRET, "POST", one) == "webhook.unmapped.post"
    assert one.known_actions == {"webhook.get", "webhook.put"}


def test_secret_is_never_shown() -> None:
    one = connector()
    assert one.shown_path(request(SECRET)) == "/services/*/*/*"
    assert one.shown_path(request(SECRET, "GET")) == "/services/*/*/*"
    assert "s3cr3t" not in one.shown_path(request(SECRET + "/"))
    deploy = "https://ci.example.com/hooks/deploy?ref=main&token="
    assert one.shown_path(request(f"{deploy}s3cr3t")) == "/hooks/deploy?token=*&ref=main"
    assert one.shown_path(request(f"{deploy}s3cr3t&x")) == "/…"
    assert "s3cr3t" not in repr(one.parse(request(SECRET + "/x")))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (SECRET, CHAT),
        (f"{SECRET}?s3cr3t", "https://hooks.example.com/…?…"),
        ("https://ci.example.com/hooks/deploy?ref=main&token=s3cr3t", DEPLOY),
        ("https://ci.example.com/hooks/deploy?token=s3cr3t", "https://ci.example.com/…?…"),
        ("https://ci.example.com:8443/done/", SLASH),
    ],
)
def test_decision_point_shows_the_pattern(url: str, shown: str) -> None:
    gateway = gateway_from(f"""
        version: 1
        gateway: g
        connectors: [{{type: webhook, urls: ["{CHAT}", "{DEPLOY}", "{SLASH}"]}}]
    """)
    assert DecisionPoint(gateway).shown_url(request(url)) == shown


@pytest.mark.parametrize("turned", [False, True])
def test_pattern_that_says_most_is_named(turned: bool) -> None:
    urls = ["https://a.example/h/*", "https://a.example/h/deploy"]
    one = connector(urls=urls[::-1] if turned else urls)
    (action,) = one.parse(request("https://a.example/h/deploy"))
    assert action.resource["url"] == "https://a.example/h/deploy"


def test_hosts_of_the_urls_are_owned() -> None:
    assert [str(origin) for origin in connector().origins] == [
        "https://hooks.example.com:443",
        "https://ci.example.com:443",
        "https://ci.example.com:8443",
    ]


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("hooks.example.com/x", "not the URL of a webhook: not an absolute http or https URL"),
        ("http://a.example/x", "the URL of a webhook starts with `https://`"),
        ("https://*.example/x", "not the URL of a webhook: `*.example` is not a host name"),
        ("https://u:p@a.example/x", "not the URL of a webhook: user info in the address"),
        ("https://a.example/x#y", "not the URL of a webhook: fragment in request target"),
        ("https://a.example/../x", "not the URL of a webhook: dot segment in path"),
        ("https://a.example//x", "the path of a webhook has no empty segments"),
        ("https://a.example/a%2Fb", "the path of a webhook has no empty segments"),
        ("https://a.example/a*", "`*` stands for a whole segment of the path, or a whole value"),
        ("https://a.example/**", "`*` stands for a whole segment of the path, or a whole value"),
        ("https://a.example/x?k=a*", "`*` stands for a whole segment of the path, or a whole"),
        ("https://a.example/x?k=*&k=*", "the query of a webhook has each key once"),
        ("https://a.example/XyZ0123456789abcdefgh", "it may hold a secret: write `*`"),
        ("https://a.example/x?k=XyZ0123456789abcdefgh", "it may hold a secret: write `*`"),
    ],
)
def test_url_that_is_no_pattern_is_refused(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"^`urls\[1\]`: ") as refused:
        connector(urls=[CHAT, url])
    assert problem in str(refused.value)
    assert "XyZ0123456789" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"urls": []}, "a webhook connector needs `urls`"),
        ({"urls": CHAT}, "`urls` is a list of texts"),
        ({"urls": [1]}, "`urls` is a list of texts"),
        ({"methods": []}, "`methods` are some of DELETE, GET, PATCH, POST, PUT"),
        ({"methods": ["post"]}, "`methods` are some of"),
        ({"methods": ["TRACE"]}, "`methods` are some of"),
        ({"methods": "POST"}, "`methods` is a list of texts"),
    ],
)
def test_wrong_option_is_refused(options: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=r"`(urls|methods)`") as refused:
        connector(**options)
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hosts", ("a.example",)),
        ("base_url", BaseUrl.parse("https://a.example")),
        (
            "actions",
            (Route(method="GET", path="/", action="a.b", access=Access.READ, risk=Risk.LOW),),
        ),
    ],
)
def test_key_of_other_connectors_is_refused(key: str, value: object) -> None:
    settings = ConnectorSettings(
        id="hooks",
        options={"urls": [CHAT]},
        folder=Path(),
        **{key: value},  # type: ignore[arg-type]
    )
    with pytest.raises(ValueError, match=f"^`{key}` is not for a webhook"):
        Webhook(settings)


def test_resource_fields_are_host_and_url() -> None:
    assert connector().resource_fields == {"host", "url"}
    assert not Webhook.takes_credential


@pytest.mark.parametrize("value", ["x;ref=prod", "x;", "%FF;x"])
def test_value_that_older_servers_split_is_no_webhook(value: str) -> None:
    url = f"https://ci.example.com/hooks/deploy?token={value}&ref=main"
    assert name(url) == "webhook.unmapped.post"


def test_query_that_is_not_utf8_is_compared_as_it_is() -> None:
    assert name("https://ci.example.com/hooks/deploy?token=%FF&ref=main") == "webhook.post"
    assert name("https://ci.example.com/hooks/deploy?token=x&ref=%FF") == "webhook.unmapped.post"


@pytest.mark.parametrize(
    ("body", "complete"),
    [(Body.absent(), True), (Body.unread(), False), (Body.complete(b'{"text": "x"}'), False)],
)
def test_what_is_posted_is_not_told(body: Body, complete: bool) -> None:
    one = connector()
    (action,) = one.parse(OutboundRequest.from_url("POST", SECRET, body=body))
    assert (action.params, action.params_complete) == ({}, complete)
    assert one.param_fields == frozenset()
