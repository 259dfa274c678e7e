"""Slack: what each method and URL is called, and what of them is shown and authenticated."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from slack_sdk import WebClient
from slack_sdk.webhook import WebhookClient

from tameflare_core.action import Access, Action, Category, Risk
from tameflare_core.builtin.slack import ACROSS_CHANNELS, Slack
from tameflare_core.connectors.base import ConnectorSettings
from tameflare_core.connectors.matching import BaseUrl
from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.injection.placement import Header
from tameflare_core.parsers.route_table import Route, read_catalogue
from tameflare_core.request import Body, OutboundRequest
from tests.standin import Reply, Standin

CONNECTOR = Slack(ConnectorSettings(id="slack"))
CATALOGUE = read_catalogue(
    files("tameflare_core.builtin").joinpath("catalogs/slack.tsv").read_text("utf-8")
)
METHODS = [row for row in CATALOGUE if row.path.startswith("/api/")]
API = "https://slack.com/api/"
HOOK = "https://hooks.slack.com/services/T1/B1/sEcret"
UPLOAD = "https://files.slack.com/upload/v1/sEcret"
DOWNLOAD = "https://files.slack.com/files-pri/T1-F1/download/a.gif"


def request(
    method: str, url: str, body: bytes | Body = b"", kind: str = "application/json"
) -> OutboundRequest:
    known = body if isinstance(body, Body) else Body.complete(body)
    return OutboundRequest.from_url(method, url, headers=[("Content-Type", kind)], body=known)


def parsed(method: str, url: str, body: bytes | Body = b"") -> Action:
    (action,) = CONNECTOR.parse(request(method, url, body))
    return action


# The catalogue


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("chat.postMessage", "message.send"),
        ("chat.update", "message.update"),
        ("chat.delete", "message.delete"),
        ("chat.postEphemeral", "message.send_ephemeral"),
        ("chat.scheduleMessage", "message.schedule"),
        ("conversations.archive", "channel.archive"),
        ("channels.archive", "channel.archive"),
        ("groups.archive", "channel.archive"),
        ("conversations.history", "message.list"),
        ("im.history", "message.list"),
        ("mpim.replies", "message.list_replies"),
        ("users.list", "user.list"),
        ("files.upload", "file.upload"),
        ("reactions.add", "reaction.add"),
    ],
)
def test_documented_name_stands_for_its_method(method: str, name: str) -> None:
    assert parsed("POST", API + method).name == f"slack.{name}"


@pytest.mark.parametrize("row", METHODS, ids=lambda row: row.path)
def test_method_has_one_name_under_every_verb(row: Route) -> None:
    for verb in ("GET", "HEAD", "POST"):
        action = parsed(verb, f"https://slack.com{row.path}")
        assert (action.name, action.access, action.risk, action.categories) == (
            row.action,
            row.access,
            row.risk,
            row.categories,
        )
    for verb in ("PUT", "PATCH", "DELETE", "OPTIONS"):
        action = parsed(verb, f"https://slack.com{row.path}")
        assert (action.name, action.access) == (f"slack.unmapped.{verb.lower()}", Access.WRITE)


HIGH = {Risk.HIGH, Risk.CRITICAL}
TRIVIAL = {
    f"slack.{name}"
    for name in (
        "channel.close",
        "channel.mark",
        "dnd.end",
        "dnd.end_snooze",
        "dnd.set_snooze",
        "reaction.add",
        "reaction.remove",
        "reminder.complete",
        "star.add",
        "star.remove",
        "user_presence.set",
    )
}


def test_access_and_risk_make_sense() -> None:
    for row in CATALOGUE:
        last = row.path.rpartition(".")[2]
        if re.match(r"(add|archive|delete|kick|remove|revoke|set|update|upload)[A-Z]?", last):
            assert row.access is Access.WRITE, row
        if row.access is Access.READ:
            assert Category.DESTRUCTIVE not in row.categories, row
            assert row.risk is not Risk.CRITICAL, row
        elif row.risk is Risk.LOW:
            assert row.action in TRIVIAL, row
        if re.search(r"\.delete|bulkDelete|bulkArchive|uninstall", row.path):
            assert row.categories & {Category.DESTRUCTIVE, Category.IDENTITY}, row
        if row.path.startswith("/api/admin.") and Category.IDENTITY in row.categories:
            assert row.access is Access.READ or row.risk in HIGH, row
        if re.search(r"oauth|token|auth\.external|rtm|connections\.open", row.path):
            assert Category.SECRETS in row.categories, row
            assert row.risk is Risk.HIGH, row


# Spellings of a method


@pytest.mark.parametrize(
    "path",
    [
        "API/chat.delete",
        "api/Chat.delete",
        "api/chat.Delete",
        "api/chat.postmessage",
        "api/chat.delete;x",
        "api/chat.delete%20",
        "api/chat.delete%3Fx",
        "api/chat.delete.json",
        "api/chat.delete.",
    ],
)
@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_decorated_method_is_rejected(verb: str, path: str) -> None:
    with pytest.raises(RequestRejected, match="in case or decoration only"):
        parsed(verb, f"https://slack.com/{path}")


def test_encoded_letter_and_slash_at_the_end_change_nothing() -> None:
    assert parsed("GET", f"{API}ch%61t.delete/").name == "slack.message.delete"


@pytest.mark.parametrize("url", [f"{API}chat.new", "https://slack.com/", "https://slack.com/apix"])
def test_other_path_is_an_unmapped_write(url: str) -> None:
    action = parsed("GET", url)
    assert (action.name, action.access, action.risk) == (
        "slack.unmapped.get",
        Access.WRITE,
        Risk.HIGH,
    )
    assert not action.resource_complete


def test_token_of_an_unknown_method_is_rejected() -> None:
    with pytest.raises(RequestRejected, match="send no token"):
        parsed("POST", f"{API}chat.new", b'{"token": "x"}')


@pytest.mark.parametrize("verb", ["GET", "POST", "PUT"])
def test_body_of_a_method_is_asked_for(verb: str) -> None:
    for name in ("chat.postMessage", "chat.new"):
        assert CONNECTOR.needs_body(request(verb, API + name, Body.unread()))
    assert not CONNECTOR.needs_body(request(verb, HOOK, Body.unread()))
    assert not CONNECTOR.takes_method_from_body(request(verb, UPLOAD, Body.unread()))


@pytest.mark.parametrize("body", [Body.unread(), Body.oversize()])
def test_method_with_an_unread_body_is_opaque(body: Body) -> None:
    with pytest.raises(OpaqueBody):
        parsed("POST", f"{API}chat.postMessage", body)


# What is said about the channel


def test_channel_is_told() -> None:
    action = parsed("POST", f"{API}chat.postMessage", b'{"channel": "C0123"}')
    assert (action.resource, action.resource_complete) == ({"channel": "C0123"}, True)


@pytest.mark.parametrize(
    "method", ["search.messages", "search.all", "files.list", "files.info", "rtm.connect"]
)
def test_what_reaches_into_channels_may_concern_any(method: str) -> None:
    assert not parsed("GET", API + method).resource_complete
    assert parsed("GET", f"{API}files.list?channel=C1").resource_complete


def test_actions_that_reach_into_channels_exist() -> None:
    assert CONNECTOR.known_actions >= ACROSS_CHANNELS


def test_json_counts_only_where_it_is_read() -> None:
    body = b'{"channel": "C1"}'
    assert not parsed("POST", f"{API}files.list", body).resource
    assert not parsed("POST", f"{API}conversations.history", body).resource_complete
    assert parsed("POST", f"{API}bookmarks.list", b'{"channel_id": "C1"}').resource


def test_fields_are_those_that_requests_give() -> None:
    assert CONNECTOR.resource_fields == {
        "app",
        "channel",
        "file",
        "team",
        "trigger",
        "request",
        "user",
        "usergroup",
        "webhook",
        "workflow",
    }


# Files, webhooks and response URLs


@pytest.mark.parametrize(
    ("method", "url", "name", "resource", "shown"),
    [
        ("POST", HOOK, "webhook.post", {"team": "T1", "webhook": "B1"}, "/services/T1/B1/…"),
        ("POST", f"{HOOK}/", "webhook.post", {"team": "T1", "webhook": "B1"}, "/services/T1/B1/…"),
        ("GET", HOOK, "unmapped.get", {}, "/services/T1/B1/…"),
        ("POST", f"{HOOK}/x", "unmapped.post", {}, "/…"),
        (
            "POST",
            "https://hooks.slack.com/workflows/T1/A1/12/sEcret",
            "workflow_webhook.trigger",
            {"team": "T1", "workflow": "A1", "trigger": "12"},
            "/workflows/T1/A1/12/…",
        ),
        (
            "POST",
            "https://hooks.slack.com/triggers/T1/12/sEcret",
            "workflow_webhook.trigger",
            {"team": "T1", "trigger": "12"},
            "/triggers/T1/12/…",
        ),
        (
            "POST",
            "https://hooks.slack.com/commands/T1/12/sEcret",
            "message.respond",
            {"team": "T1", "request": "12"},
            "/commands/T1/12/…",
        ),
        (
            "POST",
            "https://hooks.slack.com/commands/T1/sEcret",
            "message.respond",
            {"team": "T1"},
            "/commands/T1/…",
        ),
        (
            "POST",
            "https://hooks.slack.com/actions/T1/12/sEcret",
            "message.respond",
            {"team": "T1", "request": "12"},
            "/actions/T1/12/…",
        ),
        ("POST", UPLOAD, "file.upload_content", {}, "/upload/v1/…"),
        ("POST", f"{UPLOAD}/x", "unmapped.post", {}, "/…"),
        (
            "GET",
            DOWNLOAD,
            "file.download",
            {"team": "T1", "file": "F1"},
            "/files-pri/T1-F1/download/a.gif",
        ),
        (
            "HEAD",
            "https://files.slack.com/files-tmb/T1-F1-a1b2/a_360.png",
            "file.download",
            {"team": "T1", "file": "F1"},
            "/files-tmb/T1-F1-a1b2/a_360.png",
        ),
        ("GET", "https://files.slack.com/files-pri/x/a", "file.download", {}, "/files-pri/x/a"),
        ("POST", DOWNLOAD, "unmapped.post", {}, "/files-pri/T1-F1/download/a.gif"),
    ],
)
def test_url_of_its_own_is_named_without_its_secret(
    method: str, url: str, name: str, resource: dict[str, str], shown: str
) -> None:
    asked = request(method, url, Body.oversize())
    (action,) = CONNECTOR.parse(asked)
    assert (action.name, dict(action.resource)) == (f"slack.{name}", resource)
    assert not action.resource_complete
    assert CONNECTOR.shown_path(asked) == shown


@pytest.mark.parametrize("path", ["SERVICES/T1/B1/sEcret", "other/sEcret", "sEcret"])
def test_nothing_is_shown_of_an_unknown_hook(path: str) -> None:
    assert CONNECTOR.shown_path(request("POST", f"https://hooks.slack.com/{path}")) == "/…"


@pytest.mark.parametrize(
    ("url", "goes"),
    [
        (f"{API}auth.test", True),
        (DOWNLOAD, True),
        (UPLOAD, False),
        (HOOK, False),
        ("https://hooks.slack.com/api/auth.test", False),
    ],
)
def test_credential_goes_where_it_is_needed(url: str, goes: bool) -> None:
    slot = Header()
    assert CONNECTOR.placement_for(request("GET", url), slot) is (slot if goes else None)


# Servers of one's own


@pytest.mark.parametrize(
    "base", ["https://slack.example/", "https://slack.example/api", "https://slack.example/api/"]
)
def test_base_url_may_end_in_api(base: str) -> None:
    connector = Slack(ConnectorSettings(id="s", base_url=BaseUrl.parse(base)))
    assert [str(origin) for origin in connector.origins] == ["https://slack.example:443"]
    (action,) = connector.parse(request("POST", "https://slack.example/api/chat.delete"))
    assert action.name == "slack.message.delete"


def test_prefix_of_a_server_is_kept_in_what_is_shown() -> None:
    base = BaseUrl.parse("https://stand.example/slack/api/")
    connector = Slack(ConnectorSettings(id="s", base_url=base))
    asked = request("POST", "https://stand.example/slack/services/T1/B1/sEcret")
    assert connector.shown_path(asked) == "/slack/services/T1/B1/…"
    (action,) = connector.parse(request("GET", "https://stand.example/other/api/auth.test"))
    assert action.name == "slack.unmapped.get"


# The real client


METHODS_CALLED = (
    "admin.conversations.bulkArchive",
    "auth.test",
    "chat.postMessage",
    "conversations.history",
    "conversations.invite",
    "files.completeUploadExternal",
    "files.getUploadURLExternal",
    "users.setPhoto",
)


@pytest.fixture
def standin() -> Iterator[Standin]:
    with Standin(context=None, ca_file=Path()) as server:
        uploaded = {"file_id": "F1", "files": [{}], "upload_url": f"{server.url}/upload/v1/sEcret"}
        answer = json.dumps({"ok": True, **uploaded}).encode()
        for method in METHODS_CALLED:
            reply = Reply(headers=[("Content-Type", "application/json")], body=answer)
            server.answer("POST", f"/api/{method}", reply)
        yield server


def sent(standin: Standin) -> list[OutboundRequest]:
    """What the client sent, as it would have been sent to Slack."""
    return [
        OutboundRequest.from_url(
            got.method,
            f"https://slack.com{got.target}",
            headers=[(name, value) for name, value in got.headers if name.lower() != "host"],
            body=Body.complete(got.body),
        )
        for got in standin.requests
    ]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            lambda client: client.chat_postMessage(channel="C1", text="hi"),
            [("message.send", {"channel": "C1"})],
        ),
        (
            lambda client: client.api_call("chat.postMessage", data={"channel": "C1"}),
            [("message.send", {"channel": "C1"})],
        ),
        (
            lambda client: client.conversations_history(channel="C1", limit=3),
            [("message.list", {"channel": "C1"})],
        ),
        (
            lambda client: client.conversations_invite(channel="C1", users=["U1", "U2"]),
            [
                ("channel.invite", {"channel": "C1", "user": "U1"}),
                ("channel.invite", {"channel": "C1", "user": "U2"}),
            ],
        ),
        (lambda client: client.auth_test(), [("auth.test", {})]),
        (
            lambda client: client.files_upload_v2(channel="C1", content="x", filename="a"),
            [
                ("file.get_upload_url", {}),
                ("file.upload_content", {}),
                ("file.complete_upload", {"channel": "C1"}),
            ],
        ),
        (
            lambda client: client.admin_conversations_bulkArchive(channel_ids=["C1"]),
            [("admin_channel.archive_bulk", {"channel": "C1"})],
        ),
    ],
)
def test_calls_of_the_sdk_are_named(
    standin: Standin,
    call: Callable[[WebClient], object],
    expected: list[tuple[str, dict[str, str]]],
) -> None:
    call(WebClient(token="xoxb-placeholder", base_url=f"{standin.url}/api/"))
    actions = [action for asked in sent(standin) for action in CONNECTOR.parse(asked)]
    assert [(action.name, dict(action.resource)) for action in actions] == [
        (f"slack.{name}", resource) for name, resource in expected
    ]


def test_webhook_of_the_sdk_is_named(standin: Standin) -> None:
    WebhookClient(f"{standin.url}/services/T1/B1/sEcret").send(text="hi")
    (action,) = CONNECTOR.parse(sent(standin)[0])
    assert action.name == "slack.webhook.post"
    assert "sEcret" not in str(action)


def test_upload_in_parts_is_opaque(standin: Standin) -> None:
    client = WebClient(token="xoxb-placeholder", base_url=f"{standin.url}/api/")
    client.users_setPhoto(image=io.BytesIO(b"x"))
    with pytest.raises(OpaqueBody):
        CONNECTOR.parse(sent(standin)[0])


@pytest.mark.parametrize(
    ("method", "url", "body", "complete"),
    [
        ("POST", f"{API}chat.postMessage", b'{"channel": "C1", "text": "x"}', True),
        ("GET", f"{API}conversations.history?channel=C1", b"", True),
        # Whether Slack reads JSON there is not known.
        ("POST", f"{API}conversations.history", b'{"channel": "C1"}', False),
        ("POST", f"{API}chat.unheardOf", b'{"text": "x"}', False),
        ("POST", HOOK, b'{"text": "x"}', False),
        ("POST", UPLOAD, b"x", False),
        ("GET", DOWNLOAD, b"", True),
    ],
)
def test_params_are_all_told_only_where_they_are(
    method: str, url: str, body: bytes, complete: bool
) -> None:
    assert parsed(method, url, body).params_complete is complete
