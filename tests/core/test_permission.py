"""Which rule decides: the order of specificity, and that the order of writing never matters."""

from __future__ import annotations

import fnmatch
import tracemalloc
from collections.abc import Sequence
from itertools import permutations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tameflare_core.action import Access, Action, Category, Risk
from tameflare_core.decision import Decision
from tameflare_core.patterns import ActionPattern
from tameflare_core.permission import Permission, PermissionTable

MERGE = Action(
    name="github.pr.merge",
    access=Access.WRITE,
    risk=Risk.HIGH,
    categories=frozenset({Category.DESTRUCTIVE}),
    resource={"owner": "o", "repo": "r"},
)
ALLOW, ASK, DENY = Decision.ALLOW, Decision.REQUIRE_APPROVAL, Decision.DENY


def action(name: str, /, **resource: str) -> Action:
    return Action(name=name, access=Access.READ, risk=Risk.LOW, resource=resource)


def rule(pattern: str, decision: Decision = ALLOW, **constraints: object) -> Permission:
    resource = constraints.pop("resource", {})
    return Permission(
        id=f"{pattern} {decision} {sorted(constraints)} {resource}",
        connector="c",
        action=ActionPattern(pattern),
        decision=decision,
        resource=resource,  # type: ignore[arg-type]
        **constraints,  # type: ignore[arg-type]
    )


# The order of specificity

# The first of each pair decides; each row is settled by the criterion above it.
MORE_SPECIFIC = [
    # 1. An exact action before any pattern, whatever its constraints and strictness.
    (
        rule("github.pr.merge"),
        rule("github.pr.*", DENY, access=Access.WRITE, risk=Risk.HIGH, resource={"repo": "r"}),
    ),
    (rule("github.pr.merge"), rule("*.pr.merge", DENY)),
    # 2. More literal segments.
    (rule("github.pr.*"), rule("github.*", DENY, resource={"repo": "r"})),
    (rule("*.pr.merge"), rule("github.*", DENY)),
    (rule("github.*"), rule("*", DENY, access=Access.WRITE)),
    # 3. The longer literal prefix, in characters.
    (rule("github.pr.*"), rule("github.*.merge", DENY)),
    (rule("github.*.merge"), rule("*.pr.merge", DENY)),
    # 4. More constraints.
    (rule("github.*", access=Access.WRITE), rule("github.*", DENY)),
    (
        rule("github.*", access=Access.WRITE, risk=Risk.HIGH),
        rule("github.*", DENY, category=Category.DESTRUCTIVE),
    ),
    (
        rule("github.*", resource={"owner": "o", "repo": "r*"}),
        rule("github.*", DENY, resource={"repo": "r"}),
    ),
    # 5. The stricter decision.
    (rule("github.*", DENY), rule("github.*", ASK)),
    (rule("github.*", ASK), rule("github.*", ALLOW)),
    (
        rule("github.*", DENY, access=Access.WRITE),
        rule("github.*", ALLOW, resource={"repo": "r"}),
    ),
]


def matching(table: PermissionTable, of: Action) -> list[Permission]:
    return [
        one
        for one in table.covering(of.name)
        if one.action.permits(of.name) and not one.failed_constraint(of)
    ]


@pytest.mark.parametrize(("first", "second"), MORE_SPECIFIC)
def test_more_specific_rule_decides(first: Permission, second: Permission) -> None:
    assert first.specificity > second.specificity
    for rules in permutations([first, second]):
        assert PermissionTable(rules).most_specific(MERGE) is first
        assert matching(PermissionTable(rules), MERGE) == [first, second]


def test_equally_specific_patterns_are_settled_by_what_follows() -> None:
    call = action("mcp.tools.call.x", server="s")
    patterns = ("*.tools.*", "*.*.call.*")
    for first, second in permutations(patterns):
        for rules in permutations([rule(first, ALLOW), rule(second, DENY)]):
            decided = PermissionTable(rules).most_specific(call)
            assert decided is not None
            assert decided.decision is DENY
        rules = (rule(first, ALLOW, resource={"server": "s"}), rule(second, DENY))
        assert PermissionTable(rules).most_specific(call) is rules[0]


