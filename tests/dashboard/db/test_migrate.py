"""Migrations: up and down, empty and filled, on both databases."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, func, select, text

from tameflare_core.errors import TameflareError
from tameflare_dashboard.db import migrate
from tameflare_dashboard.db.columns import Base
from tameflare_dashboard.db.models import GatewayRow, OrgRow
from tameflare_dashboard.db.session import engine_url
from tests.postgres import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tameflare.db'}"
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.empty_database()


def tables(url: str) -> set[str]:
    engine = create_engine(engine_url(url))
    with engine.connect() as connection:
        names = set(engine.dialect.get_table_names(connection))
    engine.dispose()
    return names - {"alembic_version"}


def test_tables_are_those_of_the_models(empty_url: str) -> None:
    migrate.upgrade(empty_url)
    engine = create_engine(engine_url(empty_url))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_empty_database_goes_up_and_down(empty_url: str) -> None:
    assert migrate.current_revision(empty_url) is None
    migrate.upgrade(empty_url)
    assert tables(empty_url) == set(Base.metadata.tables)
    migrate.downgrade(empty_url)
    assert tables(empty_url) == set()
    migrate.upgrade(empty_url)
    assert tables(empty_url) == set(Base.metadata.tables)


def test_filled_database_keeps_its_rows_when_it_goes_up_again(empty_url: str) -> None:
    migrate.upgrade(empty_url)
    engine = create_engine(engine_url(empty_url))
    at = datetime(2026, 3, 1, tzinfo=UTC)
    with engine.begin() as connection:
        connection.execute(
            OrgRow.__table__.insert(),
            {
                "id": "org_1",
                "name": "x",
                "created": at,
                "version": 1,
                "settings": {"a": [1]},
                "blocked_categories": ["financial"],
            },
        )
        connection.execute(
            GatewayRow.__table__.insert(),
            {
                "id": "gw_1",
                "name": "g",
                "environment": "",
                "document": "d",
                "version": 1,
                "created": at,
                "updated": at,
            },
        )
    migrate.upgrade(empty_url)
    with engine.connect() as connection:
        row = connection.execute(select(OrgRow.settings, OrgRow.created)).one()
        assert (row.settings, row.created) == ({"a": [1]}, at)
        assert connection.scalar(select(func.count()).select_from(GatewayRow)) == 1
    engine.dispose()
    migrate.downgrade(empty_url)
    assert tables(empty_url) == set()


def test_two_processes_may_start_at_the_same_time(empty_url: str) -> None:
    failed: list[BaseException] = []

    def up() -> None:
        try:
            migrate.upgrade(empty_url)
        except BaseException as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=up) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert tables(empty_url) == set(Base.metadata.tables)


def test_database_of_a_newer_version_is_left_alone(empty_url: str) -> None:
    migrate.upgrade(empty_url)
    engine = create_engine(engine_url(empty_url))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(TameflareError, match="newer version"):
        migrate.upgrade(empty_url)


def test_file_of_the_database_is_private(tmp_path: Path, database_url: str) -> None:
    if not database_url.startswith("sqlite"):
        pytest.skip("a server has no file of ours")
    from tameflare_dashboard.db.session import Database

    Database(database_url)
    migrate.upgrade(database_url)
    for file in tmp_path.glob("tameflare.db*"):
        if file.suffix != ".lock":
            assert file.stat().st_mode & 0o077 == 0, file
