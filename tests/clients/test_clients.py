"""Client libraries as they are, behind `tf run`: one call allowed, one denied, one held."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.harness import TF, Open
from tests.standin import Received, Reply, Standin, as_json, events

PROGRAMS = Path(__file__).parent / "programs"
REAL_KEY = "the_real_one"

CONFIG = """\
version: 1
gateway: coder
connectors:
  - type: {provider}
    base_url: {base_url}
    credential: file:provider.key
    allow_private_network: true
    ca_file: {ca_file}
permissions:
  - {{connector: {provider}, action: "{provider}.*", access: read, decision: allow}}
  - {{connector: {provider}, action: "{provider}.*", decision: require_approval}}
  - {{connector: {provider}, action: {denied}, decision: deny}}
"""

SITE = "/api/v3/repos/acme/site"


@dataclass(frozen=True, kw_only=True)
class Provider:
    """What a provider's programs ask for, and what they have to get.

    Attributes:
        api: what is behind the stand-in's address in the connector's `base_url`.
        answers: of the stand-in, by method and path; the first is for the call that is allowed, the
            last for the one that is held.
        denied, held: the actions of the two other calls.
    """

    api: str
    answers: Mapping[tuple[str, str], Reply | Callable[[Received], Reply]]
    denied: str
    held: str


PROVIDERS = {
    "github": Provider(
        api="/api/v3",
        answers={
            ("GET", SITE): lambda request: as_json(
                {"name": "site", "url": f"https://{request.header('host')}{SITE}"}
            ),
            ("POST", f"{SITE}/issues"): as_json({"number": 7}, status=201),
        },
        denied="github.repo.delete",
        held="github.issue.create",
    ),
    "openai": Provider(
        api="/v1",
        answers={
            ("GET", "/v1/models"): as_json({"object": "list", "data": []}),
            ("POST", "/v1/chat/completions"): events(
                '{"object":"chat.completion.chunk","id":"1","created":1,"model":"m",'
                '"choices":[{"index":0,"delta":{"content":"hi"}}]}',
                "[DONE]",
            ),
        },
        denied="openai.file.delete",
        held="openai.chat.create",
    ),
    "anthropic": Provider(
        api="",
        answers={
            ("GET", "/v1/models"): as_json({"data": [], "has_more": False}),
            ("POST", "/v1/messages"): as_json(
                {
                    "id": "msg_1",
                    "type": "message",
                    "role": "assistant",
                    "model": "m",
                    "content": [],
                    "stop_reason": "end_turn",
                    "stop_sequence": None,
                    "usage": {"input_tokens": 1, "output_tokens": 1},
                }
            ),
        },
        denied="anthropic.message_batch.delete",
        held="anthropic.message.create",
    ),
    "stripe": Provider(
        api="",
        answers={
            ("GET", "/v1/customers"): as_json(
                {"object": "list", "data": [{"id": "cus_1", "object": "customer"}]}
            ),
            ("POST", "/v1/refunds"): as_json({"id": "re_1", "object": "refund"}),
        },
        denied="stripe.customer.delete",
        held="stripe.refund.create",
    ),
    "slack": Provider(
        api="/api",
        answers={
            ("POST", "/api/conversations.list"): as_json({"ok": True, "channels": []}),
            ("POST", "/api/chat.postMessage"): as_json({"ok": True}),
        },
        denied="slack.channel.archive",
        held="slack.message.send",
    ),
}


def program(name: str) -> list[str]:
    if not name.endswith(".sh"):
        return [sys.executable, str(PROGRAMS / name)]
    shell = shutil.which("sh")
    assert shell is not None
    assert shutil.which("curl"), "curl is needed"
    return [shell, str(PROGRAMS / name)]


def behind_gateway(name: str, standin: Standin, folder: Path) -> Provider:
    """Let `standin` answer for a provider, and configure a gateway for it in `folder`."""
    provider = PROVIDERS[name]
    (folder / "tameflare.yaml").write_text(
        CONFIG.format(
            provider=name,
            base_url=standin.url + provider.api,
            ca_file=standin.ca_file,
            denied=provider.denied,
        )
    )
    key = folder / "provider.key"
    key.touch(mode=0o600)
    key.write_text(REAL_KEY)
    for (method, path), reply in provider.answers.items():
        standin.answer(method, path, reply)
    return provider


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("github", "with_curl.sh"),
        ("github", "with_httpx.py"),
        ("github", "with_requests.py"),
        ("github", "with_urllib3.py"),
        ("github", "with_pygithub.py"),
        ("openai", "with_openai.py"),
        ("anthropic", "with_anthropic.py"),
        ("stripe", "with_stripe.py"),
        ("slack", "with_slack_sdk.py"),
    ],
)
def test_client_is_allowed_denied_and_held(
    name: str, script: str, standin: Standin, folder: Path, screen: Open
) -> None:
    provider = behind_gateway(name, standin, folder)
    address = f"{standin.url}/api/v3" if name == "github" else standin.url
    terminal = screen(*TF, "run", "--", *program(script), address)
    terminal.wait_for("allowed 200\n")
    terminal.wait_for("denied 403\n")
    question = terminal.wait_for("[d]eny?")
    calls = [path for _, path in provider.answers]
    assert provider.held in question
    assert f"POST {standin.url}{calls[-1]}" in question
    assert [one.target.split("?")[0] for one in standin.requests] == calls[:-1]
    terminal.type("a\n")
    terminal.wait_for("held 20")
    assert terminal.exit_status() == 0
    assert [one.target.split("?")[0] for one in standin.requests] == calls
    assert all(one.header("authorization") == f"Bearer {REAL_KEY}" for one in standin.requests)
    assert not any(
        key.lower().startswith(("proxy-", "x-tameflare-")) or "placeholder" in text
        for one in standin.requests
        for key, text in one.headers
    )


def test_denied_hold_reaches_the_client_with_its_note(
    standin: Standin, folder: Path, screen: Open
) -> None:
    behind_gateway("github", standin, folder)
    issues = f"{standin.url}{SITE}/issues"
    curl = ["curl", "--silent", "--json", '{"title":"x"}', issues]
    terminal = screen(*TF, "run", "--", *curl)
    terminal.wait_for("[d]eny?")
    terminal.type("d not today\n")
    assert "not today" in terminal.wait_for('"hint"')
    assert terminal.exit_status() == 0
    assert standin.requests == []
