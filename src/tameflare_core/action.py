"""What a request does, in words that rules are written in."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Access", "Action", "Category", "Risk", "action_name"]


class Access(enum.StrEnum):
    """Whether an operation changes anything, by what it does and not by its verb."""

    READ = "read"
    WRITE = "write"


class Risk(enum.StrEnum):
    """How much harm an operation can do, in rising order."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Category(enum.StrEnum):
    """What kind of harm an operation can do."""

    DESTRUCTIVE = "destructive"
    FINANCIAL = "financial"
    IDENTITY = "identity"
    SECRETS = "secrets"
    MESSAGING = "messaging"
    CODE_EXECUTION = "code_execution"
    DATA_EXPORT = "data_export"
    MODEL_INFERENCE = "model_inference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One named operation within a request.

    Attributes:
        name: `provider.resource.verb`, lower-case ASCII.
        access: read or write.
        risk: how much harm it can do.
        categories: none or several.
        resource: what it acts on (`owner`, `repo`, `number`), as the service names it.
        resource_complete: whether `resource` says all that the request says about what it acts on.
            Where it does not (a repository named by its id, a path that no row covers), a rule
            about a field that is missing counts as matching if it denies or asks, and as not
            matching if it allows.
        params: values of the query or body that rules and approvers look at.
        params_complete: whether `params` holds all such values of the request; not so where its
            body is larger than what is inspected.
    """

    name: str
    access: Access
    risk: Risk
    categories: frozenset[Category] = frozenset()
    resource: Mapping[str, str] = field(default_factory=dict)
    resource_complete: bool = True
    params: Mapping[str, object] = field(default_factory=dict)
    params_complete: bool = True


_SEGMENT = re.compile(r"[a-z0-9_][a-z0-9_-]*")


def action_name(name: str) -> str:
    """Return `name` when it is an action's name: two or more dotted lower-case segments.

    Raises:
        ValueError: it is not.
    """
    segments = name.split(".")
    if len(segments) < 2 or not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise ValueError(f"`{name}` is not an action name like `github.pr.merge`")
    return name
