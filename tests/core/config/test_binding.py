"""From a document to a gateway; its mistakes are in `broken_configs.yaml`."""

from __future__ import annotations

import pytest

from tameflare_core.errors import ConfigError
from tameflare_core.hookspecs import hookimpl
from tameflare_core.host_categories import HostClassifier
from tameflare_core.testing import gateway_from


class Listed(HostClassifier):
    categories = frozenset({"own_place"})

    def classify(self, host: str) -> frozenset[str]:
        return self.categories if host == "listed.example" else frozenset()


class Classifiers:
    @staticmethod
    @hookimpl
    def register_host_classifiers() -> list[HostClassifier]:
        return [Listed()]


BLOCKING = "version: 1\ngateway: g\nblocked_categories: [own_place, financial, tunnel]\n"


def test_categories_of_hosts_can_be_blocked_once_somebody_gives_them() -> None:
    gateway = gateway_from(BLOCKING, extra=[Classifiers])
    assert gateway.blocked_categories == {
        "own_place": "blocked_categories[0]",
        "financial": "blocked_categories[1]",
        "tunnel": "blocked_categories[2]",
    }
    assert gateway.host_categories.of("listed.example") == {"own_place"}
    with pytest.raises(ConfigError, match=r"blocked_categories\[0\]: no category `own_place`"):
        gateway_from(BLOCKING)


def test_mistakes_of_all_parts_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        gateway_from("""
            version: 1
            gateway: g
            connectors: [{type: gitub}]
            permissions: [{connector: gitlab, action: "x.*", decision: deny}]
            policies: [{name: p, rules: []}]
            blocked_categories: [nothing]
        """)
    assert [problem.split(": ")[1] for problem in refused.value.problems] == [
        "connectors[0].type",
        "permissions[0].connector",
        "policies[0].rules",
        "blocked_categories[0]",
    ]
