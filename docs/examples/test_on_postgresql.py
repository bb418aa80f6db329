"""The workflow of the quickstart on a real PostgreSQL, which the test run starts by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from quickstart import Expense

from workflows_core import WorkflowRegistry, WorkflowStatus
from workflows_sqlalchemy import PersistentExecutionEngine
from workflows_sqlalchemy.schema import upgrade_sync
from workflows_testing.servers.databases import PostgresDatabase


@pytest.fixture(scope="session")
def prepare_postgres_template() -> Callable[[PostgresDatabase], None]:
    """Migrates one database; every test module gets a copy of it."""
    return migrate


def migrate(database: PostgresDatabase) -> None:
    upgrade_sync(database.url_for("asyncpg"))


@pytest.fixture
async def engine(postgres_database: PostgresDatabase) -> AsyncIterator[PersistentExecutionEngine]:
    registry = WorkflowRegistry()
    registry.register(Expense)
    async with PersistentExecutionEngine(registry, postgres_database.url_for("asyncpg")) as opened:
        yield opened


async def test_an_expense_is_declined_and_the_note_is_kept(engine: PersistentExecutionEngine) -> None:
    started = await engine.start_workflow("expense", {"amount": 42})
    await engine.wait(started.id, timeout=20)
    await engine.complete_human_task(started.id, "approve", "bob", {"approved": False, "note": "no receipt"})
    finished = await engine.wait(started.id, timeout=20)
    assert finished.status is WorkflowStatus.COMPLETED
    assert finished.data["answer"] == "no receipt"
