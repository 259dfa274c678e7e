"""Rules to start from: what an agent may do at a service, in a few words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["PRESETS", "Preset"]

type _Rule = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A set of rules for one connector.

    Attributes:
        id: what forms call it.
        title: what people call it.
        meaning: one sentence.
        limits: the constraints and the decision of each rule.
    """

    id: str
    title: str
    meaning: str
    limits: tuple[Mapping[str, str], ...]

    def rules(self, connector: str, pattern: str) -> list[_Rule]:
        """The permissions, as `tameflare.yaml` has them.

        Args:
            connector: the id of the connector.
            pattern: all of its actions, like `github.*`.
        """
        return [{"connector": connector, "action": pattern, **limits} for limits in self.limits]


PRESETS: Mapping[str, Preset] = {
    preset.id: preset
    for preset in (
        Preset(
            id="read",
            title="Read only",
            meaning="Reads pass. Everything else is denied.",
            limits=({"access": "read", "decision": "allow"},),
        ),
        Preset(
            id="ask",
            title="Ask for changes",
            meaning="Reads pass. Every change waits for a human.",
            limits=(
                {"access": "read", "decision": "allow"},
                {"decision": "require_approval"},
            ),
        ),
        Preset(
            id="careful",
            title="Ask for risky changes",
            meaning="Reads and harmless changes pass. High risk waits for a human, critical is"
            " denied.",
            limits=(
                {"decision": "allow"},
                {"risk": "high", "decision": "require_approval"},
                {"risk": "critical", "decision": "deny"},
            ),
        ),
        Preset(
            id="all",
            title="Everything",
            meaning="Everything passes, and is recorded.",
            limits=({"decision": "allow"},),
        ),
        Preset(id="none", title="Nothing yet", meaning="Everything is denied.", limits=()),
    )
}
"""By id, from careful to generous."""
