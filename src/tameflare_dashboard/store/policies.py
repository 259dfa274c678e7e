"""Policies of the organization, which stand beside those of each gateway."""

from __future__ import annotations

from typing import Any

import yaml
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from tameflare_core.errors import ConfigError
from tameflare_dashboard.backend import Backend, Transaction
from tameflare_dashboard.db.models import OrgPolicyRow
from tameflare_dashboard.documents import Additions
from tameflare_dashboard.store import gateways, org

__all__ = ["check_additions", "find", "listed", "put", "remove", "tell_everyone"]

# A gateway with nothing in it: what is wrong with a policy anywhere is found here too.
_EMPTY = "version: 1\ngateway: any\n"


async def listed(session: AsyncSession) -> list[OrgPolicyRow]:
    """Every policy, by name."""
    return list(await session.scalars(select(OrgPolicyRow).order_by(OrgPolicyRow.name)))


async def find(session: AsyncSession, name: str, *, lock: bool = False) -> OrgPolicyRow | None:
    """The policy with a name; None when there is none."""
    query = select(OrgPolicyRow).where(OrgPolicyRow.name == name)
    return (await session.scalars(query.with_for_update() if lock else query)).one_or_none()


async def put(
    tx: Transaction, backend: Backend, policy: dict[str, Any], *, row: OrgPolicyRow | None
) -> OrgPolicyRow:
    """Keep a policy, once every gateway would load with it.

    Args:
        tx: the transaction.
        backend: for the check.
        policy: of the form of one of `policies`.
        row: what is there of that name, locked.

    Raises:
        ConfigError: it is wrong, or a gateway would not load with it.
    """
    name = str(policy.get("name", ""))
    document = yaml.safe_dump(policy, sort_keys=False, allow_unicode=True)
    before = None if row is None else {"document": row.document}
    if row is None:
        row = OrgPolicyRow(name=name, document=document, version=1, updated=tx.now)
        tx.session.add(row)
    else:
        row.document, row.updated = document, tx.now
        row.version += 1
    await tx.session.flush()
    await check_additions(tx.session, backend, await org.additions(tx.session))
    await tx.audit("policy.put", f"policy:{name}", before=before, after={"document": document})
    await tell_everyone(tx)
    return row


async def remove(tx: Transaction, row: OrgPolicyRow) -> None:
    """Forget a policy."""
    await tx.audit("policy.delete", f"policy:{row.name}", before={"document": row.document})
    await tx.session.delete(row)
    await tx.session.flush()
    await tell_everyone(tx)


async def check_additions(session: AsyncSession, backend: Backend, additions: Additions) -> None:
    """Check that every gateway would load with what the organization adds.

    Raises:
        ConfigError: one would not; the problems name it.
    """
    await gateways.checked(backend, session, _EMPTY, additions)
    for row in await gateways.listed(session):
        try:
            await gateways.checked(backend, session, row.document, additions)
        except ConfigError as error:
            raise ConfigError(
                *(f"gateway `{row.name}`: {problem}" for problem in error.problems)
            ) from None


async def tell_everyone(tx: Transaction) -> None:
    """Tell all gateways to fetch again."""
    for row in await gateways.listed(tx.session):
        gateways.changed(tx, row.id)
