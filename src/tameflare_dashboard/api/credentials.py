"""Credentials of the vault: put and forgotten here, and never shown."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import Field, SecretStr

from tameflare_core.vault.secret import Secret
from tameflare_dashboard.api.fields import Body, MayEdit, MaySee
from tameflare_dashboard.auth.gate import BackendHere
from tameflare_dashboard.db.models import CredentialRow
from tameflare_dashboard.problems import Problem
from tameflare_dashboard.store import credentials, gateways

__all__ = ["router"]

router = APIRouter(tags=["credentials"])

type _Name = Annotated[str, Path(pattern=credentials.NAME, examples=["github-prod"])]


class Credential(Body):
    """A credential, without its value."""

    name: str
    version: int = Field(description="How often it was put.")
    created: datetime
    updated: datetime
    used_by: list[str] = Field(description="The names of the gateways that inject it.")


class NewValue(Body):
    """The value of a credential; no answer ever holds it."""

    value: SecretStr = Field(min_length=1, max_length=20_000)


@router.get("/credentials", summary="All credentials")
async def all_credentials(backend: BackendHere, _: MaySee) -> list[Credential]:
    """Every credential of the vault, without its value."""
    async with backend.reading() as session:
        rows = await credentials.listed(session)
        return [
            _shown(row, [each.name for each in await gateways.users_of(session, row.name)])
            for row in rows
        ]


@router.put("/credentials/{name}", summary="Put a credential")
async def put(
    response: Response, backend: BackendHere, principal: MayEdit, name: _Name, new: NewValue
) -> Credential:
    """Keep a credential, in the place of an earlier value; gateways that use it get it at once."""
    _check_not_own(name)
    async with backend.changing(principal.actor) as tx:
        row = await credentials.put(tx, backend, name, Secret(new.value.get_secret_value()))
        users = await gateways.users_of(tx.session, name)
    response.status_code = 201 if row.version == 1 else 200
    return _shown(row, [each.name for each in users])


@router.delete("/credentials/{name}", status_code=204, summary="Forget a credential")
async def remove(backend: BackendHere, principal: MayEdit, name: _Name) -> None:
    """Forget a credential that no gateway uses any more."""
    _check_not_own(name)
    async with backend.changing(principal.actor) as tx:
        await credentials.remove(tx, name)


def _check_not_own(name: str) -> None:
    if name.startswith(credentials.OWN):
        raise Problem(
            HTTPStatus.CONFLICT,
            "taken",
            f"names that start with `{credentials.OWN}` are the organization's own",
        )


def _shown(row: CredentialRow, users: list[str]) -> Credential:
    return Credential(
        name=row.name,
        version=row.version,
        created=row.created,
        updated=row.updated,
        used_by=users,
    )
