from __future__ import annotations

from pathlib import Path

import pytest

from tameflare_core.gateway import Gateway
from tameflare_core.plugins import load_plugins
from tameflare_dashboard.documents import Additions, check
from tameflare_dashboard.pages.questions import NotAsked, read_question
from tameflare_dashboard.settings import Settings
from tests.dashboard.conftest import document

URL = "https://api.github.com/repos/o/r"


@pytest.fixture(scope="module")
def gateway() -> Gateway:
    settings = Settings(database_url="sqlite:///x", folder=Path())
    return check(document(), Additions(), load_plugins(), settings).gateway


@pytest.mark.parametrize(
    ("text", "method", "url", "body"),
    [
        (f"curl {URL}", "GET", URL, None),
        (f"$ curl -X DELETE '{URL}'", "DELETE", URL, None),
        (f"curl -XPUT -H 'Accept: a/b' {URL} \\\n -d '{{}}'", "PUT", URL, b"{}"),
        (f"curl {URL} -d a=1 -d b=2", "POST", URL, b"a=1&b=2"),
        (f"curl -G {URL} -d a=1", "GET", f"{URL}?a=1", None),
        (f"curl -sSL --compressed {URL} --json '{{}}'", "POST", URL, b"{}"),
        (f"curl -I {URL}", "HEAD", URL, None),
        (f"PATCH {URL}", "PATCH", URL, None),
        (URL, "GET", URL, None),
        ("github.pr.merge", "PUT", f"{URL[:28]}/owner/repo/pulls/1/merge", None),
    ],
)
def test_question_is_read(
    gateway: Gateway, text: str, method: str, url: str, body: bytes | None
) -> None:
    asked = read_question(text, gateway)
    assert (asked.method, asked.body) == (method, body)
    assert asked.url == url or text == "github.pr.merge"


def test_header_and_form_are_as_curl_sends_them(gateway: Gateway) -> None:
    asked = read_question(f"curl -H 'X-Some: thing' {URL} -d a=1", gateway)
    assert asked.headers == (
        ("x-some", "thing"),
        ("content-type", "application/x-www-form-urlencoded"),
    )
    assert read_question(f"curl {URL} --json 1", gateway).headers[-1][1] == "application/json"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("please merge", "write an action"),
        ("stripe.refund.create", "write an action"),
        ("curl 'unclosed", "no closing quotation"),
        ("curl -d", "expected one argument"),
        ("curl example.com", "no URL"),
        (f"curl {URL} -d @secret.json", "paste it"),
    ],
)
def test_what_asks_nothing_says_what_would_help(gateway: Gateway, text: str, why: str) -> None:
    with pytest.raises(NotAsked, match=why):
        read_question(text, gateway)
