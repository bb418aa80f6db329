"""Gets everything ready before the first request: the database, its tables, the people, the first instances."""

from __future__ import annotations

from typing import Final

from dishka import AsyncContainer
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from workflows_core import StoreUnavailableError, WorkflowEngine
from workflows_reference.accounts.directory import UserDirectory
from workflows_reference.errors import DemoStartError
from workflows_reference.seeds import seed_instances
from workflows_reference.settings import Settings
from workflows_reference.tables import metadata
from workflows_sqlalchemy import schema

__all__ = ["prepare"]

_MEND: Final = "check that the database runs and that WORKFLOWS_DATABASE_URL is right"


async def prepare(container: AsyncContainer) -> None:
    """Make the database what this version wants, and fill it at the first start. To be called once, by the server.

    Nothing is written before the database has answered.

    Raises:
        DemoStartError: The database cannot be used.
    """
    settings = await container.get(Settings)
    shown = settings.shown_database
    try:
        if settings.uses_own_file:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
        database = await container.get(AsyncEngine)
        async with database.connect() as connection:
            await connection.execute(text("SELECT 1"))
        await schema.upgrade(database)
        await _make_tables(database)
        await (await container.get(UserDirectory)).seed()
        engine = await container.get(WorkflowEngine)
        await engine.open()
        await seed_instances(engine)
    except (SQLAlchemyError, OSError) as error:
        cause = getattr(error, "orig", None) or error
        reason = str(cause).strip().partition("\n")[0] or type(cause).__name__
        raise DemoStartError(f"cannot use the database {shown}", reason, _MEND) from error
    except StoreUnavailableError as error:
        raise DemoStartError(f"cannot use the database {shown}", error.reason, error.mend) from error


async def _make_tables(database: AsyncEngine) -> None:
    """Make the demo's own tables; a second try finds those that another process was making at the same time."""
    try:
        async with database.begin() as connection:
            await connection.run_sync(metadata.create_all)
    except DBAPIError:
        async with database.begin() as connection:
            await connection.run_sync(metadata.create_all)
