"""An operator's decision about a failure is applied to that failure, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import pytest
from tests.unit.core.engine.engines import an_engine

from workflows_core import (
    BaseMachineStep,
    EngineSettings,
    InMemoryWorkflowStore,
    MemoryState,
    RevisionConflictError,
    StoreUnavailableError,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowRegistry,
)
from workflows_core.engine.engine import WorkflowEngine
from workflows_core.engine.worker import Worker
from workflows_core.ports.store import Loaded, WorkflowStore, Write, WriteResult
from workflows_testing.faults import FaultPlan, FaultyStore, StoreCall, StoreFault


class Fails(BaseMachineStep):
    def __init__(self) -> None:
        super().__init__(name="fails")
        self.runs = 0

    async def execute(self, context: WorkflowContext) -> None:
        self.runs += 1
        raise LookupError("as it must")


class LosesTheAnswer(StoreFault):
    """The call is done; that its answer is lost shows only when something else has happened."""

    def __init__(self, happened: Callable[[], Awaitable[None]]) -> None:
        self.happened = happened

    async def befall(self, call: StoreCall) -> Any:
        await call.perform()
        await self.happened()
        reason = "the answer was lost"
        raise StoreUnavailableError(reason)


class ComesLate(StoreFault):
    """The call is under way until something else has happened."""

    def __init__(self, happened: Callable[[], Awaitable[None]]) -> None:
        self.happened = happened

    async def befall(self, call: StoreCall) -> Any:
        await self.happened()
        return await call.perform()


@pytest.fixture
def plan() -> FaultPlan:
    return FaultPlan()


@pytest.fixture
def step() -> Fails:
    return Fails()


@pytest.fixture
def memory() -> MemoryState:
    return MemoryState()


@pytest.fixture
def registry(step: Fails) -> WorkflowRegistry:
    registry = WorkflowRegistry()
    registry.register_definition(WorkflowDefinition("fails", steps=[step]))
    return registry


@pytest.fixture
async def elsewhere(memory: MemoryState, registry: WorkflowRegistry) -> AsyncIterator[WorkflowEngine]:
    """The engine of another process, which has the worker."""
    engine = make_engine(registry, InMemoryWorkflowStore(memory), memory)
    worker = Worker(engine)
    working = asyncio.create_task(worker.run())
    yield engine
    await worker.stop()
    await working


@pytest.fixture
def engine(
    memory: MemoryState, registry: WorkflowRegistry, plan: FaultPlan, elsewhere: WorkflowEngine
) -> WorkflowEngine:
    """An engine whose store has faults; only what it commits itself counts for the plan."""
    assert elsewhere is not None
    return make_engine(registry, FaultyStore(InMemoryWorkflowStore(memory), plan), memory)


def make_engine(registry: WorkflowRegistry, store: WorkflowStore, memory: MemoryState) -> WorkflowEngine:
    return an_engine(registry, store, memory, EngineSettings(poll_s=0.02))


async def test_a_retry_whose_answer_was_lost_is_not_applied_to_the_failure_that_followed_it(
    engine: WorkflowEngine, plan: FaultPlan, step: Fails
) -> None:
    failed = await engine.wait((await engine.start_workflow("fails")).id, timeout=5)

    async def failed_again() -> None:
        while step.runs < 2 or not (await engine.get_instance(failed.id)).status.is_final:
            await asyncio.sleep(0.005)

    plan.on("commit", nth=2, fault=LosesTheAnswer(failed_again))
    await engine.retry(failed.id)
    assert [injected.nth for injected in plan.injected] == [2]
    assert step.runs == 2


class Gated(InMemoryWorkflowStore):
    """A store that holds back what a reader has found, or what is to be recorded, when it is told to."""

    def __init__(self, memory: MemoryState) -> None:
        super().__init__(memory)
        self.reading = self.writing = False
        self.has_read, self.writes = asyncio.Event(), asyncio.Event()
        self.may_tell, self.may_write = asyncio.Event(), asyncio.Event()

    async def load(self, instance_id: UUID, **options: Any) -> Loaded | None:
        reading, self.reading = self.reading, False
        found = await super().load(instance_id, **options)
        if reading:
            self.has_read.set()
            await self.may_tell.wait()
        return found

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        if self.writing and any(write.transition.executions for write in writes):
            self.writing = False
            self.writes.set()
            await self.may_write.wait()
        return await super().commit(writes)


async def test_a_retry_that_waits_while_the_next_failure_is_written_is_not_applied_to_that_one(
    memory: MemoryState, registry: WorkflowRegistry, step: Fails
) -> None:
    store = Gated(memory)
    engine = make_engine(registry, store, memory)
    worker = Worker(engine)
    working = asyncio.create_task(worker.run())
    failed = await engine.wait((await engine.start_workflow("fails")).id, timeout=5)
    store.reading = True
    second = asyncio.create_task(engine.retry(failed.id))
    await store.has_read.wait()
    store.writing = True
    await engine.retry(failed.id)
    await store.writes.wait()
    store.may_tell.set()
    for _ in range(20):
        await asyncio.sleep(0)  # it waits for what is being written
    store.may_write.set()
    with pytest.raises(RevisionConflictError):
        await second
    await worker.stop()
    await working
    assert step.runs == 2


@pytest.mark.parametrize("second", ["retry", "discard"])
async def test_of_two_operators_who_see_the_same_failure_the_second_is_told_that_there_is_another_one(
    engine: WorkflowEngine, elsewhere: WorkflowEngine, plan: FaultPlan, step: Fails, second: str
) -> None:
    failed = await engine.wait((await engine.start_workflow("fails")).id, timeout=5)

    async def first_operator() -> None:
        await elsewhere.retry(failed.id)
        while step.runs < 2 or not (await engine.get_instance(failed.id)).status.is_final:
            await asyncio.sleep(0.005)

    plan.on("commit", nth=2, fault=ComesLate(first_operator))
    with pytest.raises(RevisionConflictError):
        await (engine.retry(failed.id) if second == "retry" else engine.discard(failed.id))
    assert step.runs == 2
    assert [entry.id for entry in (await engine.list_dead_letters()).items] == [failed.id]
