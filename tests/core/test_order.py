"""The order of decision: kill switch, blocked category, connector, permission, policy; by level."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product

import pytest

from tameflare_core.decision import Verdict
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.hookspecs import hookimpl
from tameflare_core.host_categories import HostClassifier
from tameflare_core.kill_switch import KillScope, KillSwitch, KillSwitches
from tameflare_core.request import OutboundRequest
from tameflare_core.testing import FIXED_TIME, gateway_from

DECISIONS = ("allow", "require_approval", "deny")
STRICTNESS = {name: place for place, name in enumerate(DECISIONS)}
OWNED = ("none", "org", "gateway:agent", "connector:service", "connector:generic", "action:a.b")
OTHERS = ("gateway:other", "connector:other", "action:a.c")


class Listed(HostClassifier):
    categories = frozenset({"paste_place"})

    def classify(self, host: str) -> frozenset[str]:
        return self.categories if host == "listed.example" else frozenset()


class Classifiers:
    @staticmethod
    @hookimpl
    def register_host_classifiers() -> list[HostClassifier]:
        return [Listed()]


@cache
def gateway(level: str, permission: str, policy: str, risk: str, blocked: str) -> DecisionPoint:
    permissions = {
        "none": "",
        **{name: f"- {{connector: service, action: a.b, decision: {name}}}" for name in DECISIONS},
    }[permission]
    policies = {
        "none": "",
        **{name: f"- {{name: p, rules: [{{name: r, decision: {name}}}]}}" for name in DECISIONS},
    }[policy]
    return DecisionPoint(
        gateway_from(
            f"""
            version: 1
            gateway: agent
            enforcement: {level}
            connectors:
              - type: generic
                id: service
                hosts: [owned.example, listed.example]
                actions:
                  - {{method: POST, path: /act, action: a.b, access: write, risk: {risk},
                     categories: [financial]}}
            permissions: [{permissions.removeprefix("- ")}]
            policies: [{policies.removeprefix("- ")}]
            blocked_categories: [{blocked}]
            """,
            extra=[Classifiers],
        )
    )


def judged(
    level: str,
    *,
    kill: str = "none",
    blocked: str = "",
    host: str = "owned.example",
    permission: str = "allow",
    policy: str = "none",
    risk: str = "low",
) -> Verdict:
    point = gateway(level, permission, policy, risk, blocked)
    if kill != "none":
        scope = KillScope.parse(kill)
        switch = KillSwitch.new(scope, reason="why", by="ada", at=FIXED_TIME)
        point = point.with_kill_switches(KillSwitches([switch]))
    return point.decide(OutboundRequest.from_url("POST", f"https://{host}/act"), FIXED_TIME)


def told(verdict: Verdict) -> tuple[str, str, str]:
    return verdict.decision.value, verdict.applied.value, verdict.rule.kind.value


# By hand: each stage against the ones after it, at each level.
TABLE = [
    # level, what is set, decided, done, by
    ("enforce", {}, "allow", "allow", "permission"),
    ("enforce", {"kill": "org"}, "deny", "deny", "kill_switch"),
    ("soft", {"kill": "org"}, "deny", "deny", "kill_switch"),
    ("monitor", {"kill": "org"}, "deny", "deny", "kill_switch"),
    ("monitor", {"kill": "action:a.b"}, "deny", "deny", "kill_switch"),
    ("monitor", {"kill": "action:a.c"}, "allow", "allow", "permission"),
    ("enforce", {"kill": "org", "blocked": "financial"}, "deny", "deny", "kill_switch"),
    ("enforce", {"blocked": "financial"}, "deny", "deny", "blocked_category"),
    ("soft", {"blocked": "financial"}, "deny", "deny", "blocked_category"),
    ("monitor", {"blocked": "financial"}, "deny", "allow", "blocked_category"),
    ("enforce", {"blocked": "financial", "permission": "none"}, "deny", "deny", "blocked_category"),
    (
        "soft",
        {"blocked": "paste_place", "host": "listed.example"},
        "deny",
        "deny",
        "blocked_category",
    ),
    ("enforce", {"host": "nobody.example"}, "deny", "deny", "no_connector"),
    ("soft", {"host": "nobody.example"}, "deny", "allow", "no_connector"),
    ("monitor", {"host": "nobody.example"}, "deny", "allow", "no_connector"),
    ("monitor", {"host": "nobody.example", "kill": "org"}, "deny", "deny", "kill_switch"),
    (
        "monitor",
        {"host": "nobody.example", "kill": "connector:service"},
        "deny",
        "allow",
        "no_connector",
    ),
    ("enforce", {"permission": "none"}, "deny", "deny", "default"),
    ("soft", {"permission": "none"}, "deny", "allow", "default"),
    ("soft", {"permission": "none", "risk": "high"}, "deny", "deny", "default"),
    (
        "enforce",
        {"permission": "require_approval"},
        "require_approval",
        "require_approval",
        "permission",
    ),
    (
        "soft",
        {"permission": "require_approval", "risk": "critical"},
        "require_approval",
        "require_approval",
        "permission",
    ),
    ("soft", {"permission": "require_approval"}, "require_approval", "allow", "permission"),
    ("enforce", {"policy": "deny"}, "deny", "deny", "policy"),
    ("enforce", {"policy": "require_approval"}, "require_approval", "require_approval", "policy"),
    ("enforce", {"policy": "allow"}, "allow", "allow", "permission"),
    ("enforce", {"policy": "allow", "permission": "deny"}, "deny", "deny", "permission"),
    ("enforce", {"policy": "allow", "permission": "none"}, "deny", "deny", "default"),
    ("enforce", {"policy": "deny", "permission": "require_approval"}, "deny", "deny", "policy"),
    ("monitor", {"policy": "deny", "risk": "critical"}, "deny", "allow", "policy"),
]


@pytest.mark.parametrize(
    ("level", "given", "decided", "done", "by"), TABLE, ids=[f"{r[0]} {r[1]}" for r in TABLE]
)
def test_row_of_the_table(
    level: str, given: dict[str, str], decided: str, done: str, by: str
) -> None:
    assert told(judged(level, **given)) == (decided, done, by)


# All of it: every combination against the order as the documents have it.


def expected(
    level: str, kill: str, blocked: str, host: str, permission: str, policy: str, risk: str
) -> tuple[str, str, str]:
    owned = host != "nobody.example"
    if kill in ("org", "gateway:agent") or (owned and kill in OWNED[3:]):
        return "deny", "deny", "kill_switch"
    in_category = (blocked == "financial" and owned) or (
        blocked == "paste_place" and host == "listed.example"
    )
    if in_category:
        return "deny", "allow" if level == "monitor" else "deny", "blocked_category"
    if not owned:
        return "deny", "deny" if level == "enforce" else "allow", "no_connector"
    decided, by = (permission, "permission") if permission != "none" else ("deny", "default")
    if policy != "none" and STRICTNESS[policy] > STRICTNESS[decided]:
        decided, by = policy, "policy"
    held_to = level == "enforce" or (level == "soft" and risk in ("high", "critical"))
    return decided, decided if held_to else "allow", by


def combinations() -> Iterator[tuple[str, ...]]:
    yield from product(
        ("enforce", "soft", "monitor"),
        (*OWNED, *OTHERS),
        ("", "financial", "paste_place"),
        ("owned.example", "listed.example", "nobody.example"),
        ("none", *DECISIONS),
        ("none", *DECISIONS),
        ("low", "high"),
    )


def test_every_combination_is_decided_in_order() -> None:
    wrong = []
    count = 0
    for level, kill, blocked, host, permission, policy, risk in combinations():
        verdict = judged(
            level,
            kill=kill,
            blocked=blocked,
            host=host,
            permission=permission,
            policy=policy,
            risk=risk,
        )
        count += 1
        told_so = told(verdict)
        if told_so != expected(level, kill, blocked, host, permission, policy, risk):
            wrong.append(((level, kill, blocked, host, permission, policy, risk), told_so))
    assert wrong == []
    assert count == 3 * 9 * 3 * 3 * 4 * 4 * 2
