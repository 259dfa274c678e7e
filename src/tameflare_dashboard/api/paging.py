"""Lists in pages: a cursor says where the next one goes on, whatever is added meanwhile."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, Field
from sqlalchemy import Select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from tameflare_dashboard.db.columns import Base
from tameflare_dashboard.problems import Problem

__all__ = ["Cursor", "Limit", "Page", "newest_first", "read_cursor", "write_cursor"]

type Cursor = Annotated[
    str | None,
    Query(max_length=400, description="Where to go on: `next` of the page before."),
]
type Limit = Annotated[int, Query(ge=1, le=500, description="Items of a page at the most.")]


class Page[Item](BaseModel):
    """A part of a list."""

    items: list[Item]
    next: str | None = Field(default=None, description="The cursor of the next page, if any.")


def write_cursor(*key: object) -> str:
    """A cursor behind the item with a sort key."""
    plain = [part.isoformat() if isinstance(part, datetime) else part for part in key]
    text = json.dumps(plain, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str | None) -> tuple[datetime, str] | None:
    """The sort key in a cursor; None without one.

    Raises:
        Problem: 422 when it is no cursor of ours.
    """
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        time, key = json.loads(text)
        moment = datetime.fromisoformat(time)
        if moment.tzinfo is None or not isinstance(key, str) or "\0" in key:
            raise ValueError
    except (ValueError, TypeError):
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid-request",
            "`cursor` is not `next` of an earlier page",
        ) from None
    return moment, key


async def newest_first[Row: Base, Item](
    session: AsyncSession,
    query: Select[Row],
    columns: tuple[InstrumentedAttribute[datetime], InstrumentedAttribute[str]],
    key: Callable[[Row], tuple[datetime, str]],
    shown: Callable[[Row], Item],
    *,
    cursor: str | None,
    limit: int,
) -> Page[Item]:
    """One page of a list by time and id, newest first.

    Args:
        session: any.
        query: what is listed.
        columns: time and id.
        key: time and id of a row.
        shown: a row as an item.
        cursor: where to go on.
        limit: items at the most.
    """
    before = read_cursor(cursor)
    if before is not None:
        query = query.where(tuple_(*columns) < before)
    rows: Sequence[Row] = (
        await session.scalars(
            query.order_by(*(column.desc() for column in columns)).limit(limit + 1)
        )
    ).all()
    more = len(rows) > limit
    return Page(
        items=[shown(row) for row in rows[:limit]],
        next=write_cursor(*key(rows[limit - 1])) if more else None,
    )
