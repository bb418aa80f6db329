"""Transactional steps: what a step writes and the record of its result are one transaction, on each database."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from workflows_core import (
    BaseMachineStep,
    Edge,
    EngineSettings,
    Workflow,
    WorkflowContext,
    WorkflowInstance,
    WorkflowRegistry,
    WorkflowStatus,
)
from workflows_sqlalchemy import PersistentExecutionEngine, SQLAlchemyStoreConfig, session_of

Code = Callable[[WorkflowContext], Any]


@pytest.fixture
async def application(url: str) -> AsyncGenerator[AsyncEngine]:
    """The application's own engine, with a table of its own."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text("DROP TABLE IF EXISTS payments"))
        await connection.execute(text("CREATE TABLE payments (name TEXT PRIMARY KEY, amount INTEGER NOT NULL)"))
    yield engine
    await engine.dispose()


async def payments(application: AsyncEngine) -> list[str]:
    """What the application's table holds."""
    async with application.connect() as connection:
        return list(await connection.scalars(text("SELECT name FROM payments ORDER BY name")))


async def pay(session: AsyncSession, name: str, amount: int = 1) -> None:
    await session.execute(text("INSERT INTO payments VALUES (:name, :amount)"), {"name": name, "amount": amount})


def registry_of(code: Code, *, failure: Code | None = None) -> WorkflowRegistry:
    """A workflow with one transactional step, and a step after it."""

    class Pay(BaseMachineStep):
        transactional = True

        async def execute(self, context: WorkflowContext) -> Any:
            return await code(context)

    class After(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None:
            context.set("after", True)

    class Paying(Workflow):
        __workflow_name__ = "paying"
        __steps__ = [Pay, After]
        __edges__ = [Edge(Pay, After)]

    registry = WorkflowRegistry()
    registry.register(Paying)
    return registry


async def run(url: str, code: Code, **config: Any) -> WorkflowInstance:
    """Run the workflow to its end."""
    async with PersistentExecutionEngine(
        registry_of(code), SQLAlchemyStoreConfig(database=url, **config), settings=EngineSettings(poll_s=0.1)
    ) as engine:
        started = await engine.start_workflow("paying")
        return await engine.wait(started.id, timeout=20)


async def test_what_a_step_writes_is_committed_with_its_result(url: str, application: AsyncEngine) -> None:
    async def code(context: WorkflowContext) -> str:
        await pay(session_of(context), "rent")
        assert await payments(application) == [], "nobody sees it before the commit"
        return "paid"

    finished = await run(url, code)
    assert finished.status is WorkflowStatus.COMPLETED, finished.error
    assert finished.data == {"after": True}
    assert await payments(application) == ["rent"]


async def test_a_step_that_raises_leaves_nothing(url: str, application: AsyncEngine) -> None:
    async def code(context: WorkflowContext) -> None:
        await pay(session_of(context), "rent")
        await session_of(context).commit()
        await pay(session_of(context), "water")
        raise ValueError("no money")

    failed = await run(url, code)
    assert failed.status is WorkflowStatus.FAILED
    assert failed.error is not None
    assert (failed.error.type, failed.error.message) == ("ValueError", "no money")
    assert await payments(application) == []
