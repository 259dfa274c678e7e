"""Kill switches of this machine and of the control plane together."""

from __future__ import annotations

from datetime import UTC, datetime

from tameflare_core.kill_switch import NO_KILL_SWITCHES, KillScope, KillSwitch, KillSwitches
from tameflare_core.sync.switches import JoinedSwitches


def switch(scope: str) -> KillSwitch:
    return KillSwitch.new(KillScope.parse(scope), reason="r", by="b", at=datetime.now(UTC))


def test_same_object_while_nothing_changes() -> None:
    joined = JoinedSwitches()
    one = switch("org")
    joined.replace([one.document()], order=1)
    first = joined()
    assert [each.id for each in first] == [one.id]
    joined.replace([one.document()], order=2)
    assert joined() is first
    joined.replace([], order=3)
    assert len(joined()) == 0


def test_both_places_count() -> None:
    local = KillSwitches([switch("gateway:a")])
    joined = JoinedSwitches(lambda: local)
    joined.replace([switch("org").document()], order=1)
    assert {str(each.scope) for each in joined()} == {"gateway:a", "org"}


def test_what_cannot_be_read_stops_everything() -> None:
    joined = JoinedSwitches()
    readable = switch("gateway:a").document()
    joined.replace([readable, {"id": "x"}], order=1)
    assert {str(each.scope) for each in joined()} == {"gateway:a", "org"}
    stopped = joined()
    joined.replace([readable, {"id": "x"}], order=2)
    assert joined() is stopped


def test_answer_that_was_overtaken_ends_nothing() -> None:
    joined = JoinedSwitches()
    joined.replace([switch("org").document()], order=2)
    joined.replace([], order=1)
    assert len(joined()) == 1


def test_cached_switches_add_to_those_that_are_known() -> None:
    joined = JoinedSwitches(lambda: NO_KILL_SWITCHES)
    one, two = switch("org"), switch("gateway:a")
    joined.keep([one.document()])
    joined.keep([one.document(), two.document()])
    assert len(joined()) == 2
