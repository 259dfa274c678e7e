"""The hook specifications are public: their names, their signatures and what they promise."""

from __future__ import annotations

import inspect

import pluggy
import pytest

from tameflare_core import hookspecs

HOOKS = {
    "register_connectors": "() -> 'list[type[Connector]]'",
    "register_credential_sources": "() -> 'list[CredentialSource]'",
    "register_host_classifiers": "() -> 'list[HostClassifier]'",
}


def specifications() -> dict[str, object]:
    manager = pluggy.PluginManager("tameflare")
    return {
        name: function
        for name, function in inspect.getmembers(hookspecs, inspect.isfunction)
        if manager.parse_hookspec_opts(hookspecs, name) is not None
    }


def test_hooks_are_these() -> None:
    assert set(specifications()) == set(HOOKS)


@pytest.mark.parametrize("name", HOOKS)
def test_hook_has_its_signature_and_words(name: str) -> None:
    function = getattr(hookspecs, name)
    assert str(inspect.signature(function)) == HOOKS[name]
    assert len(inspect.getdoc(function) or "") > 100
