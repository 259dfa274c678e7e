"""What holds for the whole organization: settings, blocked categories, policies."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

import yaml
from fastapi import APIRouter, Path, Response
from pydantic import Field

from tameflare_dashboard.api.fields import Body, MayAdminister, MayEdit, MaySee, Name
from tameflare_dashboard.api.versions import IfMatch, check_version, tag
from tameflare_dashboard.auth.gate import BackendHere
from tameflare_dashboard.db.models import OrgPolicyRow, OrgRow
from tameflare_dashboard.documents import Additions, parts
from tameflare_dashboard.problems import Problem, not_found
from tameflare_dashboard.store import org, policies

__all__ = ["router"]

router = APIRouter()

type _PolicyName = Annotated[str, Path(max_length=200, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]


class Settings(Body):
    """The organization's settings."""

    name: Name
    retention_days: Annotated[int, Field(ge=1, le=400)] = Field(
        default=90, description="How long traffic records are kept."
    )


class BlockedCategories(Body):
    """Categories of actions and hosts that every gateway denies."""

    items: list[Annotated[str, Field(max_length=100)]] = Field(
        max_length=100, examples=[["financial", "paste_sites"]]
    )


class Policy(Body):
    """A policy for every gateway that its scope names."""

    name: str
    value: dict[str, Any] = Field(description="With the keys of one of `policies`.")
    updated: datetime


class NewPolicy(Body):
    """What a policy shall say: as values, or as the text that a person wrote."""

    value: dict[str, Any] | None = Field(
        default=None, description="With the keys of one of `policies` in `tameflare.yaml`."
    )
    text: Annotated[str, Field(max_length=100_000)] | None = Field(
        default=None, description="The same in YAML, instead."
    )

    def values(self) -> dict[str, Any]:
        """The policy.

        Raises:
            ConfigError: the text is no mapping in YAML.
            Problem: 422 with neither a value nor a text, or with both.
        """
        if (self.value is None) == (self.text is None):
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "give `value`, or else `text`"
            )
        return self.value if self.value is not None else parts(self.text or "", "policy")


@router.get("/settings", tags=["settings"], summary="The settings")
async def settings(response: Response, backend: BackendHere, _: MaySee) -> Settings:
    """The organization's name, and how long traffic is kept."""
    async with backend.reading() as session:
        row = await org.load(session)
    tag(response, row.version)
    return _settings(row)


@router.put("/settings", tags=["settings"], summary="Change the settings")
async def change_settings(
    response: Response,
    backend: BackendHere,
    principal: MayAdminister,
    new: Settings,
    if_match: IfMatch = None,
) -> Settings:
    """Replace the settings."""
    async with backend.changing(principal.actor) as tx:
        row = await org.load(tx.session, lock=True)
        check_version(if_match, row.version)
        before = _settings(row).model_dump()
        row.name = new.name
        row.settings = {**row.settings, "retention_days": new.retention_days}
        row.version += 1
        await tx.session.flush()
        await tx.audit("settings.update", f"org:{row.id}", before, new.model_dump())
    tag(response, row.version)
    return _settings(row)


@router.get("/blocked-categories", tags=["policies"], summary="Blocked categories")
async def blocked(response: Response, backend: BackendHere, _: MaySee) -> BlockedCategories:
    """What every gateway denies, whatever its own permissions say."""
    async with backend.reading() as session:
        row = await org.load(session)
    tag(response, row.version)
    return BlockedCategories(items=row.blocked_categories)


@router.put("/blocked-categories", tags=["policies"], summary="Change the blocked categories")
async def block(
    response: Response,
    backend: BackendHere,
    principal: MayEdit,
    new: BlockedCategories,
    if_match: IfMatch = None,
) -> BlockedCategories:
    """Replace what every gateway denies."""
    items = list(dict.fromkeys(new.items))
    async with backend.changing(principal.actor) as tx:
        row = await org.load(tx.session, lock=True)
        check_version(if_match, row.version)
        there = await org.additions(tx.session)
        additions = Additions(blocked_categories=tuple(items), policies=there.policies)
        await policies.check_additions(tx.session, backend, additions)
        before, row.blocked_categories = row.blocked_categories, items
        row.version += 1
        await tx.session.flush()
        await tx.audit("blocked_categories.update", f"org:{row.id}", before, items)
        await policies.tell_everyone(tx)
    tag(response, row.version)
    return BlockedCategories(items=items)


@router.get("/policies", tags=["policies"], summary="The organization's policies")
async def all_policies(backend: BackendHere, _: MaySee) -> list[Policy]:
    """Every policy that stands beside those of the gateways' own documents."""
    async with backend.reading() as session:
        return [_policy(row) for row in await policies.listed(session)]


@router.get("/policies/{name}", tags=["policies"], summary="One policy")
async def one_policy(
    response: Response, backend: BackendHere, _: MaySee, name: _PolicyName
) -> Policy:
    """A policy of the organization."""
    async with backend.reading() as session:
        row = await policies.find(session, name)
    if row is None:
        raise not_found("policy", name)
    tag(response, row.version)
    return _policy(row)


@router.put("/policies/{name}", tags=["policies"], summary="Add or change a policy")
async def put_policy(
    response: Response,
    backend: BackendHere,
    principal: MayEdit,
    name: _PolicyName,
    new: NewPolicy,
    if_match: IfMatch = None,
) -> Policy:
    """Keep a policy, once every gateway would load with it. A new one takes no `If-Match`."""
    async with backend.changing(principal.actor) as tx:
        row = await policies.find(tx.session, name, lock=True)
        if row is not None:
            check_version(if_match, row.version)
        else:
            response.status_code = 201
        row = await policies.put(tx, backend, {**new.values(), "name": name}, row=row)
    tag(response, row.version)
    return _policy(row)


@router.delete("/policies/{name}", status_code=204, tags=["policies"], summary="Remove a policy")
async def remove_policy(
    backend: BackendHere, principal: MayEdit, name: _PolicyName, if_match: IfMatch = None
) -> None:
    """Remove a policy of the organization."""
    async with backend.changing(principal.actor) as tx:
        row = await policies.find(tx.session, name, lock=True)
        if row is None:
            raise not_found("policy", name)
        check_version(if_match, row.version)
        await policies.remove(tx, row)


def _settings(row: OrgRow) -> Settings:
    return Settings(name=row.name, retention_days=row.settings.get("retention_days", 90))


def _policy(row: OrgPolicyRow) -> Policy:
    return Policy(name=row.name, value=yaml.safe_load(row.document), updated=row.updated)
