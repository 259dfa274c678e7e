"""What a gateway would do with a request, as data: the lines of `tf explain --batch`.

The request goes through the same steps as in a gateway: made canonical, rid of what is meant for
the gateway itself, its body read only where the connector asks for it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from tameflare_core.body import MAX_INSPECTED
from tameflare_core.changes import Change, changes
from tameflare_core.considered import ActionConsidered, consider
from tameflare_core.decision import Decision, Verdict
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.injection.forwarding import forwardable
from tameflare_core.parsers.strict_json import Json, parse_json
from tameflare_core.request import Body, OutboundRequest

__all__ = ["Asked", "Explanation", "explain", "read_line"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as somebody wrote it down.

    Attributes:
        method, url: as they would be sent.
        headers: as the gateway would receive them.
        body: its bytes as sent; None when there is none.
        id: what the question is called; it comes back with the answer.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    id: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What would become of a request.

    Attributes:
        id: of the question.
        error: why the request is rejected; None when it can be judged.
        request: in its canonical form; None when it has none.
        url: its URL as it may be shown, without a secret that is part of its path.
        connector: the id of the connector that owns the destination.
        verdict: None when the request is rejected.
        considered: every rule that was considered; only where an account is asked for.
        changes: what would change the verdict; the same.
    """

    id: Json = None
    error: str | None = None
    request: OutboundRequest | None = None
    url: str | None = None
    connector: str | None = None
    verdict: Verdict | None = field(default=None)
    considered: tuple[ActionConsidered, ...] = ()
    changes: tuple[Change, ...] = ()

    def document(self) -> dict[str, Json]:
        """The answer as a JSON object, its keys in the documented order."""
        verdict = self.verdict
        return {
            "id": self.id,
            "status": "ok" if self.error is None else "rejected",
            "error": self.error,
            "canonical_url": self.url,
            "connector": self.connector,
            "actions": [
                {
                    "name": action.name,
                    "access": action.access.value,
                    "risk": action.risk.value,
                    "categories": [*sorted(category.value for category in action.categories)],
                    "resource": dict(action.resource),
                    "params": {key: _plain(value) for key, value in action.params.items()},
                }
                for action in (verdict.actions if verdict else ())
            ],
            "decision": (verdict.decision if verdict else Decision.DENY).value,
            "rule": {**verdict.rule.document()} if verdict else None,
            "reason": verdict.reason if verdict else None,
        }

    def account(self) -> dict[str, object]:
        """The answer with everything that was considered."""
        return {
            **self.document(),
            "applied": self.verdict.applied.value if self.verdict else Decision.DENY.value,
            "considered": [each.document() for each in self.considered],
            "changes": [change.document() for change in self.changes],
        }


def explain(
    point: DecisionPoint, asked: Asked, now: datetime, *, account: bool = False
) -> Explanation:
    """Judge what was asked about; nothing that goes wrong is raised.

    Args:
        point: the gateway's decision point.
        asked: the request.
        now: the time that rules refer to.
        account: whether to say as well what was considered, and what would change the verdict.
    """
    request: OutboundRequest | None = None
    url: str | None = None
    connector: str | None = None
    try:
        request = forwardable(
            OutboundRequest.from_url(
                asked.method,
                asked.url,
                headers=asked.headers,
                body=Body.unread() if asked.body else Body.absent(),
            )
        )
        url = point.shown_url(request)
        owner = point.connector_for(request.scheme, request.host, request.port)
        connector = None if owner is None else owner.id
        if asked.body and point.needs_body(request):
            request = request.with_body(Body.inspected(asked.body, MAX_INSPECTED))
        verdict = point.decide(request, now)
    except RequestRejected as error:
        return Explanation(
            id=asked.id, error=str(error), request=request, url=url, connector=connector
        )
    except Exception as error:  # noqa: BLE001  # a gateway refuses whatever it cannot judge
        message = f"the request could not be judged: {type(error).__name__}"
        return Explanation(
            id=asked.id, error=message, request=request, url=url, connector=connector
        )
    return Explanation(
        id=asked.id,
        request=request,
        url=url,
        connector=connector,
        verdict=verdict,
        considered=consider(point, request, verdict, now) if account else (),
        changes=changes(point, request, verdict, now) if account else (),
    )


def read_line(line: bytes, number: int) -> Asked | Explanation:
    """Read one line of a batch: what it asks, or the rejection of a line that asks nothing.

    Args:
        line: one JSON object with `method` and `url`, and perhaps `id`, `headers` and `body` or
            `body_base64`; other keys are left alone.
        number: which line it is, from 1, for the error.
    """
    try:
        document = parse_json(line)
    except OpaqueBody:
        return Explanation(error=f"line {number}: not JSON that can be read in one way")
    if not isinstance(document, dict):
        return Explanation(error=f"line {number}: not a JSON object")
    ident = document.get("id")
    try:
        return Asked(
            id=ident,
            method=_text(document, "method"),
            url=_text(document, "url"),
            headers=tuple(_headers(document.get("headers"))),
            body=_body(document),
        )
    except ValueError as error:
        return Explanation(id=ident, error=f"line {number}: {error}")


def _text(document: dict[str, Json], key: str) -> str:
    match document.get(key):
        case str(value):
            return value
        case None:
            raise ValueError(f"`{key}` is missing")
        case _:
            raise ValueError(f"`{key}` is not a string")


def _headers(value: Json) -> Iterable[tuple[str, str]]:
    match value:
        case None:
            pairs: list[tuple[Json, Json]] = []
        case dict():
            pairs = list(value.items())
        case list() if all(isinstance(pair, list) and len(pair) == 2 for pair in value):
            pairs = [(pair[0], pair[1]) for pair in value if isinstance(pair, list)]
        case _:
            raise ValueError("`headers` is neither an object nor a list of pairs")
    for name, text in pairs:
        match name, text:
            case str(), str():
                yield name, text
            case _:
                raise ValueError("`headers` holds something else than strings")


def _body(document: dict[str, Json]) -> bytes | None:
    plain, encoded = document.get("body"), document.get("body_base64")
    if plain is not None and encoded is not None:
        raise ValueError("`body` and `body_base64` are both given")
    if plain is not None:
        try:
            return _text(document, "body").encode()
        except UnicodeEncodeError:
            raise ValueError("`body` is not Unicode text") from None
    if encoded is None:
        return None
    try:
        return base64.b64decode(_text(document, "body_base64"), validate=True)
    except binascii.Error:
        raise ValueError("`body_base64` is not base64") from None


def _plain(value: object) -> Json:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return [_plain(item) for item in value]
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case _:
            return str(value)
