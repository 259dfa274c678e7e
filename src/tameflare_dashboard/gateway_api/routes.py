"""All of `/api/gateway`."""

from __future__ import annotations

from fastapi import APIRouter

from tameflare_dashboard.gateway_api import approvals, authority, config, events, traffic

__all__ = ["router"]

router = APIRouter(prefix="/api/gateway", tags=["gateways' own calls"])
for module in (config, events, approvals, traffic, authority):
    router.include_router(module.router)
