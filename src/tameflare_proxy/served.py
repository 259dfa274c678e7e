"""One gateway as a proxy process serves it."""

from __future__ import annotations

from dataclasses import dataclass, field

from tameflare_core.decision_point import DecisionPoint
from tameflare_core.frontend import AsyncServices
from tameflare_core.surroundings import Surroundings

__all__ = ["ServedGateway"]


@dataclass(slots=True, kw_only=True)
class ServedGateway:
    """A gateway with what its requests need.

    Attributes:
        point: judges its requests; replaced as a whole when its configuration changes.
        services: approvals, records and credentials.
        token_digest: SHA-256 of the token that its clients present.
        connections: how many connections are open with the token.
        surroundings: clock and ids.
    """

    point: DecisionPoint
    services: AsyncServices
    token_digest: bytes
    connections: int = 0
    surroundings: Surroundings = field(default_factory=Surroundings)
