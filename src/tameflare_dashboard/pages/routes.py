"""Every page."""

from __future__ import annotations

from fastapi import APIRouter

from tameflare_dashboard.pages import (
    access,
    account,
    approvals,
    audit,
    document,
    gateways,
    kill_switches,
    organization,
    overview,
    permissions,
    traffic,
    watching,
)

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
for _part in (
    overview,
    gateways,
    permissions,
    document,
    traffic,
    approvals,
    kill_switches,
    audit,
    organization,
    account,
    access,
    watching,
):
    router.include_router(_part.router)
