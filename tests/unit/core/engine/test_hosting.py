"""An engine and its worker inside a process of somebody else's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.unit.core.engine.engines import an_engine

from workflows_core import (
    BaseMachineStep,
    EngineSettings,
    InMemoryWorkflowStore,
    MemoryState,
    StoreUnavailableError,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowEngine,
    WorkflowRegistry,
    WorkflowStatus,
)
from workflows_core.engine.hosting import WorkerHost, engine_of


class Store(InMemoryWorkflowStore):
    """Knows whether it was closed, and may be away."""

    def __init__(self, memory: MemoryState) -> None:
        super().__init__(memory)
        self.closed = 0
        self.is_away = False

    async def check(self) -> None:
        if self.is_away:
            raise StoreUnavailableError("it is away")

    async def close(self) -> None:
        self.closed += 1


class Slow(BaseMachineStep):
    """Takes as long as the data say."""

    async def execute(self, context: WorkflowContext) -> None:
        await asyncio.sleep(context.get("takes_s", 0))


class World:
    """A store in memory, with one engine after the other over it."""

    def __init__(self) -> None:
        self.memory = MemoryState()
        self.stores: list[Store] = []
        self.is_away = False

    def make_engine(self) -> WorkflowEngine:
        store = Store(self.memory)
        store.is_away = self.is_away
        self.stores.append(store)
        registry = WorkflowRegistry()
        registry.register(WorkflowDefinition("slow", steps={"slow": Slow(name="slow")}))
        return an_engine(registry, store, self.memory, EngineSettings(poll_s=0.02))

    async def make_engine_slowly(self) -> WorkflowEngine:
        return self.make_engine()


async def test_a_host_runs_the_work_of_its_engine_and_closes_it_at_the_end() -> None:
    world = World()
    client = world.make_engine()
    host = WorkerHost(world.make_engine_slowly)
    await host.start()
    instance = await client.start_workflow("slow")
    assert (await client.wait(instance.id, timeout=5)).status is WorkflowStatus.COMPLETED
    await host.stop()
    assert [store.closed for store in world.stores] == [0, 1]


async def test_a_host_that_is_not_started_or_stopped_answers_nothing() -> None:
    world = World()
    host = WorkerHost(world.make_engine)
    assert not await host.answer("default")
    await host.start()
    await host.stop()
    await host.stop()
    assert not await host.answer("default")


async def test_a_host_can_be_started_again() -> None:
    world = World()
    host = WorkerHost(world.make_engine)
    for _ in range(2):
        await host.start()
        await host.stop()
    assert [store.closed for store in world.stores] == [1, 1]


async def test_a_host_whose_store_is_away_says_so_and_leaves_nothing_open() -> None:
    world = World()
    world.is_away = True
    host = WorkerHost(world.make_engine)
    with pytest.raises(StoreUnavailableError):
        await host.start()
    assert [store.closed for store in world.stores] == [1]
    assert not await host.answer("default")
    await host.stop()


async def test_what_is_under_way_is_given_back_when_the_time_to_drain_is_over() -> None:
    world = World()
    client = world.make_engine()
    host = WorkerHost(world.make_engine, drain_s=0.05)
    await host.start()
    instance = await client.start_workflow("slow", {"takes_s": 60})
    asked = asyncio.create_task(host.answer("default"))
    async with asyncio.timeout(5):
        while not (worker := host._worker) or not worker.running:
            await asyncio.sleep(0.005)
        await host.stop()
    await asked
    (step,) = (await client.get_instance(instance.id)).active_steps
    assert step.step_name == "slow"
    due = await client.store.next_due()
    assert due is not None
    assert due <= 0


async def test_an_engine_may_be_made_by_a_function_or_by_a_coroutine_function() -> None:
    world = World()
    for factory in (world.make_engine, world.make_engine_slowly):
        async with engine_of(factory) as engine:
            assert isinstance(engine, WorkflowEngine)
        assert world.stores[-1].closed == 1


async def test_a_context_manager_closes_what_belongs_to_its_engine() -> None:
    world, closed = World(), list[str]()

    @asynccontextmanager
    async def open_engine() -> AsyncIterator[WorkflowEngine]:
        engine = world.make_engine()
        yield engine
        await engine.aclose()
        closed.append("all of it")

    host = WorkerHost(open_engine)
    await host.start()
    assert closed == []
    await host.stop()
    assert closed == ["all of it"]
    assert world.stores[-1].closed == 1
