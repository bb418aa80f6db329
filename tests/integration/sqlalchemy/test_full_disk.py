"""A disk that is full: SQLite says so of each write that needs a page more, and no write is done by halves.

The pages of the file are limited for this, which takes no disk. `tests/chaos/test_sqlite.py` fills a real one.
"""

from __future__ import annotations

import asyncio

import pytest

from workflows_core import BaseMachineStep, Workflow, WorkflowContext, WorkflowRegistry, WorkflowStatus
from workflows_core.errors import StoreUnavailableError
from workflows_core.ports.store import Committed
from workflows_sqlalchemy import PersistentExecutionEngine, SQLAlchemyWorkflowStore, create_store
from workflows_sqlalchemy.sqlite.backend import SQLiteBackend
from workflows_testing.builders import an_instance

LARGE = "x" * 100_000


async def allow_pages(store: SQLAlchemyWorkflowStore, most: int) -> None:
    """Limit the file for the connection that writes; 1 leaves it as large as it is."""
    assert isinstance(store.backend, SQLiteBackend)
    await store.backend._connections.write(
        lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {most}").close()
    )


async def test_what_does_not_fit_is_not_written_and_the_store_is_as_good_as_away(sqlite_url: str) -> None:
    store = create_store(sqlite_url).store
    run = an_instance(data={"large": LARGE})
    write = run.start()
    await allow_pages(store, 1)
    with pytest.raises(StoreUnavailableError, match="full; check that the database runs"):
        await store.commit([write])
    assert await store.load(run.id) is None
    await allow_pages(store, 1_000_000)
    (result,) = await store.commit([write])
    assert isinstance(result, Committed)
    await store.close()


async def test_a_result_that_does_not_fit_is_recorded_when_there_is_room_again(sqlite_url: str) -> None:
    ran: list[int] = []
    is_full = asyncio.Event()

    class Grow(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None:
            if not ran:
                await allow_pages(store, 1)
            ran.append(context.attempt)
            context.set("large", LARGE)
            is_full.set()

    class Growing(Workflow):
        __workflow_name__ = "growing"
        __steps__ = [Grow]

    registry = WorkflowRegistry()
    registry.register(Growing)
    async with PersistentExecutionEngine(registry, sqlite_url) as engine:
        assert isinstance(engine.store, SQLAlchemyWorkflowStore)
        store = engine.store
        started = await engine.start_workflow("growing")
        await asyncio.wait_for(is_full.wait(), 10)
        await asyncio.sleep(0.5)
        assert (await engine.get_instance(started.id)).status is WorkflowStatus.RUNNING
        await allow_pages(store, 1_000_000)
        finished = await engine.wait(started.id, timeout=20, until=lambda found: found.status.is_final)
        (record,) = await engine.queries.list_executions(started.id)
    assert (finished.status, finished.data) == (WorkflowStatus.COMPLETED, {"large": LARGE})
    assert ran == list(range(1, record.execution.attempts + 1)), "it runs again only if its result was not recorded"
