"""All of `/api/v1`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from tameflare_dashboard.api import (
    access,
    approvals,
    audit,
    credentials,
    gateways,
    kill_switches,
    me,
    notices,
    organization,
    parts,
    people,
    simulate,
    traffic,
)
from tameflare_dashboard.problems import ProblemDocument

__all__ = ["PROBLEMS", "router"]

_PROBLEM: dict[str, Any] = {
    "model": ProblemDocument,
    "content": {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
    },
}

PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {**_PROBLEM, "description": "Nobody is logged in."},
    403: {**_PROBLEM, "description": "The role does not allow it."},
    422: {**_PROBLEM, "description": "The request says something that cannot be."},
    503: {**_PROBLEM, "description": "The database cannot be used now; nothing was changed."},
}
"""What any call may answer."""

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)
for module in (
    access,
    me,
    gateways,
    parts,
    organization,
    credentials,
    kill_switches,
    approvals,
    traffic,
    audit,
    simulate,
    people,
    notices,
):
    router.include_router(module.router)