@pytest.mark.parametrize(
    "constraints",
    [
        {"access": Access.READ},
        {"risk": Risk.LOW},
        {"category": Category.FINANCIAL},
        {"resource": {"repo": "other"}},
        {"resource": {"repo": "r", "owner": "other"}},
        {"resource": {"number": "1"}},
        {"resource": {"number": "*"}},
        {"resource": {"repo": "*x"}},
    ],
)
def test_constraint_that_fails_takes_a_rule_out(constraints: dict[str, object]) -> None:
    table = PermissionTable([rule("github.pr.merge", DENY, **constraints), rule("github.*", ALLOW)])
    decided = table.most_specific(MERGE)
    assert decided is not None
    assert decided.decision is ALLOW


def test_no_rule_decides_nothing() -> None:
    assert PermissionTable([]).most_specific(MERGE) is None
    assert PermissionTable([rule("stripe.*")]).most_specific(MERGE) is None


# What a request does not say about its resource


def incomplete(**resource: str) -> Action:
    return Action(
        name="github.repo.delete",
        access=Access.WRITE,
        risk=Risk.CRITICAL,
        resource=resource,
        resource_complete=False,
    )


@pytest.mark.parametrize("value", ["prod", "pr*"])
@pytest.mark.parametrize("decision", [DENY, ASK])
def test_missing_field_cannot_evade_a_strict_rule(value: str, decision: Decision) -> None:
    rules = [rule("github.*"), rule("github.repo.delete", decision, resource={"repo": value})]
    decided = PermissionTable(rules).most_specific(incomplete(repository_id="1"))
    assert decided is rules[1]


@pytest.mark.parametrize("value", ["prod", "pr*", "*"])
def test_missing_field_never_satisfies_a_rule_that_allows(value: str) -> None:
    rules = [rule("github.repo.delete", ALLOW, resource={"repo": value})]
    assert PermissionTable(rules).most_specific(incomplete(repository_id="1")) is None


def test_field_that_is_known_is_compared_all_the_same() -> None:
    rules = [rule("github.*"), rule("github.repo.delete", DENY, resource={"repo": "prod"})]
    assert PermissionTable(rules).most_specific(incomplete(repo="dev")) is rules[0]


# Against a reference written from the text of the design

NAMES = st.sampled_from(
    [
        "github.pr.merge",
        "github.pr.update",
        "github.issue.close",
        "github.unmapped.post",
        "github.opaque.post",
        "http.get",
        "mcp.tools.call.x",
        "mcp.tools.list",
    ]
)
ACTIONS = st.builds(
    Action,
    name=NAMES,
    access=st.sampled_from(Access),
    risk=st.sampled_from(Risk),
    categories=st.frozensets(st.sampled_from(list(Category)[:2])),
    resource=st.dictionaries(st.sampled_from(["owner", "repo"]), st.sampled_from(["a", "ab", "b"])),
    resource_complete=st.booleans(),
)
PATTERNS = st.lists(
    st.sampled_from(
        ["github", "pr", "merge", "unmapped", "opaque", "post", "mcp", "tools", "*", "*"]
    ),
    min_size=1,
    max_size=4,
).map(".".join)
LIKELY_PATTERNS = st.sampled_from(
    [
        "*",
        "github.*",
        "github.pr.*",
        "github.pr.merge",
        "github.*.merge",
        "*.pr.*",
        "*.*.merge",
        "github.unmapped.*",
        "github.opaque.post",
        "mcp.*",
        "mcp.tools.*",
        "mcp.*.call.*",
        "http.get",
    ]
)
RULES = st.builds(
    Permission,
    id=st.uuids().map(str),
    connector=st.just("c"),
    action=st.one_of(LIKELY_PATTERNS, PATTERNS).map(ActionPattern),
    decision=st.sampled_from(Decision),
    access=st.none() | st.sampled_from(Access),
    risk=st.none() | st.sampled_from(Risk),
    category=st.none() | st.sampled_from(list(Category)[:2]),
    resource=st.dictionaries(
        st.sampled_from(["owner", "repo"]), st.sampled_from(["a", "ab", "a*", "*b", "*", "a*b"])
    ),
)


def reference_covers(pattern: str, name: str) -> bool:
    """`*` stands for one whole segment and a final `*` for one or more."""
    parts, segments = pattern.split("."), name.split(".")
    if parts[-1] == "*":
        parts = parts[:-1] + ["*"] * max(1, len(segments) - len(parts) + 1)
    covered = len(parts) == len(segments) and all(
        part in ("*", segment) for part, segment in zip(parts, segments, strict=True)
    )
    if segments[1] == "unmapped":
        named = pattern.split(".")[1:2] == ["unmapped"]
        return covered and (named or pattern in {"*", f"{segments[0]}.*"})
    if segments[1] == "opaque":
        return covered and pattern.split(".")[1:2] == ["opaque"]
    return covered


