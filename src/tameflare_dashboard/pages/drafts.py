"""A gateway that is being made: a form's fields as a document."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Self

from tameflare_core import templates
from tameflare_core.plugins import Plugins
from tameflare_dashboard.documents import parts, render
from tameflare_dashboard.pages.forms import Fields
from tameflare_dashboard.pages.presets import PRESETS

__all__ = ["Draft"]

_LIMITS = ("access", "risk", "category")
_DECISIONS = {
    "allow": "allow",
    "ask": "require_approval",
    "require_approval": "require_approval",
    "deny": "deny",
}
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


@dataclass(slots=True)
class Draft:
    """What somebody has chosen so far.

    Attributes:
        name, environment, enforcement: of the gateway.
        template: whose rules it starts from; empty for presets.
        connectors: as the document will have them.
        permissions: the same.
        mistakes: what is still to be put right.
    """

    name: str
    environment: str
    enforcement: str
    template: str
    connectors: list[dict[str, Any]] = field(default_factory=list)
    permissions: list[dict[str, Any]] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, fields: Fields, plugins: Plugins) -> Self:
        """The draft in a form's fields."""
        draft = cls(
            name=fields.one("name").strip(),
            environment=fields.one("environment").strip(),
            enforcement=fields.one("enforcement", "enforce"),
            template=fields.one("template"),
        )
        if not _NAME.fullmatch(draft.name):
            draft.mistakes.append("name: lower-case letters, digits and `-`, like `prod-agent`")
        # The name is anybody's text, and no file but a template is to be read by it.
        known = parts(templates.text(draft.template)) if draft.template in templates.names() else {}
        for kind in fields.all("connector"):
            if kind in plugins.connectors:
                draft._connect(kind, fields, plugins)
                draft._permit(kind, fields, plugins, known.get("permissions") or [])
        if not draft.connectors:
            draft.mistakes.append("connectors: choose at least one service")
        return draft

    def document(self) -> str:
        """The text of its `tameflare.yaml`."""
        document: dict[str, Any] = {"version": 1, "gateway": self.name or "unnamed"}
        if self.environment:
            document["environment"] = self.environment
        if self.enforcement != "enforce":
            document["enforcement"] = self.enforcement
        document["connectors"] = self.connectors
        document["permissions"] = self.permissions
        return render(document)

    def _connect(self, kind: str, fields: Fields, plugins: Plugins) -> None:
        part: dict[str, Any] = {"type": kind}
        hosts = [host.strip() for host in fields.one(f"hosts.{kind}").split(",") if host.strip()]
        if hosts:
            part["hosts"] = hosts
        base_url = fields.one(f"base_url.{kind}").strip()
        if base_url:
            part["base_url"] = base_url
        credential = fields.one(f"credential.{kind}")
        if credential == "new":
            credential = f"{self.name}-{kind}"
        if credential and plugins.connectors[kind].takes_credential:
            part["credential"] = f"vault:{credential}"
        self.connectors.append(part)

    def _permit(
        self, kind: str, fields: Fields, plugins: Plugins, of_template: list[dict[str, Any]]
    ) -> None:
        chosen = fields.one(f"preset.{kind}", "read")
        own = [rule for rule in of_template if rule.get("connector") == kind]
        if chosen == "template" and own:
            self.permissions += own
        elif chosen == "custom":
            self._permit_custom(kind, fields.one(f"rules.{kind}"))
        else:
            preset = PRESETS.get(chosen, PRESETS["read"])
            self.permissions += preset.rules(kind, f"{plugins.connectors[kind].provider}.*")

    def _permit_custom(self, kind: str, text: str) -> None:
        """Rules of one's own, a line each: `github.pr.* access=read allow`."""
        for number, line in enumerate(text.splitlines(), start=1):
            words = line.split()
            if not words:
                continue
            decision = _DECISIONS.get(words[-1])
            limits = dict(word.split("=", 1) for word in words[1:-1] if "=" in word)
            if decision is None or len(limits) != len(words) - 2:
                self.mistakes.append(
                    f"{kind}, rule {number}: write an action, conditions and a decision, like"
                    " `github.pr.* access=read allow`, `github.pr.merge ask`, or `… deny`"
                )
                continue
            rule: dict[str, Any] = {"connector": kind, "action": words[0]}
            rule |= {name: limits.pop(name) for name in _LIMITS if name in limits}
            if limits:
                rule["resource"] = limits
            self.permissions.append({**rule, "decision": decision})
