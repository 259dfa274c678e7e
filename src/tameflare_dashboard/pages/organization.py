"""Team and settings: who may do what, where approvals are told, what holds for everybody."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from tameflare_core.action import Category
from tameflare_core.host_categories import HostCategories
from tameflare_dashboard.api import credentials as credentials_api
from tameflare_dashboard.api import notices as notices_api
from tameflare_dashboard.api import organization as organization_api
from tameflare_dashboard.api import people as people_api
from tameflare_dashboard.auth.roles import Capability, UserRole, may
from tameflare_dashboard.pages.here import SeenPage
from tameflare_dashboard.store import org, policies, users

__all__ = ["router"]

router = APIRouter()


@router.get("/team")
async def team(here: SeenPage) -> HTMLResponse:
    """Everybody who can log in, and who was invited."""
    everybody = await people_api.all_users(here.backend, here.principal)
    invited = []
    if here.may(Capability.ADMINISTER):
        invited = await people_api.open_invitations(here.backend, here.principal)
    async with here.backend.reading() as session:
        versions = {row.id: row.version for row in await users.listed(session)}
    return await here.page(
        "team.html",
        everybody=everybody,
        invited=invited,
        versions=versions,
        roles=list(UserRole),
        abilities={role: [each for each in Capability if may(role, each)] for role in UserRole},
    )


@router.get("/settings")
async def settings(here: SeenPage) -> HTMLResponse:
    """What holds for the whole organization."""
    scratch = Response()
    async with here.backend.reading() as session:
        row = await org.load(session)
        policy_rows = await policies.listed(session)
    known = set(Category) | HostCategories(here.backend.plugins.host_classifiers).known
    return await here.page(
        "settings.html",
        version=row.version,
        settings=await organization_api.settings(scratch, here.backend, here.principal),
        blocked=row.blocked_categories,
        categories=sorted(known | set(row.blocked_categories)),
        policies=policy_rows,
        notices=await notices_api.read(scratch, here.backend, here.principal),
        credentials=await credentials_api.all_credentials(here.backend, here.principal),
        vault_key=here.backend.vault_key,
    )
