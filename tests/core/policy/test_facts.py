"""Facts are a value: nothing changes them once a request is judged."""

from __future__ import annotations

import dataclasses

import pytest

from tameflare_core.policy.facts import ABSENT, UNTOLD, Missing


def test_facts_cannot_be_changed(facts):
    with pytest.raises(dataclasses.FrozenInstanceError):
        facts().gateway = "other"


def test_absent_and_untold_are_no_values_of_json():
    assert {ABSENT, UNTOLD} == set(Missing)
    assert not isinstance(ABSENT, str | int | float | bool | list | dict | None)
