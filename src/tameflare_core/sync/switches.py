"""Kill switches from several places as one set."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tameflare_core.kill_switch import NO_KILL_SWITCHES, KillSwitch, KillSwitches

__all__ = ["JoinedSwitches"]


class JoinedSwitches:
    """Those of this machine together with those of the control plane.

    Args:
        local: those of this machine; quick, and the same object while nothing has changed.
    """

    def __init__(self, local: Callable[[], KillSwitches] | None = None) -> None:
        self._local = local or (lambda: NO_KILL_SWITCHES)
        self._remote = NO_KILL_SWITCHES
        self._from = NO_KILL_SWITCHES, NO_KILL_SWITCHES
        self._joined = NO_KILL_SWITCHES

    def __call__(self) -> KillSwitches:
        """What is active now; the same object while nothing has changed."""
        local, remote = self._local(), self._remote
        if local is not self._from[0] or remote is not self._from[1]:
            self._joined = KillSwitches([*local, *remote])
            self._from = local, remote
        return self._joined

    def replace(self, documents: Iterable[dict[str, Any]]) -> None:
        """Take what the control plane says is active.

        Raises:
            ValueError: one of them cannot be read; what was active before goes on.
        """
        switches = [KillSwitch.from_document(each) for each in documents]
        if [one.id for one in self._remote] != [one.id for one in KillSwitches(switches)]:
            self._remote = KillSwitches(switches)

    def keep(self, documents: Iterable[dict[str, Any]]) -> None:
        """Take what was active when the control plane was last heard, besides what is."""
        known = {one.id for one in self._remote}
        more = [one for one in map(KillSwitch.from_document, documents) if one.id not in known]
        if more:
            self._remote = KillSwitches([*self._remote, *more])
