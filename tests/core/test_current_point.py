from __future__ import annotations

from tameflare_core.current_point import CurrentPoint
from tameflare_core.decision import Decision
from tameflare_core.kill_switch import NO_KILL_SWITCHES, KillScope, KillSwitch, KillSwitches
from tameflare_core.request import OutboundRequest
from tameflare_core.testing import FIXED_TIME, gateway_from

GATEWAY = gateway_from("""
    version: 1
    gateway: agent
    connectors: [{type: github}]
    permissions: [{connector: github, action: "github.*", decision: allow}]
""")
USER = OutboundRequest.from_url("GET", "https://api.github.com/user")
SWITCH = KillSwitch.new(KillScope.parse("org"), reason="why", by="ada", at=FIXED_TIME)


def test_point_stays_the_same_while_nothing_changes() -> None:
    point = CurrentPoint(GATEWAY)
    assert point() is point()
    assert point().decide(USER, FIXED_TIME).decision is Decision.ALLOW


def test_kill_switches_act_and_end_at_once() -> None:
    switches = NO_KILL_SWITCHES
    point = CurrentPoint(GATEWAY, lambda: switches)
    before = point()
    switches = KillSwitches([SWITCH])
    assert point().decide(USER, FIXED_TIME).decision is Decision.DENY
    assert before.decide(USER, FIXED_TIME).decision is Decision.ALLOW, "a point never changes"
    switches = NO_KILL_SWITCHES
    assert point().decide(USER, FIXED_TIME).decision is Decision.ALLOW
