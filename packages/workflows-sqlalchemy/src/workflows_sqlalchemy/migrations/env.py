"""Alembic's entry point; the connection comes from `workflows_sqlalchemy.schema`."""

from __future__ import annotations

from alembic import context

from workflows_sqlalchemy.schema import VERSION_TABLE
from workflows_sqlalchemy.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=connection.dialect.name == "sqlite",
)
context.run_migrations()  # in the transaction of the connection
