"""Dependencies of transactional steps: they are closed inside the transaction, so what they write then is part of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from workflows_core import (
    BaseMachineStep,
    EngineSettings,
    FactoryInjector,
    Injected,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowInstance,
    WorkflowRegistry,
    WorkflowStatus,
)
from workflows_core.authoring.surroundings import NoSessionError
from workflows_sqlalchemy import PersistentExecutionEngine, session_of


class Payments:
    """Collects payments, which are written when it is closed."""

    def __init__(self) -> None:
        self.names: list[str] = []


async def payments_of(context: WorkflowContext) -> AsyncIterator[Payments]:
    payments = Payments()
    yield payments
    for name in payments.names:
        await session_of(context).execute(text("INSERT INTO payments VALUES (:name)"), {"name": name})


class Pay(BaseMachineStep):
    transactional = True

    async def execute(self, context: WorkflowContext, payments: Injected[Payments]) -> None:
        payments.names += context.get("names")
        if context.get("fails"):
            raise ValueError("no money")

    async def on_failure(self, context: WorkflowContext, error: Exception, payments: Injected[Payments]) -> None:
        with pytest.raises(NoSessionError):
            session_of(context)
        assert payments.names == []


@pytest.fixture
async def application(url: str) -> AsyncGenerator[AsyncEngine]:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text("DROP TABLE IF EXISTS payments"))
        await connection.execute(text("CREATE TABLE payments (name TEXT PRIMARY KEY)"))
    yield engine
    await engine.dispose()


async def run(url: str, data: dict[str, Any]) -> WorkflowInstance:
    registry = WorkflowRegistry()
    registry.register(WorkflowDefinition("paying", steps=[Pay()]))
    injector = FactoryInjector({Payments: payments_of})
    settings = EngineSettings(poll_s=0.1)
    async with PersistentExecutionEngine(registry, url, settings=settings, injector=injector) as engine:
        started = await engine.start_workflow("paying", data)
        return await engine.wait(started.id, timeout=20)


async def names(application: AsyncEngine) -> list[str]:
    async with application.connect() as connection:
        return list(await connection.scalars(text("SELECT name FROM payments ORDER BY name")))


async def test_what_is_written_by_closing_is_committed_with_the_result(url: str, application: AsyncEngine) -> None:
    finished = await run(url, {"names": ["rent", "water"]})
    assert finished.status is WorkflowStatus.COMPLETED, finished.error
    assert await names(application) == ["rent", "water"]


async def test_a_step_that_raises_leaves_nothing(url: str, application: AsyncEngine) -> None:
    finished = await run(url, {"names": ["rent"], "fails": True})
    assert finished.error is not None
    assert (finished.error.type, finished.error.notes) == ("ValueError", ())
    assert await names(application) == []


async def test_closing_that_fails_leaves_nothing_and_fails_the_step(url: str, application: AsyncEngine) -> None:
    finished = await run(url, {"names": ["rent", "rent"]})
    assert finished.error is not None
    assert (finished.error.type, finished.error.notes) == ("IntegrityError", ())
    assert await names(application) == []
