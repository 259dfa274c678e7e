from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tameflare_core.kill_switch import (
    REASON_LENGTH,
    KillScope,
    KillScopeKind,
    KillSwitch,
    KillSwitches,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
SCOPES = ["org", "gateway:prod-agent", "connector:github", "action:github.pr.*", "action:*"]


def switch(scope: str, minutes: int = 0) -> KillSwitch:
    at = START + timedelta(minutes=minutes)
    return KillSwitch.new(KillScope.parse(scope), reason="because", by="ada", at=at)


def switches(*scopes: str) -> KillSwitches:
    """Kill switches that were activated a minute apart."""
    return KillSwitches(switch(scope, minute) for minute, scope in enumerate(scopes))


def named(found: KillSwitch | None) -> str | None:
    return None if found is None else str(found.scope)


@pytest.mark.parametrize("text", SCOPES)
def test_scope_survives_its_text(text: str) -> None:
    assert str(KillScope.parse(text)) == text


def test_scope_has_its_parts() -> None:
    scope = KillScope(kind=KillScopeKind.ACTION, target="github.pr.*")
    assert KillScope.parse("action:github.pr.*") == scope


@pytest.mark.parametrize(
    "text",
    ["", "ORG", "org:", "org:x", "gateway", "everything", "category:financial", " org", ":x"],
)
def test_what_is_no_scope_is_told_the_forms(text: str) -> None:
    forms = "write `org`, `gateway:NAME`, `connector:ID` or `action:PATTERN`"
    with pytest.raises(ValueError, match=re.escape(forms)):
        KillScope.parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gateway:", "`` is not the name of a gateway"),
        ("gateway:Prod", "`Prod` is not the name of a gateway"),
        ("gateway:prod-*", "`prod-*` is not the name of a gateway"),
        ("connector:api.github.com", "`api.github.com` is not the name of a connector"),
        ("action:", "`` is not an action pattern"),
        ("action:GitHub.PR.*", "write `github.pr.*`"),
        ("action:github.pr*", "`github.pr*` is not an action pattern"),
        ("action:github", "`github` covers no action: write `github.*`"),
    ],
)
def test_scope_that_would_stop_nothing_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        KillScope.parse(text)


def test_org_has_no_target() -> None:
    with pytest.raises(ValueError, match="`org` stands alone"):
        KillScope(kind=KillScopeKind.ORG, target="x")


def test_new_ids_differ() -> None:
    ids = {switch("org").id for _ in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch(r"ks_[a-z2-7]{12}", one) for one in ids)


@pytest.mark.parametrize("reason", ["", " \n", "x" * (REASON_LENGTH + 1)])
def test_reason_is_required_and_bounded(reason: str) -> None:
    with pytest.raises(ValueError, match="between 1 and 500 characters"):
        KillSwitch.new(KillScope.parse("org"), reason=reason, by="ada", at=START)


def test_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has a zone"):
        KillSwitch.new(KillScope.parse("org"), reason="x", by="ada", at=START.replace(tzinfo=None))


@pytest.mark.parametrize("scope", SCOPES)
def test_switch_survives_its_document(scope: str) -> None:
    one = switch(scope)
    assert KillSwitch.from_document(one.document()) == one


def test_document_has_the_time_in_utc() -> None:
    east = START.astimezone(timezone(timedelta(hours=9)))
    one = KillSwitch.new(KillScope.parse("org"), reason="x", by="ada", at=east)
    assert one.document()["at"] == "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    "change",
    [
        {"id": "1"},
        {"id": "ks_ABCDEFGHIJKL"},
        {"id": None},
        {"scope": "everything"},
        {"scope": 1},
        {"reason": ""},
        {"by": []},
        {"at": "yesterday"},
        {"at": "2026-01-01T00:00:00"},
        {"until": "2026-01-01T00:00:00Z"},
    ],
)
def test_damaged_document_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        KillSwitch.from_document(switch("org").document() | change)


