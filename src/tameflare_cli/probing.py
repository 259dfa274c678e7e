"""One harmless request with a connector's credential, through the judge and the injector."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

import httpx

from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.rendering import one_line
from tameflare_core.approvals import Approvals, NobodyToAsk
from tameflare_core.decision import Decision
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.enforcement_level import EnforcementLevel
from tameflare_core.frontend import Credentials, Recorder, Services
from tameflare_core.gateway import BoundConnector, Gateway
from tameflare_core.kill_switch_file import KillSwitchFile
from tameflare_core.patterns import ActionPattern
from tameflare_core.permission import Permission
from tameflare_core.request import OutboundRequest
from tameflare_core.transports.httpx import EnforcingTransport
from tameflare_core.vault.references import CredentialSource

__all__ = ["Probe", "send_probe"]

_SECONDS = 20.0
_MAX_ANSWER = 64 * 1024
_REFUSED = frozenset({401, 403})


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a service said to a request with its credential.

    Attributes:
        connector: the connector's id.
        request: `METHOD URL`.
        status: of the service's answer.
        works: whether it took the credential; None when the answer does not tell.
    """

    connector: str
    request: str
    status: int
    works: bool | None


def send_probe(
    gateway: Gateway, name: str, *, sources: Mapping[str, CredentialSource], recorder: Recorder
) -> Probe:
    """Ask a connector's service for what its type names as harmless.

    The request is judged by a gateway that has this connector alone, and allows this action alone.

    Args:
        gateway: the gateway that has the connector.
        name: the connector's id.
        sources: credential sources, by scheme.
        recorder: keeps the traffic record of it.

    Raises:
        CommandFailed: there is no such connector, nothing to test it with, or its service or its
            credential cannot be had.
        RequestRejected: the connector's own request cannot be read in one way.
    """
    bound = _connector(gateway, name)
    request = _request(bound)
    point = DecisionPoint(_allowing(gateway, bound, request), KillSwitchFile.of_user().current())
    services = Services(
        approvals=Approvals(NobodyToAsk()),
        recorder=recorder,
        credentials=Credentials(sources, gateway.folder),
    )
    transport = EnforcingTransport(lambda: point, services)
    with (
        httpx.Client(transport=transport, timeout=_SECONDS) as client,
        client.stream(request.method, request.url, headers=bound.connector.probe_headers) as answer,
    ):
        body = _start_of(answer)
    if "x-tameflare-request-id" in answer.headers:
        raise _not_sent(body)
    return Probe(
        connector=name,
        request=f"{request.method} {request.url}",
        status=answer.status_code,
        works=_works(answer.status_code, body),
    )


def _connector(gateway: Gateway, name: str) -> BoundConnector:
    bound = next((bound for bound in gateway.connectors if bound.id == name), None)
    if bound is None:
        known = ", ".join(bound.id for bound in gateway.connectors) or "none"
        raise CommandFailed(ExitCode.USAGE, f"no connector `{name}`", f"there are: {known}")
    if bound.credential is None:
        raise CommandFailed(
            ExitCode.USAGE,
            f"connector `{name}` has no credential to test",
            "`credential` in the configuration says where one is kept",
        )
    return bound


def _request(bound: BoundConnector) -> OutboundRequest:
    connector = bound.connector
    if connector.probe is None:
        raise CommandFailed(
            ExitCode.USAGE,
            f"a connector of type `{connector.type}` names no harmless request to test with",
        )
    method, path = connector.probe.split(" ", 1)
    base = connector.settings.base_url
    prefix = "" if base is None else base.prefix
    # Clients of some services take `https://HOST` and `https://HOST/v1` alike.
    start = "/" + path.split("/")[1]
    if prefix.endswith(start) and path.startswith(f"{start}/"):
        path = path.removeprefix(start)
    return OutboundRequest.from_url(method, f"{connector.origins[0]}{prefix}{path}")


def _allowing(gateway: Gateway, bound: BoundConnector, request: OutboundRequest) -> Gateway:
    permissions = tuple(
        Permission(
            id="probe",
            connector=bound.id,
            action=ActionPattern(action.name),
            decision=Decision.ALLOW,
        )
        for action in bound.connector.parse(request)
    )
    return replace(
        gateway,
        connectors=(bound,),
        permissions=permissions,
        policies=(),
        blocked_categories={},
        enforcement=EnforcementLevel.ENFORCE,
    )


def _start_of(answer: httpx.Response) -> bytes:
    data = b""
    for part in answer.iter_bytes():
        data += part
        if len(data) > _MAX_ANSWER:
            break
    return data


def _works(status: int, body: bytes) -> bool | None:
    if status in _REFUSED:
        return False
    if not 200 <= status < 300:
        return None
    # Slack says in the body of a 200 that a token is none.
    document = _object(body)
    return document.get("ok") is not False


def _not_sent(body: bytes) -> CommandFailed:
    problem = _object(body)
    kind = str(problem.get("type")).rpartition("/")[2]
    code = {"upstream": ExitCode.UNREACHABLE, "credential": ExitCode.BAD_CONFIG}
    return CommandFailed(code.get(kind, ExitCode.REFUSED), one_line(str(problem.get("detail"))))


def _object(body: bytes) -> dict[str, object]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
