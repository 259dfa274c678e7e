"""Alembic's entry point: it runs migrations on the connection that it is given."""

from __future__ import annotations

from alembic import context

from tameflare_dashboard.db import models

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=models.OrgRow.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
