"""Kill switches from several places as one set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from tameflare_core.kill_switch import (
    NO_KILL_SWITCHES,
    KillScope,
    KillScopeKind,
    KillSwitch,
    KillSwitches,
)

__all__ = ["JoinedSwitches"]


class JoinedSwitches:
    """Those of this machine together with those of the control plane.

    Args:
        local: those of this machine; quick, and the same object while nothing has changed.
    """

    def __init__(self, local: Callable[[], KillSwitches] | None = None) -> None:
        self._local = local or (lambda: NO_KILL_SWITCHES)
        self._remote = NO_KILL_SWITCHES
        self._documents: list[object] = []
        self._order = 0
        self._from = NO_KILL_SWITCHES, NO_KILL_SWITCHES
        self._joined = NO_KILL_SWITCHES

    def __call__(self) -> KillSwitches:
        """What is active now; the same object while nothing has changed."""
        local, remote = self._local(), self._remote
        if local is not self._from[0] or remote is not self._from[1]:
            self._joined = KillSwitches([*local, *remote])
            self._from = local, remote
        return self._joined

    def replace(self, documents: Sequence[object], *, order: int) -> None:
        """Take what the control plane says is active.

        Args:
            documents: every kill switch that is; one that cannot be read stops everything.
            order: of the question that this answers, or of the moment that it was heard: what was
                asked before the last that was taken is out of date.
        """
        if order < self._order:
            return
        self._order = order
        if list(documents) != self._documents:
            self._documents = list(documents)
            self._remote = KillSwitches(map(_read, documents))

    def keep(self, documents: Sequence[object]) -> None:
        """Take what was active when the control plane was last heard, besides what is."""
        known = {one.id for one in self._remote}
        more = [one for one in map(_read, documents) if one.id not in known]
        if more:
            self._remote = KillSwitches([*self._remote, *more])


def _read(document: object) -> KillSwitch:
    try:
        return KillSwitch.from_document(document)
    except ValueError:
        return KillSwitch.new(
            KillScope(kind=KillScopeKind.ORG),
            reason="a kill switch of the control plane cannot be read here: update the gateway",
            by="tameflare",
            at=datetime.now(UTC),
        )
