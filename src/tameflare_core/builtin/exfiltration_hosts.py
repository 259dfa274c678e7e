"""Hosts by which data go to anybody: paste sites, request catchers, tunnels, file drops.

A curated list of well-known services, in `hosts/exfiltration.tsv`. It holds what is mainly one of
these, so neither code hosts nor cloud storage.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import override

from tameflare_core.hookspecs import hookimpl
from tameflare_core.host_categories import HostClassifier

__all__ = ["ExfiltrationHosts", "register_host_classifiers"]


class ExfiltrationHosts(HostClassifier):
    """The services of the list, each with everything below its domain."""

    categories = frozenset({"file_drop", "paste_site", "request_catcher", "tunnel"})

    @override
    def classify(self, host: str) -> frozenset[str]:
        listed = _listed()
        while host:
            category = listed.get(host)
            if category is not None:
                return frozenset({category})
            host = host.partition(".")[2]
        return frozenset()


@cache
def _listed() -> Mapping[str, str]:
    text = files(__package__).joinpath("hosts/exfiltration.tsv").read_text("utf-8")
    return dict(line.split("\t") for line in text.splitlines()[1:])


@hookimpl
def register_host_classifiers() -> list[HostClassifier]:
    return [ExfiltrationHosts()]
