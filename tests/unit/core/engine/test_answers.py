"""A worker that answers hints: one piece of due work for each, claimed together, as many as there are slots."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from tests.unit.core.engine.engines import an_engine

from workflows_core import (
    BaseMachineStep,
    EngineSettings,
    InMemoryWorkflowStore,
    MemoryState,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowEngine,
    WorkflowRegistry,
)
from workflows_core.engine.worker import Worker
from workflows_core.ports.store import Claim, ClaimRequest, Write, WriteResult
from workflows_testing.builders import with_work


class Store(InMemoryWorkflowStore):
    """Notes what is claimed; what is committed gets the priority of the moment."""

    def __init__(self) -> None:
        super().__init__(MemoryState())
        self.requests: list[ClaimRequest] = []
        self.priority = 0

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        self.requests.append(request)
        return await super().claim(request)

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        return await super().commit([with_work(write, priority=self.priority) for write in writes])


class Held(BaseMachineStep):
    """Writes down that it has begun, and waits until it may leave."""

    def __init__(self, queue: str = "default") -> None:
        super().__init__(name="held", queue=queue)
        self.begun: list[str] = []
        self.may_leave = asyncio.Event()

    async def execute(self, context: WorkflowContext) -> None:
        self.begun.append(context.get("name", ""))
        await self.may_leave.wait()


class World:
    """A worker that has looked for itself already, and will not do so again for a minute."""

    def __init__(self, engine: WorkflowEngine, store: Store, step: Held, worker: Worker) -> None:
        self.engine = engine
        self.store = store
        self.step = step
        self.worker = worker

    async def start(self, *names: str) -> None:
        for name in names:
            await self.engine.start_workflow("held", {"name": name})

    def ask(self, number: int, queue: str = "default", *, within_s: float = 5.0) -> list[asyncio.Task[bool]]:
        return [asyncio.create_task(self.worker.answer(queue, within_s=within_s)) for _ in range(number)]

    async def until_begun(self, number: int) -> None:
        async with asyncio.timeout(5):
            while len(self.step.begun) < number:
                await asyncio.sleep(0.001)


@asynccontextmanager
async def a_world(*, concurrency: int = 8, queues: frozenset[str] | None = None) -> AsyncGenerator[World]:
    store, step, registry = Store(), Held(), WorkflowRegistry()
    registry.register(WorkflowDefinition("held", steps={"held": step}))
    # Two engines, as in two processes: one that starts keeps no slot of the worker for what it starts.
    engine, others = (an_engine(registry, store, store.memory, EngineSettings(poll_s=60)) for _ in range(2))
    worker = Worker(others, concurrency=concurrency, queues=queues)
    worker._pace._pause_s = 60.0  # it has been idle for long
    task = asyncio.create_task(worker.run())
    async with asyncio.timeout(5):
        while not store.requests:
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.01)
    store.requests.clear()
    yield World(engine, store, step, worker)
    step.may_leave.set()
    await worker.stop()
    await task


async def test_hints_that_come_at_once_are_answered_with_one_claim() -> None:
    async with a_world() as world:
        await world.start("a", "b", "c")
        world.store.requests.clear()
        answers = world.ask(3)
        await world.until_begun(3)
        assert [request.limit for request in world.store.requests] == [3]
        assert [request.queues for request in world.store.requests] == [frozenset({"default"})]
        world.step.may_leave.set()
        assert await asyncio.gather(*answers) == [True] * 3


async def test_hints_without_work_are_answered_at_once() -> None:
    async with a_world() as world:
        await world.start("a")
        assert await asyncio.gather(*world.ask(3)) == [True, False, False]


async def test_an_answer_ends_when_its_work_has_begun_if_there_is_room_for_more() -> None:
    async with a_world(concurrency=2) as world:
        await world.start("a")
        assert await asyncio.gather(*world.ask(1)) == [True]
        assert world.worker.running == 1


async def test_an_answer_that_takes_the_last_slot_ends_with_its_work() -> None:
    async with a_world(concurrency=1) as world:
        await world.start("a")
        (answer,) = world.ask(1)
        await world.until_begun(1)
        await asyncio.sleep(0.05)
        assert not answer.done()
        world.step.may_leave.set()
        assert await answer


async def test_no_more_is_answered_at_once_than_there_are_slots() -> None:
    async with a_world(concurrency=2) as world:
        await world.start("a", "b", "c")
        answers = world.ask(3)
        await world.until_begun(2)
        await asyncio.sleep(0.05)
        assert len(world.step.begun) == 2
        world.step.may_leave.set()
        assert await asyncio.gather(*answers) == [True] * 3


async def test_the_most_urgent_work_is_the_answer_whatever_the_hint_was_about() -> None:
    async with a_world(concurrency=1) as world:
        await world.start("ordinary")
        world.store.priority = 5
        await world.start("urgent")
        world.ask(1)
        await world.until_begun(1)
        assert world.step.begun == ["urgent"]


async def test_a_hint_of_a_queue_that_is_not_served_is_refused_without_a_look() -> None:
    async with a_world(queues=frozenset({"default"})) as world:
        assert not await world.worker.answer("mail")
        assert world.store.requests == []


async def test_an_answer_that_takes_too_long_returns_while_the_work_goes_on() -> None:
    async with a_world(concurrency=1) as world:
        await world.start("a")
        (answer,) = world.ask(1, within_s=0.05)
        assert await answer
        assert world.worker.running == 1


async def test_a_hint_for_which_no_slot_becomes_free_is_given_up() -> None:
    async with a_world(concurrency=1) as world:
        await world.start("a", "b")
        world.ask(1)
        await world.until_begun(1)
        (late,) = world.ask(1, within_s=0.05)
        assert not await late
        assert world.step.begun in (["a"], ["b"])


async def test_whoever_gives_up_waiting_stops_nothing() -> None:
    async with a_world(concurrency=1) as world:
        await world.start("a")
        (answer,) = world.ask(1)
        await world.until_begun(1)
        answer.cancel()
        await asyncio.gather(answer, return_exceptions=True)
        assert world.worker.running == 1


async def test_a_worker_that_is_stopped_refuses_the_hints_that_wait_and_those_that_come() -> None:
    async with a_world(concurrency=1) as world:
        await world.start("a", "b")
        (under_way,) = world.ask(1)
        await world.until_begun(1)
        (waiting,) = world.ask(1)
        await asyncio.sleep(0.01)
        stopping = asyncio.create_task(world.worker.stop())
        assert not await waiting
        assert not await world.worker.answer("default")
        assert not under_way.done()
        world.step.may_leave.set()
        assert await under_way
        await stopping
        assert len(world.step.begun) == 1
