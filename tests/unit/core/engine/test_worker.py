"""Workers: they share work, take over from the dead, leave alone what they have no code for, and stop in good order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from tests.unit.core.engine.engines import an_engine

from workflows_core import (
    BaseMachineStep,
    EngineSettings,
    InMemoryWorkflowStore,
    MemoryState,
    StoreUnavailableError,
    SystemClock,
    Worker,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowEngine,
    WorkflowRegistry,
    WorkflowStatus,
)
from workflows_core.ports.store import ClaimRequest, Write, WriteResult


def make_engine(
    memory: MemoryState,
    *definitions: WorkflowDefinition,
    lease_s: float = 15.0,
    store: InMemoryWorkflowStore | None = None,
) -> WorkflowEngine:
    registry = WorkflowRegistry()
    for definition in definitions:
        registry.register_definition(definition)
    return an_engine(
        registry,
        store if store is not None else InMemoryWorkflowStore(memory),
        memory,
        EngineSettings(lease_s=lease_s, poll_s=0.02),
    )


@asynccontextmanager
async def running(engine: WorkflowEngine) -> AsyncGenerator[Worker]:
    worker = Worker(engine)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        await worker.stop()
        await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


class Slow(BaseMachineStep):
    """Tells when it was entered, and waits until it may leave."""

    def __init__(self) -> None:
        super().__init__(name="slow")
        self.entered = 0
        self.may_leave = asyncio.Event()
        self.saw_stop = False

    async def execute(self, context: WorkflowContext) -> None:
        self.entered += 1
        try:
            await self.may_leave.wait()
        except asyncio.CancelledError:
            self.saw_stop = context.cancelled
            raise
        context.set("attempt", context.attempt)


class Interrupted(InMemoryWorkflowStore):
    """A store that cannot be reached when a worker wants to record a step, the first two times."""

    def __init__(self, memory: MemoryState, step: str) -> None:
        super().__init__(memory)
        self.step = step
        self.refused = 0

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        recorded = [execution.step_name for write in writes for execution in write.transition.executions]
        if self.step in recorded and self.refused < 2:
            self.refused += 1
            raise StoreUnavailableError("no connection")
        return await super().commit(writes)


def define(step: BaseMachineStep) -> WorkflowDefinition:
    return WorkflowDefinition(name="slow_one", steps={step.name: step}, initial_step=step.name)


async def test_work_of_a_dead_worker_is_taken_over_when_its_lease_has_ended() -> None:
    memory, step = MemoryState(SystemClock()), Slow()
    step.may_leave.set()
    engine = make_engine(memory, define(step))
    instance = await engine.start_workflow("slow_one")
    dead = await engine.store.claim(ClaimRequest(worker="dead", limit=1, lease_s=0.1))
    assert len(dead) == 1

    async with running(engine):
        finished = await engine.wait(instance.id, timeout=5)

    assert finished.status is WorkflowStatus.COMPLETED
    assert finished.data == {"attempt": 2}


async def test_leases_of_long_steps_are_renewed() -> None:
    memory, step = MemoryState(SystemClock()), Slow()
    engine = make_engine(memory, define(step), lease_s=0.09)
    instance = await engine.start_workflow("slow_one")

    async with running(engine), running(engine):
        await until(lambda: step.entered == 1)
        await asyncio.sleep(0.3)
        step.may_leave.set()
        await engine.wait(instance.id, timeout=5)

    assert step.entered == 1


class Refused(BaseMachineStep):
    """Gives what cannot be kept, and takes its time to hear that it failed."""

    def __init__(self) -> None:
        super().__init__(name="refused")
        self.hears = asyncio.Event()
        self.was_stopped = False

    async def execute(self, context: WorkflowContext) -> None:
        context.add("not_declared", 1)

    async def on_failure(self, context: WorkflowContext, error: BaseException) -> None:
        self.hears.set()
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            self.was_stopped = True
            raise


async def test_code_that_hears_that_its_result_is_refused_is_stopped_when_the_lease_is_lost() -> None:
    memory, step = MemoryState(SystemClock()), Refused()
    engine = make_engine(memory, define(step), lease_s=0.6)
    await engine.start_workflow("slow_one")
    async with running(engine) as worker:
        await asyncio.wait_for(step.hears.wait(), 5)
        [lease] = await engine.store.renew(worker.id, 0.6)
        await engine.store.release(worker.id, [lease])
        [_] = await engine.store.claim(ClaimRequest(worker="other", limit=1, lease_s=60))
        await until(lambda: step.was_stopped)


async def test_a_worker_that_lost_its_lease_stops_the_step_and_writes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    memory, step = MemoryState(SystemClock()), Slow()
    engine = make_engine(memory, define(step), lease_s=0.9)
    instance = await engine.start_workflow("slow_one")

    async with running(engine) as worker:
        await until(lambda: step.entered == 1)
        [lease] = await engine.store.renew(worker.id, 0.9)
        await engine.store.release(worker.id, [lease])
        [taken] = await engine.store.claim(ClaimRequest(worker="other", limit=1, lease_s=60))
        await until(lambda: step.saw_stop)
        assert taken.lease == lease._replace(fence=lease.fence + 1)
        assert worker.id != "other"
        assert "has lost the lease" in caplog.text, "it need not wait for the end of the lease"

    [still] = await engine.queries.list_work(instance.id)
    assert still.worker == "other"


async def test_work_without_code_is_left_alone() -> None:
    memory, step = MemoryState(SystemClock()), Slow()
    step.may_leave.set()
    web, capable = make_engine(memory, define(step)), make_engine(memory, define(step))
    ignorant = make_engine(memory)
    instance = await web.start_workflow("slow_one")

    async with running(ignorant):
        await asyncio.sleep(0.1)
        assert (await web.get_instance(instance.id)).status is WorkflowStatus.RUNNING
        [waiting] = await web.queries.list_work(instance.id)
        assert waiting.worker is None
        async with running(capable):
            assert (await capable.wait(instance.id, timeout=5)).status is WorkflowStatus.COMPLETED


async def test_a_stopped_worker_finishes_what_is_under_way_and_claims_no_more() -> None:
    memory, step = MemoryState(SystemClock()), Slow()
    engine = make_engine(memory, define(step))
    first = await engine.start_workflow("slow_one")
    worker = Worker(engine)
    task = asyncio.create_task(worker.run())
    await until(lambda: step.entered == 1)

    await worker.stop()
    second = await engine.start_workflow("slow_one")
    step.may_leave.set()
    await asyncio.wait_for(task, 5)

    assert (await engine.get_instance(first.id)).status is WorkflowStatus.COMPLETED
    assert (await engine.get_instance(second.id)).status is WorkflowStatus.RUNNING


async def test_a_drain_that_lasts_too_long_gives_the_work_back() -> None:
    memory, step = MemoryState(SystemClock()), Slow()
    engine = make_engine(memory, define(step))
    instance = await engine.start_workflow("slow_one")
    worker = Worker(engine)
    task = asyncio.create_task(worker.run())
    await until(lambda: step.entered == 1)

    await worker.stop(drain_s=0.05)
    await asyncio.wait_for(task, 5)

    [work] = await engine.queries.list_work(instance.id)
    assert work.worker is None
    assert step.saw_stop


async def test_work_whose_result_could_not_be_recorded_is_given_back_by_a_busy_worker() -> None:
    memory, busy = MemoryState(SystemClock()), Slow()

    class Quick(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None:
            context.set("attempt", context.attempt)

    quick = WorkflowDefinition(name="quick_one", steps={"quick": Quick()})
    store = Interrupted(memory, "quick")
    engine = make_engine(memory, define(busy), quick, lease_s=60.0, store=store)

    async with running(engine):
        await engine.start_workflow("slow_one")
        await until(lambda: busy.entered == 1)
        instance = await engine.start_workflow("quick_one")
        try:
            finished = await engine.wait(instance.id, timeout=5)
        finally:
            busy.may_leave.set()

    assert store.refused == 2
    assert finished.data == {"attempt": 2}


class Forgetful(InMemoryWorkflowStore):
    """A store whose answer to the recording of a step is lost once: it has committed, but nobody learns of it."""

    lost = 0

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        results = await super().commit(writes)
        if self.lost == 0 and any(write.transition.executions for write in writes):
            self.lost = 1
            raise StoreUnavailableError("connection lost")
        return results


async def test_a_step_whose_commit_lost_its_answer_is_not_run_again_and_the_next_goes_on() -> None:
    memory, ran = MemoryState(SystemClock()), list[str]()

    class Note(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None:
            ran.append(context.current_step)

    pair = WorkflowDefinition(
        name="pair", steps={"first": Note(), "second": Note()}, edges=[("first", "second")], initial_step="first"
    )
    store = Forgetful(memory)
    engine = make_engine(memory, pair, lease_s=60.0, store=store)

    async with running(engine):
        instance = await engine.start_workflow("pair")
        finished = await engine.wait(instance.id, timeout=5)

    assert store.lost == 1
    assert finished.status is WorkflowStatus.COMPLETED
    assert ran == ["first", "second"]


async def test_a_worker_that_nobody_wakes_finds_what_another_process_starts() -> None:
    memory, step = MemoryState(SystemClock()), Slow()
    step.may_leave.set()
    engine, outside = make_engine(memory, define(step)), make_engine(memory, define(step))

    async with running(engine):
        await asyncio.sleep(0.1)  # it has looked, and found nothing
        instance = await outside.start_workflow("slow_one")
        finished = await outside.wait(instance.id, timeout=5)

    assert finished.status is WorkflowStatus.COMPLETED


async def test_two_workers_run_every_step_once() -> None:
    memory, seen = MemoryState(SystemClock()), list[str]()

    class Note(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None:
            seen.append(context.idempotency_key)
            await asyncio.sleep(0)

    engine = make_engine(memory, define(Note(name="note")))
    instances = [await engine.start_workflow("slow_one") for _ in range(200)]

    async with running(engine), running(engine):
        for instance in instances:
            await engine.wait(instance.id, timeout=5)

    assert len(seen) == len(set(seen)) == 200
