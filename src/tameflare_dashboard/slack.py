"""`POST /api/slack/actions`: somebody pressed a button of a message in Slack."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Header, Request
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from tameflare_core.approval import ApprovalState
from tameflare_core.vault.secret import Secret
from tameflare_dashboard.auth.gate import BackendHere
from tameflare_dashboard.auth.principal import Principal
from tameflare_dashboard.auth.roles import Capability, UserRole, may
from tameflare_dashboard.backend import Backend
from tameflare_dashboard.db.models import SeenSignatureRow, UserRow
from tameflare_dashboard.notices import settings as noticing
from tameflare_dashboard.problems import Problem
from tameflare_dashboard.store import approvals

__all__ = ["router"]

_CLOCKS_DIFFER = 300  # Slack's own recommendation
_STATES = {"approve": ApprovalState.APPROVED, "deny": ApprovalState.DENIED}

router = APIRouter(prefix="/api/slack", tags=["Slack's own calls"])


@router.post("/actions", summary="A button was pressed", include_in_schema=False)
async def act(
    request: Request,
    backend: BackendHere,
    timestamp: Annotated[str, Header(alias="X-Slack-Request-Timestamp")] = "",
    signature: Annotated[str, Header(alias="X-Slack-Signature")] = "",
) -> dict[str, Any]:
    """Answer an approval on behalf of the user whose Slack account pressed the button.

    Slack signs each call (https://api.slack.com/authentication/verifying-requests-from-slack); one
    that is older than five minutes, or came before, is refused.
    """
    body = await request.body()
    async with backend.reading() as session:
        secret = await noticing.secret(session, backend, "slack_signing_secret")
    _check_signature(backend, secret, timestamp, signature, body)
    await _check_first_time(backend, signature)
    slack_user, action, approval_id = _pressed(body)
    state = _STATES.get(action)
    if state is None:
        return {}  # a link that only opens the dashboard
    principal = await _principal(backend, slack_user)
    if principal is None:
        return _said("Your Slack account is no user of TameFlare who may answer approvals.")
    try:
        async with backend.changing(principal.actor) as tx:
            await approvals.answer(tx, principal, approval_id, state)
    except Problem as problem:
        return _said(problem.detail)
    return {}


def _check_signature(
    backend: Backend, secret: Secret | None, timestamp: str, given: str, body: bytes
) -> None:
    now = backend.clock().timestamp()
    fresh = timestamp.isdecimal() and len(timestamp) < 15
    fresh = fresh and abs(now - int(timestamp)) <= _CLOCKS_DIFFER
    signed = b"v0:" + timestamp.encode() + b":" + body
    # An unknown secret is compared with too, so that it takes as long.
    key = secret.reveal().encode() if secret is not None else b"-"
    expected = "v0=" + hmac.new(key, signed, hashlib.sha256).hexdigest()
    right = hmac.compare_digest(expected.encode(), given.encode())
    if not (right and fresh and secret is not None):
        raise Problem(
            HTTPStatus.UNAUTHORIZED, "wrong-signature", "this was not signed by Slack just now"
        )


async def _check_first_time(backend: Backend, given: str) -> None:
    digest = hashlib.sha256(given.encode()).digest()
    now = backend.clock()
    try:
        async with backend.database.write() as session:
            old = now - timedelta(seconds=3 * _CLOCKS_DIFFER)
            await session.execute(delete(SeenSignatureRow).where(SeenSignatureRow.at < old))
            session.add(SeenSignatureRow(digest=digest, at=now))
            await session.flush()
    except IntegrityError:
        raise Problem(HTTPStatus.CONFLICT, "replayed", "this call came before") from None


def _pressed(body: bytes) -> tuple[str, str, str]:
    """Who pressed what, about which approval."""
    try:
        payload = json.loads(parse_qs(body.decode())["payload"][0])
        action = payload["actions"][0]
        return (
            str(payload["user"]["id"]),
            str(action["action_id"]),
            str(action.get("value", "")),
        )
    except (ValueError, KeyError, IndexError, TypeError):
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "this is no action of a message"
        ) from None


async def _principal(backend: Backend, slack_user: str) -> Principal | None:
    async with backend.reading() as session:
        user = (
            await session.scalars(
                select(UserRow).where(UserRow.slack_user == slack_user, UserRow.active)
            )
        ).one_or_none()
    if user is None or not may(UserRole(user.role), Capability.ANSWER):
        return None
    return Principal(user_id=user.id, email=user.email, name=user.name, role=UserRole(user.role))


def _said(text: str) -> dict[str, Any]:
    """What only the one who pressed sees."""
    return {"response_type": "ephemeral", "replace_original": False, "text": text}
