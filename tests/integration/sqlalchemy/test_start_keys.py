"""A start whose key somebody has just used in an open transaction waits for the end of that, and nobody waits with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from workflows_core import BaseMachineStep, WorkflowContext, WorkflowDefinition, WorkflowRegistry
from workflows_sqlalchemy import PersistentExecutionEngine


class Note(BaseMachineStep):
    name = "note"

    async def execute(self, context: WorkflowContext) -> None:
        context.set("noted", True)


@pytest.fixture
async def engine(postgres_url: str) -> AsyncGenerator[PersistentExecutionEngine]:
    registry = WorkflowRegistry()
    registry.register(WorkflowDefinition("noted", steps=[Note()]))
    async with PersistentExecutionEngine(registry, postgres_url) as engine:
        yield engine


async def test_others_do_not_wait_for_a_key_that_is_used_in_an_open_transaction(
    engine: PersistentExecutionEngine, postgres_url: str
) -> None:
    application = create_async_engine(postgres_url)
    async with AsyncSession(application) as session, session.begin():
        first = await engine.start_workflow("noted", idempotency_key="used", session=session)
        waiting = [asyncio.create_task(engine.start_workflow("noted", idempotency_key="used")) for _ in range(3)]
        async with asyncio.timeout(5):
            for _ in range(3):
                others = await asyncio.gather(*(engine.start_workflow("noted") for _ in range(20)))
                for other in others:
                    await engine.wait(other.id, until=lambda found: found.status.is_final)
            fresh = await engine.start_workflow("noted", idempotency_key="fresh")
        assert not any(start.done() for start in waiting)
    assert {started.id for started in await asyncio.gather(*waiting)} == {first.id}
    assert fresh.id != first.id
    await application.dispose()
