"""The decision point in force: the gateway's rules below the kill switches of this moment."""

from __future__ import annotations

from collections.abc import Callable

from tameflare_core.decision_point import DecisionPoint
from tameflare_core.gateway import Gateway
from tameflare_core.kill_switch import NO_KILL_SWITCHES, KillSwitches

__all__ = ["CurrentPoint"]


class CurrentPoint:
    """Gives the decision point to judge the next request by.

    Args:
        gateway: what to judge by.
        kill_switches: those that are active now; none unless given. It is asked for every request,
            so it must be quick, and give the same object while nothing has changed.
    """

    def __init__(
        self, gateway: Gateway, kill_switches: Callable[[], KillSwitches] | None = None
    ) -> None:
        self._point = DecisionPoint(gateway)
        self._kill_switches = kill_switches or (lambda: NO_KILL_SWITCHES)

    def __call__(self) -> DecisionPoint:
        switches = self._kill_switches()
        point = self._point
        if switches is not point.kill_switches:
            point = self._point = point.with_kill_switches(switches)
        return point
