"""What a policy is evaluated on, and the truth that comes of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tameflare_core.action import Action
from tameflare_core.request import OutboundRequest

__all__ = ["ABSENT", "UNTOLD", "Facts", "Missing", "Truth"]

type Truth = bool | None
"""None: it cannot be told, which a rule that tightens takes for true."""


class Missing(enum.Enum):
    """What stands for a value that is not there."""

    ABSENT = "the request certainly does not have it"
    UNTOLD = "the request may have it, in a place or a form that was not read"


ABSENT: Final = Missing.ABSENT
UNTOLD: Final = Missing.UNTOLD


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One action of one request, and the circumstances.

    Attributes:
        request: the canonical request.
        action: one of its actions.
        connector: the id of the connector that named the action.
        gateway: the gateway's name.
        environment: what the gateway is for; empty if nobody said.
        now: the time of the decision, with a time zone.
    """

    request: OutboundRequest
    action: Action
    connector: str
    gateway: str
    environment: str
    now: datetime
