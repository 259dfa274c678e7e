"""The decision on a named action beside two engines for policies, on the same rules in one run.

cedarpy parses its `PolicySet` and its entities once. casbin has its rules in memory, and asks each.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product

import casbin
import cedarpy
import pytest

from tameflare_core.action import Access, Action, Risk
from tameflare_core.decision import Decision
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.patterns import ActionPattern
from tameflare_core.permission import Permission, PermissionTable
from tameflare_core.request import OutboundRequest
from tameflare_core.testing import FIXED_TIME, gateway_from

SIZES = (100, 1_000)
ACTIONS = ("github.pr.merge", "github.pr.get", "github.issue.create", "github.repo.delete")
SECONDS = 0.15
ROUNDS = 5
MODEL = """
[request_definition]
r = act, owner, repo
[policy_definition]
p = act, owner, repo, eft
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.act == p.act && r.owner == p.owner && r.repo == p.repo
"""
type Question = tuple[str, str, str]


def rules(size: int) -> list[Question]:
    """`size` allows of one action on one repository each; what they do not name is denied."""
    repositories = (f"repository-{number}" for number in range(size // len(ACTIONS)))
    return [(act, "acme", repo) for repo, act in product(repositories, ACTIONS)]


def action(question: Question) -> Action:
    name, owner, repo = question
    return Action(
        name=name,
        access=Access.WRITE,
        risk=Risk.HIGH,
        resource={"owner": owner, "repo": repo},
    )


def permissions(allowed: Sequence[Question]) -> tuple[Permission, ...]:
    return tuple(
        Permission(
            id=f"permissions[{index}]",
            connector="github",
            action=ActionPattern(name),
            decision=Decision.ALLOW,
            resource={"owner": owner, "repo": repo},
        )
        for index, (name, owner, repo) in enumerate(allowed)
    )


def ours(allowed: Sequence[Question]) -> Callable[[Question], bool]:
    """The decision on a named action alone."""
    table = PermissionTable(permissions(allowed))

    def decide(question: Question) -> bool:
        found = table.most_specific(action(question))
        return found is not None and found.decision is Decision.ALLOW

    return decide


def whole(allowed: Sequence[Question]) -> Callable[[Question], bool]:
    """The same from the bytes of a request: canonicalise, name the action, decide."""
    gateway = gateway_from("version: 1\ngateway: g\nconnectors: [{type: github}]\n")
    point = DecisionPoint(replace(gateway, permissions=permissions(allowed)))

    def decide(question: Question) -> bool:
        _, owner, repo = question
        request = OutboundRequest.build(
            method="PUT",
            scheme="https",
            authority="api.github.com",
            target=f"/repos/{owner}/{repo}/pulls/1/merge",
            headers=[("Host", "api.github.com")],
        )
        return point.decide(request, FIXED_TIME).decision is Decision.ALLOW

    return decide


def cedar(allowed: Sequence[Question]) -> Callable[[Question], bool]:
    policies = cedarpy.PolicySet.from_str(
        "\n".join(
            f'permit(principal, action == Action::"{name}", resource == Repo::"{owner}/{repo}");'
            for name, owner, repo in allowed
        )
    )
    entities = cedarpy.Entities.from_json_str("[]")

    def decide(question: Question) -> bool:
        name, owner, repo = question
        request = {
            "principal": 'Agent::"agent"',
            "action": f'Action::"{name}"',
            "resource": f'Repo::"{owner}/{repo}"',
            "context": {},
        }
        return bool(cedarpy.is_authorized(request, policies, entities).allowed)

    return decide


def casbin_engine(allowed: Sequence[Question]) -> Callable[[Question], bool]:
    model = casbin.Enforcer.new_model(text=MODEL)
    enforcer = casbin.Enforcer(model)
    enforcer.add_policies([[*question, "allow"] for question in allowed])
    return lambda question: bool(enforcer.enforce(*question))


ENGINES = {
    "tameflare, named action": ours,
    "tameflare, from the request": whole,
    "cedarpy": cedar,
    "casbin": casbin_engine,
}


def microseconds(decide: Callable[[Question], bool], asked: Question) -> float:
    """Of one decision; as many as fit into a time, so that no engine takes the whole run."""
    count, started = 0, time.perf_counter()
    while (spent := time.perf_counter() - started) < SECONDS:
        decide(asked)
        count += 1
    return spent / count * 1e6


@pytest.mark.parametrize("size", SIZES)
def test_engines_on_equal_rules(
    size: int, print_table: Callable[[str, Sequence[Sequence[str]]], None]
) -> None:
    allowed = rules(size)
    engines = {name: build(allowed) for name, build in ENGINES.items()}
    questions = [
        *allowed[::11],
        ("github.pr.merge", "acme", "unknown"),
        ("github.pr.merge", "other", "repository-7"),
        ("github.pr.update", "acme", "repository-7"),
    ]
    for question in questions:
        answers = {
            name: decide(question)
            for name, decide in engines.items()
            # The request of the whole path is always a merge.
            if question[0] == "github.pr.merge" or name != "tameflare, from the request"
        }
        assert set(answers.values()) == {question in allowed}, (question, answers)
    # The rule in the middle: engines that ask one rule after the other stop there.
    asked = ("github.pr.merge", "acme", f"repository-{size // len(ACTIONS) // 2}")
    times: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(ROUNDS):
        for name, decide in engines.items():
            times[name].append(microseconds(decide, asked))
    cost = {name: statistics.median(found) for name, found in times.items()}
    first = next(iter(cost.values()))
    print_table(
        f"{size:,} equal rules, one decision",
        [
            ("engine", "µs", "ratio"),
            *((name, f"{each:.1f}", f"{each / first:.1f}") for name, each in cost.items()),
        ],
    )
    assert cost["tameflare, named action"] < min(cost["cedarpy"], cost["casbin"])
