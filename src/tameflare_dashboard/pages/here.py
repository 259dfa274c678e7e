"""A page that somebody looks at: who it is, and what stands on every page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse

from tameflare_dashboard.api.fields import MaySee
from tameflare_dashboard.auth.gate import BackendHere
from tameflare_dashboard.auth.principal import Principal
from tameflare_dashboard.auth.roles import Capability, may
from tameflare_dashboard.backend import Backend
from tameflare_dashboard.pages.rendering import Templates
from tameflare_dashboard.store import approvals, gateways, kill_switches, org

__all__ = ["Here", "SeenPage", "templates_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """One request for a page.

    Attributes:
        request: it.
        backend: what the page tells about.
        principal: who looks at it.
    """

    request: Request
    backend: Backend
    principal: Principal

    def may(self, capability: str) -> bool:
        """Whether whoever looks may do something; what they may not is not offered."""
        return may(self.principal.role, Capability(capability))

    async def page(self, template: str, **values: Any) -> HTMLResponse:
        """A whole page.

        Args:
            template: its name.
            values: what it shows, besides what stands on every page.
        """
        async with self.backend.reading() as session:
            common = {
                "org": (await org.load(session)).name,
                "switches": await kill_switches.active(session),
                "pending": await approvals.pending_count(session),
                "kill_gateways": [row.name for row in await gateways.listed(session)],
            }
        return self.part(template, **common, **values)

    def part(self, template: str, **values: Any) -> HTMLResponse:
        """A part of a page, for one that is open already."""
        text = templates_of(self.request).render(
            template,
            {
                "me": self.principal,
                "may": self.may,
                "now": self.backend.clock(),
                "path": self.request.url.path,
                **values,
            },
        )
        return HTMLResponse(text, headers={"Cache-Control": "no-store"})


def templates_of(request: Request) -> Templates:
    """The templates of the application that got `request`."""
    templates: Templates = request.app.state.templates
    return templates


def _here(request: Request, backend: BackendHere, principal: MaySee) -> Here:
    return Here(request=request, backend=backend, principal=principal)


type SeenPage = Annotated[Here, Depends(_here)]
"""A page for everybody who is logged in; what it offers depends on their role."""
