"""Connections and transactions, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event, make_url
from sqlalchemy.engine import URL, Connection
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

__all__ = ["Database", "engine_url"]

_BUSY_SECONDS = 5
_POOL_SIZE = 10
_MORE_CONNECTIONS = 20


class Database:
    """One database, with transactions that read and transactions that write.

    Args:
        url: `sqlite:///FILE` or `postgresql://…`.

    Attributes:
        dialect: `sqlite` or `postgresql`.
        url: the URL as SQLAlchemy's synchronous drivers take it.
    """

    def __init__(self, url: str) -> None:
        self.url = engine_url(url)
        self.dialect = self.url.get_backend_name()
        if self.dialect == "sqlite":
            self._engine = _sqlite(self.url)
        else:
            self._engine = create_async_engine(
                self.url,
                pool_size=_POOL_SIZE,
                max_overflow=_MORE_CONNECTIONS,
                pool_pre_ping=True,
                connect_args={"connect_timeout": _BUSY_SECONDS},
            )
        # SQLite has one writer at a time. Those of this process wait here, in turn and without
        # asking again and again, instead of in its busy loop.
        self._writing = asyncio.Lock() if self.dialect == "sqlite" else None

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A transaction that sees one state of the database and changes nothing."""
        async with AsyncSession(self._engine, expire_on_commit=False) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A transaction that is committed at the end of the context, or rolled back by an error."""
        if self._writing is None:
            async with self._session() as session:
                yield session
            return
        async with self._writing, self._session() as session:
            yield session

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[AsyncSession]:
        async with AsyncSession(self._engine, expire_on_commit=False) as session:
            await session.connection(execution_options={"tameflare_writes": True})
            yield session
            await session.commit()

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()


def engine_url(url: str) -> URL:
    """A URL of the settings as SQLAlchemy's synchronous drivers take it."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    return parsed.set(drivername="sqlite")


def _sqlite(url: URL) -> AsyncEngine:
    if url.database:
        _create_private(Path(url.database))
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"),
        connect_args={"timeout": _BUSY_SECONDS},
        pool_size=_POOL_SIZE,
    )
    event.listen(engine.sync_engine, "connect", prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def prepare_sqlite(connection: Any, _: object) -> None:
    """Set up a new SQLite connection; transactions are begun by `begin` alone."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        # What a gateway was told is kept has to be there after a crash of the machine too.
        "synchronous=FULL",
        "foreign_keys=ON",
        "temp_store=MEMORY",
        "cache_size=-16384",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("tameflare_writes", False)
    # A transaction that reads first and writes later could find that another one wrote between,
    # and fail at once; one that says so at its beginning waits.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _create_private(path: Path) -> None:
    # SQLite makes its files as the umask says, and those beside the first like it.
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
