"""What is fuzzed: a connector that reads a body, and bodies to begin with."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from tameflare_core.connectors.base import Connector, ConnectorSettings
from tameflare_core.connectors.matching import BaseUrl
from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.plugins import load_plugins
from tameflare_core.request import Body, OutboundRequest

__all__ = ["TARGETS", "Target"]

SECONDS = 0.05
"""What reading one body may take."""

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Target:
    """One kind of body, as it reaches one connector."""

    connector: str
    url: str
    content_type: str
    seeds: tuple[bytes, ...]
    base_url: str | None = None

    def reader(self) -> Callable[[bytes], None]:
        """A function that fails when a body gives neither an answer nor a refusal in time."""
        kind = load_plugins(entry_points=False).connectors[self.connector]
        base = None if self.base_url is None else BaseUrl.parse(self.base_url)
        connector = kind(ConnectorSettings(id=self.connector, base_url=base))

        def read(data: bytes) -> None:
            # A machine that does something else for a moment is no slow parser.
            if min(_seconds(connector, self._request(data)) for _ in range(2)) > SECONDS:
                assert _seconds(connector, self._request(data)) < SECONDS, "too slow"

        return read

    def _request(self, data: bytes) -> OutboundRequest:
        headers = [("content-type", self.content_type)]
        return OutboundRequest.from_url("POST", self.url, headers=headers, body=Body.complete(data))


def _seconds(connector: Connector, request: OutboundRequest) -> float:
    started = time.process_time()
    with suppress(OpaqueBody, RequestRejected):
        assert connector.parse(request)
    return time.process_time() - started


def _pkt(line: bytes) -> bytes:
    return b"%04x%s" % (len(line) + 4, line)


_OLD, _NEW, _NONE = b"1" * 40, b"2" * 40, b"0" * 40

TARGETS: dict[str, Target] = {
    "github-json": Target(
        connector="github",
        url="https://api.github.com/repos/o/r/pulls/1",
        content_type=JSON,
        seeds=(b'{"state":"closed"}', b'{"state":"open","title":"x"}', b""),
    ),
    "github-graphql": Target(
        connector="github",
        url="https://api.github.com/graphql",
        content_type=JSON,
        seeds=(
            b'{"query":"{viewer{login}}"}',
            (
                b'{"query":"query Q($o:String!){a:repository(owner:$o,name:\\"r\\"){...F}}'
                b' fragment F on Repository{id}","variables":{"o":"x"},"operationName":"Q"}'
            ),
            b'{"query":"mutation{mergePullRequest(input:{pullRequestId:\\"1\\"}){clientMutationId}}"}',
        ),
    ),
    "github-git-push": Target(
        connector="github",
        url="https://github.com/o/r.git/git-receive-pack",
        content_type="application/x-git-receive-pack-request",
        seeds=(
            _pkt(_OLD + b" " + _NEW + b" refs/heads/main\0 report-status side-band-64k")
            + b"0000PACK",
            _pkt(_OLD + b" " + _NONE + b" refs/heads/old\0 report-status push-options")
            + _pkt(_NONE + b" " + _NEW + b" refs/tags/v1\n")
            + b"0000"
            + _pkt(b"ci.skip\n")
            + b"0000",
        ),
    ),
    "stripe-form": Target(
        connector="stripe",
        url="https://api.stripe.com/v1/payment_intents",
        content_type=FORM,
        seeds=(
            b"amount=100&currency=eur&confirm=true&metadata[a]=b",
            b"line_items[0][price]=p&line_items%5B0%5D%5Bquantity%5D=2&expand[]=customer",
        ),
    ),
    "slack-form": Target(
        connector="slack",
        url="https://slack.com/api/chat.postMessage",
        content_type=FORM,
        seeds=(b"channel=C1&text=hello", b"channel=C1&blocks=%5B%5D&token=x"),
    ),
    "slack-json": Target(
        connector="slack",
        url="https://slack.com/api/chat.postMessage",
        content_type=f"{JSON}; charset=utf-8",
        seeds=(b'{"channel":"C1","text":"x","blocks":[{"type":"divider"}]}',),
    ),
    "openai": Target(
        connector="openai",
        url="https://api.openai.com/v1/chat/completions",
        content_type=JSON,
        seeds=(b'{"model":"m","max_tokens":5,"tools":[{"type":"function"}],"messages":[]}',),
    ),
    "anthropic": Target(
        connector="anthropic",
        url="https://api.anthropic.com/v1/messages",
        content_type=JSON,
        seeds=(b'{"model":"m","max_tokens":5,"messages":[],"mcp_servers":[]}',),
    ),
    "mcp": Target(
        connector="mcp",
        url="https://mcp.example/mcp",
        base_url="https://mcp.example/mcp",
        content_type=JSON,
        seeds=(
            (
                b'{"jsonrpc":"2.0","id":1,"method":"tools/call",'
                b'"params":{"name":"a.B","arguments":{"x":1}}}'
            ),
            (
                b'[{"jsonrpc":"2.0","method":"notifications/initialized"},'
                b'{"jsonrpc":"2.0","id":"a","result":{}}]'
            ),
        ),
    ),
}
"""By name."""
