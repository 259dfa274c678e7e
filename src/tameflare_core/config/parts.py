"""The parts of `tameflare.yaml`, each with its keys and their types."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from tameflare_core.action import Access, Category, Risk
from tameflare_core.decision import Decision, Role
from tameflare_core.enforcement_level import EnforcementLevel
from tameflare_core.injection.placement import Basic, Header, Placement, Query
from tameflare_core.parsers.route_table import Route
from tameflare_core.policy.rules import Per

__all__ = [
    "ConnectorPart",
    "GatewayPart",
    "NamedActionPart",
    "PermissionPart",
    "PolicyPart",
    "PolicyRulePart",
]

_NAME = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"

type _NameGlob = Annotated[str, Field(pattern=r"^[a-z0-9*-]+$")]
type _Timeout = Annotated[float, Field(strict=True, gt=0, le=86_400, allow_inf_nan=False)]


class Part(BaseModel):
    """A mapping with these keys and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _BearerAuth(Part):
    type: Literal["bearer"]

    def placement(self) -> Placement:
        return Header()


class _TokenAuth(Part):
    type: Literal["token"]

    def placement(self) -> Placement:
        return Header(prefix="token ")


class _HeaderAuth(Part):
    type: Literal["header"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
    prefix: str = ""

    def placement(self) -> Placement:
        return Header(name=self.name.lower(), prefix=self.prefix)


class _BasicAuth(Part):
    type: Literal["basic"]
    username: str | None = None

    def placement(self) -> Placement:
        return Basic(username=self.username)


class _QueryAuth(Part):
    type: Literal["query"]
    name: Annotated[str, Field(min_length=1)]

    def placement(self) -> Placement:
        return Query(name=self.name)


class NamedActionPart(Part):
    """A row of `actions`: what a generic service's operation is called."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    path: str
    action: str
    access: Access
    risk: Risk = Risk.MEDIUM
    categories: tuple[Category, ...] = ()

    def route(self, path: str, action: str) -> Route:
        return Route(
            method=self.method,
            path=path,
            action=action,
            access=self.access,
            risk=self.risk,
            categories=frozenset(self.categories),
        )


class ConnectorPart(Part):
    """One of `connectors`."""

    # A connector type may take keys of its own; they are checked against its `options`.
    model_config = ConfigDict(extra="allow", frozen=True)

    type: str
    id: Annotated[str | None, Field(pattern=_NAME)] = None
    base_url: str | None = None
    hosts: tuple[str, ...] = ()
    credential: str | None = None
    auth: Annotated[
        _BearerAuth | _TokenAuth | _HeaderAuth | _BasicAuth | _QueryAuth | None,
        Field(discriminator="type"),
    ] = None
    allow_private_network: StrictBool = False
    ca_file: str | None = None
    actions: tuple[NamedActionPart, ...] = ()

    @property
    def options(self) -> dict[str, object]:
        return dict(self.model_extra or {})


class PermissionPart(Part):
    """One of `permissions`."""

    connector: str
    action: str
    decision: Decision
    access: Access | None = None
    risk: Risk | None = None
    category: Category | None = None
    resource: dict[str, str] = Field(default_factory=dict)


class ApprovalPart(Part):
    """How approvals of the gateway are asked."""

    timeout: _Timeout = 300


class ScopePart(Part):
    """What a policy is about; a list that is left out is about everything."""

    gateways: tuple[_NameGlob, ...] = ()
    environments: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    actions: tuple[str, ...] = ()


class PolicyApprovalPart(Part):
    """What a policy asks of an approval."""

    timeout: _Timeout | None = None
    roles: tuple[Role, ...] | None = None


class LimitPart(Part):
    """What may pass before a rule applies: a number of requests, or a sum."""

    requests: Annotated[int | None, Field(strict=True, ge=0)] = None
    sum: str | None = None
    most: int | float | str | None = None
    within: int | float | str
    per: Per = Per.GATEWAY


class PolicyRulePart(Part):
    """One of a policy's `rules`."""

    name: Annotated[str, Field(pattern=_NAME)]
    when: dict[str, object] | None = None
    limit: LimitPart | None = None
    decision: Decision
    reason: Annotated[str, Field(max_length=500)] = ""
    approval: PolicyApprovalPart | None = None


class PolicyPart(Part):
    """One of `policies`."""

    name: Annotated[str, Field(pattern=_NAME)]
    scope: ScopePart = ScopePart()
    rules: tuple[PolicyRulePart, ...]


class GatewayPart(Part):
    """The whole document."""

    version: Literal[1]
    gateway: Annotated[str, Field(pattern=_NAME)]
    environment: str = ""
    enforcement: EnforcementLevel = EnforcementLevel.ENFORCE
    connectors: tuple[ConnectorPart, ...] = ()
    permissions: tuple[PermissionPart, ...] = ()
    policies: tuple[PolicyPart, ...] = ()
    blocked_categories: tuple[str, ...] = ()
    approval: ApprovalPart = ApprovalPart()
