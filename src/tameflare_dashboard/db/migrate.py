"""Brings a database to the newest form, or back to an older one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event, text

from tameflare_core.errors import TameflareError
from tameflare_core.private_files import locked
from tameflare_dashboard.db.session import engine_url, prepare_sqlite

__all__ = ["alembic_config", "current_revision", "downgrade", "upgrade"]

_LOCK = 7_302_551_018  # of this and no other application, on PostgreSQL


def upgrade(url: str, revision: str = "head") -> None:
    """Bring a database up; several processes may do so at once.

    Args:
        url: as in the settings.
        revision: up to which migration.

    Raises:
        TameflareError: the database is of a newer version of TameFlare.
        sqlalchemy.exc.DBAPIError: it cannot be reached or written.
    """
    with _alone(url) as connection:
        config = alembic_config(connection)
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        found = _revision(connection)
        if found is not None and found not in known:
            raise TameflareError(
                f"the database is of a newer version (`{found}`): update TameFlare, or restore a"
                " copy of the database from before"
            )
        command.upgrade(config, revision)


def downgrade(url: str, revision: str = "base") -> None:
    """Take a database back to an older form; what that has no place for is lost.

    Args:
        url: as in the settings.
        revision: down to which migration.

    Raises:
        sqlalchemy.exc.DBAPIError: it cannot be reached or written.
    """
    with _alone(url) as connection:
        command.downgrade(alembic_config(connection), revision)


def current_revision(url: str) -> str | None:
    """The last migration that a database has seen; None for an empty one."""
    with _alone(url) as connection:
        return _revision(connection)


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration for one connection."""
    config = Config()
    config.set_main_option(
        "script_location", str(files("tameflare_dashboard").joinpath("db", "migrations"))
    )
    config.attributes["connection"] = connection
    return config


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


@contextmanager
def _alone(url: str) -> Iterator[Connection]:
    parsed = engine_url(url)
    engine = create_engine(parsed)
    try:
        if parsed.get_backend_name() == "sqlite":
            event.listen(engine, "connect", prepare_sqlite)
            with locked(Path(parsed.database or "tameflare")), engine.connect() as connection:
                # SQLite rebuilds a table to change it, which must not look like deleting its rows.
                connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
                connection.commit()
        else:
            with engine.begin() as connection:
                connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _LOCK})
                yield connection
    finally:
        engine.dispose()
