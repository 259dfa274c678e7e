"""Gateways: their documents, and the tokens by which they are known."""

from __future__ import annotations

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from anyio import to_thread
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from tameflare_core.errors import ConfigError
from tameflare_core.tokens import new_gateway_token, token_digest
from tameflare_dashboard.backend import Backend, Transaction
from tameflare_dashboard.db.models import CredentialRow, GatewayRow, GatewayTokenRow
from tameflare_dashboard.documents import Additions, Checked, check, vault_names
from tameflare_dashboard.ids import new_id
from tameflare_dashboard.live import Change, ChangeKind
from tameflare_dashboard.problems import Problem, not_found
from tameflare_dashboard.store import org

__all__ = [
    "add_token",
    "by_token",
    "change",
    "changed",
    "checked",
    "create",
    "find",
    "listed",
    "remove",
    "revoke_token",
    "rotate_token",
    "tokens",
    "users_of",
]


async def listed(session: AsyncSession) -> list[GatewayRow]:
    """Every gateway, by name."""
    return list(await session.scalars(select(GatewayRow).order_by(GatewayRow.name)))


async def find(session: AsyncSession, key: str, *, lock: bool = False) -> GatewayRow:
    """The gateway with an id or a name.

    Raises:
        Problem: 404.
    """
    query = select(GatewayRow).where((GatewayRow.id == key) | (GatewayRow.name == key))
    row = (await session.scalars(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise not_found("gateway", key)
    return row


async def checked(
    backend: Backend, session: AsyncSession, document: str, additions: Additions | None = None
) -> Checked:
    """Load a document the way a gateway will, with what the organization adds.

    Raises:
        ConfigError: a gateway would refuse it.
        Problem: 409 when it uses a credential that the vault does not have.
    """
    extra = additions if additions is not None else await org.additions(session)
    result = await to_thread.run_sync(check, document, extra, backend.plugins, backend.settings)
    own = sorted(name for name in result.credentials if name.startswith("org."))
    if own:
        raise ConfigError(f"`vault:{own[0]}` is the organization's own secret: put in another one")
    if result.credentials:
        known = await session.scalars(
            select(CredentialRow.name).where(CredentialRow.name.in_(result.credentials))
        )
        missing = sorted(result.credentials - set(known))
        if missing:
            listed_ = ", ".join(f"`{name}`" for name in missing)
            raise Problem(
                HTTPStatus.CONFLICT,
                "no-credential",
                f"the vault has no credential {listed_}: add it with `tf credentials add`",
            )
    return result


async def create(tx: Transaction, backend: Backend, document: str) -> GatewayRow:
    """Make a gateway of a document.

    Raises:
        ConfigError: the document is wrong.
        Problem: 409 when the name is taken or a credential is missing.
    """
    about = await checked(backend, tx.session, document)
    row = GatewayRow(
        id=new_id("gw"),
        name=about.name,
        environment=about.environment,
        document=document,
        version=1,
        created=tx.now,
        updated=tx.now,
        seen=None,
        fetched_revision=None,
    )
    tx.session.add(row)
    try:
        await tx.session.flush()
    except IntegrityError:
        raise _taken(about.name) from None
    await tx.audit(
        "gateway.create", _object(row), after={"name": row.name, "document": row.document}
    )
    return row


async def change(tx: Transaction, backend: Backend, row: GatewayRow, document: str) -> None:
    """Give a gateway another document; nothing happens when it is the same.

    Args:
        tx: the transaction.
        backend: for the check.
        row: the gateway, locked.
        document: its new text.

    Raises:
        ConfigError: the document is wrong.
        Problem: 409 when the new name is taken or a credential is missing.
    """
    if document == row.document:
        return
    about = await checked(backend, tx.session, document)
    before = {"name": row.name, "document": row.document}
    row.document = document
    row.name, row.environment = about.name, about.environment
    row.version += 1
    row.updated = tx.now
    try:
        await tx.session.flush()
    except IntegrityError:
        raise _taken(about.name) from None
    await tx.audit(
        "gateway.update",
        _object(row),
        before=before,
        after={"name": row.name, "document": row.document},
    )
    changed(tx, row.id)


async def remove(tx: Transaction, row: GatewayRow) -> None:
    """Remove a gateway; its tokens are void at once."""
    await tx.audit(
        "gateway.delete", _object(row), before={"name": row.name, "document": row.document}
    )
    await tx.session.execute(delete(GatewayTokenRow).where(GatewayTokenRow.gateway_id == row.id))
    await tx.session.delete(row)
    changed(tx, row.id)


def changed(tx: Transaction, gateway_id: str) -> None:
    """Tell a gateway to fetch again."""
    tx.announce(Change(kind=ChangeKind.CONFIG, gateway=gateway_id))


async def users_of(session: AsyncSession, credential: str) -> list[GatewayRow]:
    """The gateways whose documents use a credential of the vault."""
    rows = await listed(session)
    return [row for row in rows if credential in vault_names(row.document)]


async def add_token(
    tx: Transaction, row: GatewayRow, *, token: str | None = None
) -> tuple[GatewayTokenRow, str]:
    """Make a token for a gateway.

    Args:
        tx: the transaction.
        row: the gateway.
        token: one that was made already; a fresh one unless given.

    Returns:
        What is kept, and the token, which is not.
    """
    token = token or new_gateway_token()
    made = GatewayTokenRow(
        id=new_id("gwt"),
        gateway_id=row.id,
        digest=token_digest(token),
        created=tx.now,
        expires=None,
    )
    tx.session.add(made)
    await tx.session.flush()
    await tx.audit("gateway_token.create", _object(row), after={"id": made.id})
    return made, token


async def rotate_token(
    tx: Transaction, row: GatewayRow, *, overlap: timedelta | None
) -> tuple[GatewayTokenRow, str]:
    """Make a new token; those before it end after `overlap`, or go on as they are."""
    if overlap is None:
        return await add_token(tx, row)
    ends = tx.now + overlap
    await tx.session.execute(
        update(GatewayTokenRow)
        .where(
            GatewayTokenRow.gateway_id == row.id,
            GatewayTokenRow.expires.is_(None) | (GatewayTokenRow.expires > ends),
        )
        .values(expires=ends)
    )
    if not overlap:
        changed(tx, row.id)
    return await add_token(tx, row)


async def revoke_token(tx: Transaction, row: GatewayRow, token_id: str) -> bool:
    """Make a token void at once; False when there is none."""
    found = (
        await tx.session.execute(
            delete(GatewayTokenRow)
            .where(GatewayTokenRow.id == token_id, GatewayTokenRow.gateway_id == row.id)
            .returning(GatewayTokenRow.id)
        )
    ).first()
    if found is None:
        return False
    await tx.audit("gateway_token.revoke", _object(row), before={"id": token_id})
    changed(tx, row.id)
    return True


async def tokens(session: AsyncSession, gateway_id: str, now: datetime) -> list[GatewayTokenRow]:
    """The tokens of a gateway that are good, newest first."""
    rows = await session.scalars(
        select(GatewayTokenRow)
        .where(
            GatewayTokenRow.gateway_id == gateway_id,
            GatewayTokenRow.expires.is_(None) | (GatewayTokenRow.expires > now),
        )
        .order_by(GatewayTokenRow.created.desc(), GatewayTokenRow.id)
    )
    return list(rows)


async def by_token(session: AsyncSession, digest: bytes, now: datetime) -> GatewayRow | None:
    """The gateway of a token that is good; None when there is none."""
    return (
        await session.scalars(
            select(GatewayRow)
            .join(GatewayTokenRow, GatewayTokenRow.gateway_id == GatewayRow.id)
            .where(
                GatewayTokenRow.digest == digest,
                GatewayTokenRow.expires.is_(None) | (GatewayTokenRow.expires > now),
            )
        )
    ).one_or_none()


def shown(row: GatewayRow) -> dict[str, Any]:
    """A gateway as other events name it."""
    return {"id": row.id, "name": row.name}


def _object(row: GatewayRow) -> str:
    return f"gateway:{row.id}"


def _taken(name: str) -> Problem:
    return Problem(HTTPStatus.CONFLICT, "taken", f"there is a gateway `{name}` already")
