"""Which gateway calls: its token, and the proxy process that speaks for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Header
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from tameflare_core.tokens import is_well_formed, token_digest
from tameflare_dashboard.auth.gate import BackendHere
from tameflare_dashboard.backend import Actor
from tameflare_dashboard.db.models import GatewayRow
from tameflare_dashboard.problems import Problem
from tameflare_dashboard.store import gateways

__all__ = ["Caller", "CallerHere", "caller"]

_ID = re.compile(r"[a-z0-9_]{1,32}")

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="gateway token",
    bearerFormat="gwtk_…",
    description="Made with the gateway, and shown once.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A gateway that calls.

    Attributes:
        gateway: which one.
        token: what it showed; needed to seal what only it may read.
        instance: the proxy process.
        proxy: the folder in which that keeps its state.
    """

    gateway: GatewayRow
    token: str
    instance: str
    proxy: str

    @property
    def actor(self) -> Actor:
        """It, as the audit log tells it."""
        return Actor(id=f"gateway:{self.gateway.id}", name=self.gateway.name)

    def __repr__(self) -> str:
        return f"Caller(gateway={self.gateway.name!r})"


async def caller(
    backend: BackendHere,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    instance: Annotated[str, Header(alias="X-TameFlare-Instance")] = "",
    proxy: Annotated[str, Header(alias="X-TameFlare-Proxy")] = "",
) -> Caller:
    """The gateway whose token was shown.

    Raises:
        Problem: 401.
    """
    token = bearer.credentials if bearer is not None else ""
    if is_well_formed(token):
        async with backend.reading() as session:
            row = await gateways.by_token(session, token_digest(token), backend.clock())
        if row is not None:
            return Caller(
                gateway=row,
                token=token,
                instance=instance if _ID.fullmatch(instance) else "",
                proxy=proxy if _ID.fullmatch(proxy) else "",
            )
    raise Problem(
        HTTPStatus.UNAUTHORIZED,
        "gateway-token-unknown",
        "the gateway's token is unknown, expired or revoked: see the gateway in the dashboard",
        headers={"WWW-Authenticate": "Bearer"},
    )


type CallerHere = Annotated[Caller, Depends(caller)]
