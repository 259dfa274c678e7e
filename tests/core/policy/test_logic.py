"""Kleene's truth tables, and the order in which tests are asked."""

from __future__ import annotations

from itertools import product

import pytest

from tameflare_core.policy.facts import Truth
from tameflare_core.policy.logic import all_of, any_of, negated

TRUTHS: tuple[Truth, ...] = (True, False, None)
# False is least, unknown in the middle: `all` is the least of its parts, `any` the greatest.
RANK = {False: 0, None: 1, True: 2}


def constant(truth):
    return lambda _: truth


def never_asked(_):
    raise AssertionError("was asked")


@pytest.mark.parametrize("parts", [*product(TRUTHS, repeat=2), *product(TRUTHS, repeat=3)])
def test_all_is_the_least_and_any_the_greatest(parts):
    tests = [constant(truth) for truth in parts]
    assert all_of(tests)("x") is min(parts, key=RANK.__getitem__)
    assert any_of(tests)("x") is max(parts, key=RANK.__getitem__)


@pytest.mark.parametrize("truth", TRUTHS)
def test_one_part_is_the_whole(truth):
    assert all_of([constant(truth)])("x") is truth
    assert any_of([constant(truth)])("x") is truth


@pytest.mark.parametrize(("truth", "opposite"), [(True, False), (False, True), (None, None)])
def test_not_leaves_the_unknown_unknown(truth, opposite):
    assert negated(constant(truth))("x") is opposite


def test_what_cannot_change_the_result_is_not_asked():
    assert all_of([constant(None), constant(False), never_asked])("x") is False
    assert any_of([constant(None), constant(True), never_asked])("x") is True