@pytest.mark.parametrize("missing", ["id", "scope", "reason", "by", "at"])
def test_document_without_a_part_is_refused(missing: str) -> None:
    document = switch("org").document()
    del document[missing]
    with pytest.raises(ValueError, match="a kill switch has"):
        KillSwitch.from_document(document)


def test_no_switch_is_false_and_stops_nothing() -> None:
    none = KillSwitches()
    assert not none
    assert none.for_gateway("prod-agent") is None
    assert none.for_connector("prod-agent", "github", "github") is None
    assert none.for_action("github.opaque.post") is None


def test_any_switch_is_true() -> None:
    assert all(switches(scope) for scope in SCOPES)


@pytest.mark.parametrize(
    ("scope", "gateway", "connector", "action"),
    [
        ("org", True, True, False),
        ("gateway:prod-agent", True, True, False),
        ("gateway:dev-bot", False, False, False),
        ("connector:ghe", False, True, False),
        ("connector:github", False, True, False),
        ("connector:slack", False, False, False),
        ("action:github.pr.merge", False, False, True),
        ("action:github.issue.*", False, False, False),
    ],
)
def test_each_question_is_answered_by_its_scopes(
    scope: str, gateway: bool, connector: bool, action: bool
) -> None:
    active = switches(scope)
    assert (active.for_gateway("prod-agent") is not None) is gateway
    assert (active.for_connector("prod-agent", "ghe", "github") is not None) is connector
    assert (active.for_action("github.pr.merge") is not None) is action


@pytest.mark.parametrize(
    ("pattern", "action", "stopped"),
    [
        ("github.pr.merge", "github.pr.merge", True),
        ("github.pr.merge", "github.pr.close", False),
        ("github.pr.*", "github.pr.merge", True),
        ("github.pr.*", "github.pr", False),
        ("github.*", "github.pr.merge", True),
        ("*.delete", "github.delete", True),
        ("github.*.delete", "github.repo.delete", True),
        ("github.*.delete", "github.repo.update", False),
        ("*", "slack.chat.post", True),
        # A pattern is text here: no rule has to write out what is unmapped.
        ("github.*", "github.unmapped.put", True),
        ("github.*.put", "github.unmapped.put", True),
        ("github.pr.*", "github.unmapped.put", False),
        # What an opaque request does is anybody's guess.
        ("github.pr.merge", "github.opaque.post", True),
        ("github.*.delete", "github.opaque.post", True),
        ("*.repo.delete", "github.opaque.post", True),
        ("*", "github.opaque.post", True),
        ("slack.*", "github.opaque.post", False),
        ("github.pr.merge", "mcp.opaque", False),
        ("mcp.tools.call.x", "mcp.opaque.post", True),
        ("github.pr.merge", "github.opaqueness.post", False),
    ],
)
def test_pattern_stops_what_it_covers(pattern: str, action: str, stopped: bool) -> None:
    assert named(switches(f"action:{pattern}").for_action(action)) == (
        f"action:{pattern}" if stopped else None
    )


@pytest.mark.parametrize(
    "order", list(itertools.permutations(["action:github.pr.merge", "action:github.*", "action:*"]))
)
def test_oldest_of_several_patterns_is_named(order: tuple[str, ...]) -> None:
    active = switches(*order)
    assert named(active.for_action("github.pr.merge")) == order[0]
    assert named(active.for_action("github.opaque.post")) == order[0]


@pytest.mark.parametrize(
    "order",
    list(
        itertools.permutations(["org", "gateway:prod-agent", "connector:ghe", "connector:github"])
    ),
)
def test_oldest_of_several_scopes_is_named(order: tuple[str, ...]) -> None:
    active = switches(*order)
    assert named(active.for_connector("prod-agent", "ghe", "github")) == order[0]
    whole = [scope for scope in order if not scope.startswith("connector")]
    assert named(active.for_gateway("prod-agent")) == whole[0]


def test_switches_are_in_order_of_age() -> None:
    young, old = switch("org", 2), switch("org", 1)
    active = KillSwitches([young, old])
    assert list(active) == [old, young]
    assert active.for_gateway("any") == old
