"""Gateways' documents: checked as a gateway would, completed for it, and edited in parts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

import yaml

from tameflare_core.config.document import GatewayConfig
from tameflare_core.enforcement_level import EnforcementLevel
from tameflare_core.errors import ConfigError
from tameflare_core.gateway import Gateway
from tameflare_core.plugins import Plugins
from tameflare_core.yaml_source import YamlSource
from tameflare_dashboard.settings import Settings

__all__ = [
    "Additions",
    "Checked",
    "Outline",
    "check",
    "completed",
    "edited",
    "outline",
    "parts",
    "render",
    "revision_of",
    "vault_names",
]

_NAME = "tameflare.yaml"
_VAULT = "vault:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Additions:
    """What the organization adds to every gateway.

    Attributes:
        blocked_categories: besides those of the gateway's own document.
        policies: YAML texts, each of the form of one of `policies`.
    """

    blocked_categories: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What lists show of a document.

    Attributes:
        enforcement: how much of a verdict is acted on.
        connectors: id and type of each.
    """

    enforcement: EnforcementLevel
    connectors: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A document that a gateway would load.

    Attributes:
        name, environment: the gateway's.
        credentials: the names of those of the vault that it uses.
        gateway: it, bound; its credentials are not there.
    """

    name: str
    environment: str
    credentials: frozenset[str]
    gateway: Gateway


def check(text: str, additions: Additions, plugins: Plugins, settings: Settings) -> Checked:
    """Load a document the way a gateway will.

    Args:
        text: YAML.
        additions: of the organization.
        plugins: connector types.
        settings: for the folder that relative names start at.

    Raises:
        ConfigError: a gateway would refuse it; all problems are listed.
    """
    config = GatewayConfig.from_text(text, name=_NAME, folder=settings.folder)
    source = YamlSource.parse(text, _NAME)
    problems = []
    for index, connector in enumerate(config.connectors):
        if "openapi" in connector.options:
            problems.append(
                source.problem(
                    ("connectors", index, "openapi"),
                    "the control plane has no such file: list the `actions` themselves",
                )
            )
        if connector.ca_file is not None and not PurePosixPath(connector.ca_file).is_absolute():
            problems.append(
                source.problem(
                    ("connectors", index, "ca_file"),
                    "write the whole path of the file on the gateway's machine",
                )
            )
    if problems:
        raise ConfigError(*problems)
    gateway = config.bind(plugins, elsewhere=True)
    whole = completed(text, additions)
    if whole is not text:
        gateway = GatewayConfig.from_text(
            whole, name="with the organization's policies", folder=settings.folder
        ).bind(plugins, elsewhere=True)
    return Checked(
        name=config.gateway,
        environment=config.environment,
        credentials=vault_names(text),
        gateway=gateway,
    )


@lru_cache(maxsize=2048)
def outline(text: str) -> Outline:
    """What lists show of a document."""
    document = parts(text)
    return Outline(
        enforcement=EnforcementLevel(document.get("enforcement") or EnforcementLevel.ENFORCE),
        connectors=tuple(
            (str(part.get("id") or part["type"]), str(part["type"]))
            for part in document.get("connectors") or []
        ),
    )


@lru_cache(maxsize=2048)
def vault_names(text: str) -> frozenset[str]:
    """The credentials of the vault that a document uses."""
    names = set()
    for connector in parts(text).get("connectors") or []:
        reference = str(connector.get("credential") or "")
        if reference.startswith(_VAULT):
            names.add(reference.removeprefix(_VAULT))
    return frozenset(names)


@lru_cache(maxsize=2048)
def completed(text: str, additions: Additions) -> str:
    """A document with what the organization adds; the very same text when that is nothing."""
    if not additions.blocked_categories and not additions.policies:
        return text
    document = parts(text)
    own = list(document.get("blocked_categories") or [])
    document["blocked_categories"] = [
        *own,
        *(name for name in additions.blocked_categories if name not in own),
    ]
    document["policies"] = [
        *(document.get("policies") or []),
        *(yaml.safe_load(policy) for policy in additions.policies),
    ]
    return render(document)


def parts(text: str, name: str = _NAME) -> dict[str, Any]:
    """A document as plain values.

    Args:
        text: YAML.
        name: what it is called in errors.

    Raises:
        ConfigError: it is no mapping in YAML.
    """
    data = YamlSource.parse(text, name).data
    if not isinstance(data, dict):
        raise ConfigError(f"{name}:1: it is a mapping: `key: value`, line by line")
    return data


def render(document: dict[str, Any]) -> str:
    """Plain values as a document."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True  # a gateway refuses a document with aliases


def edited(text: str, edit: Callable[[dict[str, Any]], None]) -> str:
    """A document with a change in its values; comments do not survive it."""
    document = parts(text)
    edit(document)
    return render(document)


def revision_of(parts_: Iterable[str]) -> str:
    """What changes when any of some texts does."""
    digest = hashlib.sha256()
    for part in parts_:
        digest.update(len(part.encode()).to_bytes(8) + part.encode())
    return digest.hexdigest()[:32]