def reference_matches(permission: Permission, judged: Action) -> bool:
    return (
        reference_covers(permission.action.text, judged.name)
        and permission.access in (None, judged.access)
        and permission.risk in (None, judged.risk)
        and (permission.category is None or permission.category in judged.categories)
        and all(
            fnmatch.fnmatchcase(judged.resource[key], value)
            if key in judged.resource
            else not judged.resource_complete and permission.decision is not ALLOW
            for key, value in permission.resource.items()
        )
    )


def reference_order(permission: Permission) -> tuple[object, ...]:
    """Compared in this order, first difference wins."""
    segments = permission.action.text.split(".")
    prefix = segments[: segments.index("*")] if "*" in segments else segments
    set_constraints = [permission.access, permission.risk, permission.category]
    return (
        "*" not in segments,
        sum(segment != "*" for segment in segments),
        len(".".join(prefix)),
        sum(part is not None for part in set_constraints) + len(permission.resource),
        [ALLOW, ASK, DENY].index(permission.decision),
    )


@given(st.lists(RULES, max_size=12), ACTIONS)
def test_table_agrees_with_the_reference(rules: list[Permission], judged: Action) -> None:
    table = PermissionTable(rules)
    expected = [one for one in rules if reference_matches(one, judged)]
    assert sorted(matching(table, judged), key=lambda one: one.id) == sorted(
        expected, key=lambda one: one.id
    )
    decided = table.most_specific(judged)
    if decided is None:
        assert not expected
        return
    assert reference_order(decided) == max(map(reference_order, expected))
    assert matching(table, judged)[0] is decided


@given(st.lists(RULES, max_size=10), ACTIONS, st.randoms())
def test_order_of_writing_changes_nothing(
    rules: list[Permission], judged: Action, random: st.DataObject
) -> None:
    shuffled = list(rules)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first = PermissionTable(rules).most_specific(judged)
    second = PermissionTable(shuffled).most_specific(judged)
    assert first is second


def decision_of(rules: Sequence[Permission], judged: Action) -> int:
    """How strict the outcome is, with no rule the strictest."""
    decided = PermissionTable(rules).most_specific(judged)
    return (DENY if decided is None else decided.decision).strictness


@given(st.lists(RULES, max_size=10), RULES, ACTIONS)
def test_stricter_rule_of_equal_specificity_never_allows_more(
    rules: list[Permission], added: Permission, judged: Action
) -> None:
    deny = Permission(
        id="added",
        connector="c",
        action=added.action,
        decision=DENY,
        access=added.access,
        risk=added.risk,
        category=added.category,
        resource=added.resource,
    )
    others = [one for one in rules if one.specificity <= deny.specificity]
    assert decision_of([*others, deny], judged) >= decision_of(others, judged)


@given(st.lists(RULES, max_size=10), st.integers(0, 9), ACTIONS)
def test_making_a_rule_stricter_never_allows_more(
    rules: list[Permission], index: int, judged: Action
) -> None:
    assume(index < len(rules))
    changed = rules[index]
    stricter = Permission(
        id=changed.id,
        connector="c",
        action=changed.action,
        decision=DENY,
        access=changed.access,
        risk=changed.risk,
        category=changed.category,
        resource=changed.resource,
    )
    after = [*rules[:index], stricter, *rules[index + 1 :]]
    assert decision_of(after, judged) >= decision_of(rules, judged)


# Size


def test_many_rules_on_many_names_stay_small_in_memory() -> None:
    rules = [rule("github.*", DENY, resource={"repo": f"r{index}"}) for index in range(5000)]
    table = PermissionTable(rules)
    tracemalloc.start()
    for number in range(2000):
        assert table.most_specific(action(f"github.resource{number}.get", repo="r7")) is not None
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert size < 4_000_000


def test_names_without_end_are_forgotten() -> None:
    table = PermissionTable([rule("mcp.*")])
    tracemalloc.start()
    for number in range(20_000):
        assert table.most_specific(action(f"mcp.tools.call.tool-{number}")) is not None
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert size < 8_000_000
