"""`PersistentExecutionEngine`: the whole engine over a database, also over its end and a new beginning."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from workflows_core import (
    BaseHumanStep,
    BaseMachineStep,
    Edge,
    ForEach,
    WaitForSignal,
    Workflow,
    WorkflowContext,
    WorkflowRegistry,
    WorkflowStatus,
)
from workflows_core.domain.events import StepRetryScheduled
from workflows_core.domain.retry import RetryPolicy
from workflows_core.errors import StoreUnavailableError
from workflows_sqlalchemy import PersistentExecutionEngine, SQLAlchemyStoreConfig


class Count(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None:
        context.set("count", context.get("count", 0) + 1)


class Approve(BaseHumanStep):
    title = "Approve {amount}"
    form_schema = {"type": "object", "properties": {"approved": {"type": "boolean"}}, "required": ["approved"]}


class Pay(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None:
        context.set("paid", context.get("amount"))


class Approval(Workflow):
    __workflow_name__ = "approval"
    __steps__ = [Count, Approve, Pay]
    __edges__ = [(Count, Approve), Edge(Approve, Pay, condition="approved")]


class Square(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> int:
        number: int = context.get("item")
        return number * number


class Squares(Workflow):
    __workflow_name__ = "squares"
    __steps__ = [ForEach("numbers", Square(), into="squares", concurrency=3)]


class Parcel(Workflow):
    __workflow_name__ = "parcel"
    __steps__ = [Approve, WaitForSignal(name="sent", into="number")]
    __edges__ = [("approve", "sent")]


def registry() -> WorkflowRegistry:
    registry = WorkflowRegistry()
    registry.register(Parcel)
    registry.register(Approval)
    registry.register(Squares)
    return registry


async def test_an_instance_outlives_the_engine_that_started_it(url: str) -> None:
    async with PersistentExecutionEngine(registry(), url) as engine:
        started = await engine.start_workflow("approval", {"amount": 42})
        waiting = await engine.wait(started.id, timeout=10)
        assert (waiting.status, waiting.current_step) == (WorkflowStatus.WAITING, "approve")
    async with PersistentExecutionEngine(registry(), url) as engine:
        await engine.complete_human_task(started.id, "approve", "bob", {"approved": True})
        finished = await engine.wait(started.id, timeout=10)
    assert finished.status is WorkflowStatus.COMPLETED
    assert finished.data["paid"] == 42
    assert finished.data["count"] == 1


async def test_a_signal_that_came_early_and_its_key_outlive_the_engine_that_took_them(url: str) -> None:
    async with PersistentExecutionEngine(registry(), url) as engine:
        started = await engine.start_workflow("parcel", {"amount": 42})
        await engine.signal(started.id, "sent", "R-1", dedup_key="k")
    async with PersistentExecutionEngine(registry(), url) as engine:
        again = await engine.signal(started.id, "sent", "R-2", dedup_key="k")
        assert again.current_step == "approve"
        await engine.complete_human_task(started.id, "approve", "bob", {"approved": True})
        finished = await engine.wait(started.id, timeout=10)
    assert (finished.status, finished.data["number"]) == (WorkflowStatus.COMPLETED, "R-1")


async def test_failures_attempts_and_the_delay_that_is_left_outlive_the_engine(url: str) -> None:
    attempts: list[int] = []

    class Failing(BaseMachineStep):
        retry = RetryPolicy(max_attempts=3, initial_delay_s=0.05, multiplier=30.0, jitter=0.0)

        async def execute(self, context: WorkflowContext) -> None:
            attempts.append(context.attempt)
            raise ValueError(f"attempt {context.attempt}")

    class Doomed(Workflow):
        __workflow_name__ = "doomed"
        __steps__ = [Failing]

    def doomed() -> WorkflowRegistry:
        registry = WorkflowRegistry()
        registry.register(Doomed)
        return registry

    async with PersistentExecutionEngine(doomed(), url) as engine:
        started = await engine.start_workflow("doomed")
        async with asyncio.timeout(10):
            while len(await retries_of(engine, started.id)) < 2:
                await asyncio.sleep(0.01)
        (before,) = await engine.queries.list_work(started.id)
    async with PersistentExecutionEngine(doomed(), url) as engine:
        (after,) = await engine.queries.list_work(started.id)
        finished = await engine.wait(started.id, timeout=10, until=lambda found: found.status.is_final)
        (record,) = await engine.queries.list_executions(started.id)
        delays = await retries_of(engine, started.id)
    assert finished.status is WorkflowStatus.FAILED
    assert (attempts, record.execution.attempts, delays) == ([1, 2, 3], 3, [0.05, 1.5])
    assert after.due_at == before.due_at
    assert before.due_at is not None
    assert record.execution.started_at is not None
    assert record.execution.started_at >= before.due_at


async def retries_of(engine: PersistentExecutionEngine, instance: UUID) -> list[float]:
    """The delays before the attempts of an instance that were to follow another one."""
    events = [found.event for found in await engine.queries.list_events(instance)]
    return [event.delay_s for event in events if isinstance(event, StepRetryScheduled)]


async def test_items_are_run_each_in_a_scope_of_its_own(url: str) -> None:
    async with PersistentExecutionEngine(registry(), url) as engine:
        started = await engine.start_workflow("squares", {"numbers": list(range(10))})
        finished = await engine.wait(started.id, timeout=20)
    assert finished.status is WorkflowStatus.COMPLETED, finished.error
    assert finished.data["squares"] == [number * number for number in range(10)]


async def test_many_instances_run_at_once(url: str) -> None:
    async with PersistentExecutionEngine(registry(), url) as engine:
        started = [await engine.start_workflow("approval", {"amount": number}) for number in range(20)]
        waiting = await asyncio.gather(*(engine.wait(instance.id, timeout=20) for instance in started))
    assert {instance.current_step for instance in waiting} == {"approve"}


async def test_two_engines_share_the_work_of_one_database(url: str) -> None:
    ran: list[str] = []

    def registry_of(name: str) -> WorkflowRegistry:
        class Note(BaseMachineStep):
            async def execute(self, context: WorkflowContext) -> None:
                ran.append(name)
                await asyncio.sleep(0.02)

        class Noting(Workflow):
            __workflow_name__ = "noting"
            __steps__ = [Note]

        registry = WorkflowRegistry()
        registry.register(Noting)
        return registry

    async with (
        PersistentExecutionEngine(registry_of("one"), url, concurrency=2) as one,
        PersistentExecutionEngine(registry_of("other"), url, concurrency=2) as other,
    ):
        started = [await engine.start_workflow("noting") for engine in (one, other) * 10]
        finished = await asyncio.gather(*(one.wait(instance.id, timeout=20) for instance in started))
    assert {instance.status for instance in finished} == {WorkflowStatus.COMPLETED}
    assert len(ran) == 20
    assert set(ran) == {"one", "other"}


@pytest.mark.parametrize("as_config", [False, True])
async def test_the_engine_of_an_application_stays_open(url: str, as_config: bool) -> None:
    database = create_async_engine(url)
    given: Any = SQLAlchemyStoreConfig(database=database) if as_config else database
    async with PersistentExecutionEngine(registry(), given) as engine:
        started = await engine.start_workflow("approval", {"amount": 1})
        await engine.wait(started.id, timeout=10)
    async with database.connect() as connection:
        assert (await connection.exec_driver_sql("SELECT count(*) FROM workflow_instances")).scalar_one() == 1
    await database.dispose()


async def test_without_tables_the_engine_says_how_to_make_them(empty_url: str) -> None:
    engine = PersistentExecutionEngine(registry(), empty_url)
    with pytest.raises(StoreUnavailableError, match="workflows database upgrade"):
        await engine.open()
    await engine.aclose()


def test_a_sqlite_database_in_memory_is_refused_with_what_to_take_instead() -> None:
    for url in ("sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"):
        with pytest.raises(StoreUnavailableError, match="LocalExecutionEngine"):
            PersistentExecutionEngine(registry(), url)


async def test_a_delayed_start_outlives_its_engine_and_keeps_its_priority(url: str) -> None:
    async with PersistentExecutionEngine(registry(), url) as engine:
        started = await engine.start_workflow("squares", {"numbers": [2]}, delay=timedelta(seconds=0.7), priority=7)
        assert (started.status, started.priority) == (WorkflowStatus.PENDING, 7)
        assert [work.item.priority for work in await engine.queries.list_work(started.id)] == [7]
        begins_at = await engine.store.now() + timedelta(seconds=0.6)
    async with PersistentExecutionEngine(registry(), url) as engine:
        finished = await engine.wait(started.id, timeout=10, until=lambda found: found.status.is_final)
        assert (finished.status, finished.priority) == (WorkflowStatus.COMPLETED, 7)
        (first, *_) = await engine.queries.list_executions(started.id)
        assert first.execution.started_at is not None
        assert first.execution.started_at > begins_at
