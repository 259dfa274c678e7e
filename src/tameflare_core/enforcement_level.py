"""How much of a verdict a gateway acts on."""

from __future__ import annotations

import enum

from tameflare_core.action import Risk
from tameflare_core.decision import Decision, Judgement, RuleKind, strictest

__all__ = ["EnforcementLevel"]

# What is no rule of the gateway's owner holds at every level.
_ALWAYS = frozenset({RuleKind.KILL_SWITCH, RuleKind.BUILTIN, RuleKind.ERROR})
_RISKY = frozenset({Risk.HIGH, Risk.CRITICAL})


class EnforcementLevel(enum.StrEnum):
    """How much of a verdict a gateway acts on.

    `enforce` acts on all of it. `soft` acts on kill switches, blocked categories and the risks high
    and critical, `monitor` on kill switches alone; everything else passes and is recorded.
    """

    ENFORCE = "enforce"
    SOFT = "soft"
    MONITOR = "monitor"

    def holds(self, kind: RuleKind) -> bool:
        """Whether rules of a kind hold at this level, whatever they are about."""
        if self is EnforcementLevel.ENFORCE or kind in _ALWAYS:
            return True
        return self is EnforcementLevel.SOFT and kind is RuleKind.BLOCKED_CATEGORY

    def applied(self, judgements: tuple[Judgement, ...]) -> Decision:
        """What is done about a request with these judgements."""
        held_to = tuple(judgement for judgement in judgements if self._holds_to(judgement))
        return strictest(held_to).decision if held_to else Decision.ALLOW

    def _holds_to(self, judgement: Judgement) -> bool:
        risky = self is EnforcementLevel.SOFT and judgement.action.risk in _RISKY
        return risky or self.holds(judgement.rule.kind)
