"""What each role may do; the one table that everything asks."""

from __future__ import annotations

import enum
from collections.abc import Mapping

__all__ = ["Capability", "UserRole", "may"]


class UserRole(enum.StrEnum):
    """What a user is; each may do what the next one may, and more."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"


class Capability(enum.StrEnum):
    """Something that a user may or may not do."""

    SEE = "see"
    """See gateways, traffic, approvals and the audit log."""

    ANSWER = "answer"
    """Answer approvals."""

    EDIT = "edit"
    """Create and edit gateways with everything in them, credentials and policies."""

    KILL = "kill"
    """Activate kill switches."""

    UNKILL = "unkill"
    """End kill switches."""

    ADMINISTER = "administer"
    """Users, invitations and the settings of the organization."""


# Whoever can answer approvals can stop the agents; only an owner starts them again.
_CAPABILITIES: Mapping[UserRole, frozenset[Capability]] = {
    UserRole.OWNER: frozenset(Capability),
    UserRole.ADMIN: frozenset(
        {Capability.SEE, Capability.ANSWER, Capability.EDIT, Capability.KILL}
    ),
    UserRole.MEMBER: frozenset({Capability.SEE, Capability.ANSWER, Capability.KILL}),
    UserRole.VIEWER: frozenset({Capability.SEE}),
}


def may(role: UserRole, capability: Capability) -> bool:
    """Whether a user with `role` may do something."""
    return capability in _CAPABILITIES[role]
