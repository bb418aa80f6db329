"""Making the tables and keeping them up to date, with the migrations that this package ships.

They have a version table of their own, so they go well together with the migrations of the application in the same database; the
application's own ``env.py`` should leave out the tables named in `TABLES` when it compares.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Column, Connection, MetaData, Table, Text, func, inspect, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from workflows_sqlalchemy.dialects import async_url
from workflows_sqlalchemy.errors import DATABASE_ERRORS, unavailable
from workflows_sqlalchemy.tables import metadata

__all__ = [
    "HEAD",
    "TABLES",
    "VERSION_TABLE",
    "check",
    "check_sync",
    "current",
    "current_sync",
    "downgrade",
    "downgrade_sync",
    "read_revision",
    "upgrade",
    "upgrade_sync",
]

T = TypeVar("T")

HEAD: Final = "0007"
"""The newest revision: the one that this version of the package wants."""

VERSION_TABLE: Final = "workflows_alembic_version"
TABLES: Final = frozenset({*metadata.tables, VERSION_TABLE})
"""Names of all tables that belong to this package."""

_LOCK: Final = 0x776F726B666C6F77
"""Of the advisory lock that migrations hold on PostgreSQL: ``workflow`` in ASCII."""

_version: Final = Table(VERSION_TABLE, MetaData(), Column("version_num", Text))


async def upgrade(database: str | AsyncEngine, revision: str = "head") -> None:
    """Bring the tables up to a revision; those that are there already keep their content.

    Args:
        database: URL with an asynchronous driver, or an engine.
        revision: A revision, or ``head`` for the newest.
    """
    await _migrate(database, lambda config: command.upgrade(config, revision))


async def downgrade(database: str | AsyncEngine, revision: str) -> None:
    """Take the tables back to a revision; ``base`` removes them with all that is in them."""
    await _migrate(database, lambda config: command.downgrade(config, revision))


async def current(database: str | AsyncEngine) -> str | None:
    """The revision of the tables; None if there are none."""
    async with _connection(database) as connection:
        return await connection.run_sync(read_revision)


async def check(database: str | AsyncEngine) -> list[str]:
    """What of the tables differs from what this package wants, in words; empty if nothing does."""
    async with _connection(database) as connection:
        return [_in_words(difference) for difference in await connection.run_sync(_compare)]


def upgrade_sync(database: str, revision: str = "head") -> None:
    """`upgrade`, where no event loop runs."""
    _run(upgrade(database, revision))


def downgrade_sync(database: str, revision: str) -> None:
    """`downgrade`, where no event loop runs."""
    _run(downgrade(database, revision))


def current_sync(database: str) -> str | None:
    """`current`, where no event loop runs."""
    return _run(current(database))


def check_sync(database: str) -> list[str]:
    """`check`, where no event loop runs."""
    return _run(check(database))


def read_revision(connection: Connection) -> str | None:
    """The revision of the tables; None if there are none."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    revision: str | None = connection.scalar(select(_version.c.version_num))
    return revision


async def _migrate(database: str | AsyncEngine, migrate: Callable[[Config], None]) -> None:
    def run(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", "workflows_sqlalchemy:migrations")
        config.attributes["connection"] = connection
        migrate(config)

    async with _connection(database) as connection, _all_or_nothing(connection):
        await connection.run_sync(run)


@asynccontextmanager
async def _connection(database: str | AsyncEngine) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(async_url(database)) if isinstance(database, str) else database
    try:
        async with engine.connect() as connection:
            yield connection
    except DATABASE_ERRORS as error:
        raise unavailable(error) from error
    finally:
        if engine is not database:
            await engine.dispose()


@asynccontextmanager
async def _all_or_nothing(connection: AsyncConnection) -> AsyncIterator[None]:
    """A transaction around all migrations, which only one process runs at a time."""
    if connection.dialect.name == "sqlite":
        connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            await connection.exec_driver_sql("ROLLBACK")
            raise
        await connection.exec_driver_sql("COMMIT")
    else:
        connection = await connection.execution_options(isolation_level="READ COMMITTED")
        async with connection.begin():
            await connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            yield


def _compare(connection: Connection) -> list[Any]:
    options = {"include_name": _is_ours, "compare_type": True, "compare_server_default": False}
    context = MigrationContext.configure(connection, opts=options)
    differences: list[Any] = compare_metadata(context, metadata)
    return differences


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or name in metadata.tables


def _in_words(difference: Any) -> str:
    parts = difference if isinstance(difference, tuple) else difference[0]
    return " ".join(str(part) for part in parts)


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    finally:
        work.close()  # where a loop runs already, it was not begun
