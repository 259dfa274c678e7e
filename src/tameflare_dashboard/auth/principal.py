"""The user on whose behalf a request is made, and how they showed who they are."""

from __future__ import annotations

from dataclasses import dataclass, field

from tameflare_dashboard.auth.roles import UserRole
from tameflare_dashboard.backend import Actor

__all__ = ["Principal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A user who calls.

    Attributes:
        user_id: `usr_…`.
        email: their address.
        name: their name.
        role: what they may do.
        session_id: the browser session; None for a command with a personal access token.
        csrf: what the session's writes must carry; empty without one.
    """

    user_id: str
    email: str
    name: str
    role: UserRole
    session_id: str | None = None
    csrf: str = field(default="", repr=False)

    @property
    def actor(self) -> Actor:
        """Them, as the audit log tells it."""
        return Actor(id=f"user:{self.user_id}", name=self.email)
