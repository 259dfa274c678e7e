"""The vault: credentials, sealed under the vault key; no operation here gives one to a user."""

from __future__ import annotations

import re
from collections.abc import Collection
from http import HTTPStatus

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from tameflare_core.vault.envelope import SealedCredential, open_sealed, seal
from tameflare_core.vault.secret import Secret
from tameflare_dashboard.backend import Backend, Transaction
from tameflare_dashboard.db.models import CredentialRow
from tameflare_dashboard.problems import Problem, not_found
from tameflare_dashboard.store import gateways, org

__all__ = ["NAME", "OWN", "listed", "opened", "put", "remove", "versions"]

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
"""What a credential can be called."""

_NAME = re.compile(NAME)

OWN = "org."
"""What the names of the organization's own secrets start with; no gateway gets these."""


async def listed(session: AsyncSession) -> list[CredentialRow]:
    """Every credential, by name."""
    return list(
        await session.scalars(
            select(CredentialRow)
            .where(~CredentialRow.name.startswith(OWN))
            .order_by(CredentialRow.name)
        )
    )


async def put(tx: Transaction, backend: Backend, name: str, secret: Secret) -> CredentialRow:
    """Keep a credential, in the place of an earlier one of that name.

    Raises:
        Problem: 422 when nothing can be called so.
    """
    if not _NAME.fullmatch(name):
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid-request",
            "a credential's name has letters, digits, `.`, `_` and `-`, 128 at the most",
        )
    row = (
        await tx.session.scalars(
            select(CredentialRow).where(CredentialRow.name == name).with_for_update()
        )
    ).one_or_none()
    version = row.version + 1 if row else 1
    owner = await org.load(tx.session)
    sealed = seal(secret, backend.vault_key, org=owner.id, credential=name, version=version)
    if row is None:
        row = CredentialRow(name=name, created=tx.now)
        tx.session.add(row)
    row.version, row.updated = version, tx.now
    row.key_id, row.wrapped_key = sealed.key_id, sealed.wrapped_key
    row.ciphertext = sealed.ciphertext
    await tx.session.flush()
    verb = "credential.create" if version == 1 else "credential.update"
    await tx.audit(verb, f"credential:{name}", after={"version": version})
    for gateway in await gateways.users_of(tx.session, name):
        gateways.changed(tx, gateway.id)
    return row


async def remove(tx: Transaction, name: str) -> None:
    """Forget a credential.

    Raises:
        Problem: 404, or 409 while a gateway uses it.
    """
    row = (
        await tx.session.scalars(
            select(CredentialRow).where(CredentialRow.name == name).with_for_update()
        )
    ).one_or_none()
    if row is None:
        raise not_found("credential", name)
    users = await gateways.users_of(tx.session, name)
    if users:
        listed_ = ", ".join(f"`{user.name}`" for user in users)
        raise Problem(
            HTTPStatus.CONFLICT,
            "in-use",
            f"the credential is used by {listed_}: take it out of their connectors first",
        )
    await tx.audit("credential.delete", f"credential:{name}", before={"version": row.version})
    await tx.session.delete(row)


async def opened(
    session: AsyncSession, backend: Backend, names: Collection[str]
) -> dict[str, tuple[int, Secret]]:
    """Credentials with their versions, for the gateway that uses them.

    Raises:
        VaultError: one is damaged, or was sealed under another key.
    """
    if not names:
        return {}
    owner = await org.load(session)
    rows = await session.scalars(select(CredentialRow).where(CredentialRow.name.in_(names)))
    found = {}
    for row in rows:
        sealed = SealedCredential(
            version=row.version,
            key_id=row.key_id,
            wrapped_key=row.wrapped_key,
            ciphertext=row.ciphertext,
        )
        secret = open_sealed(sealed, backend.vault_key, org=owner.id, credential=row.name)
        found[row.name] = row.version, secret
    return found


async def versions(session: AsyncSession, names: Collection[str]) -> dict[str, int]:
    """The versions of credentials."""
    if not names:
        return {}
    rows = await session.execute(
        select(CredentialRow.name, CredentialRow.version).where(CredentialRow.name.in_(names))
    )
    return {name: version for name, version in rows}  # noqa: C416  # rows are no pairs to mypy
