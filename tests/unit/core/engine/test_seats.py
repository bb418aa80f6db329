"""A step that follows from a request and finds a free slot in this process is written as claimed, and run without a claim."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from tests.unit.core.engine.engines import an_engine

from workflows_core import (
    Actor,
    BaseHumanStep,
    BaseMachineStep,
    EngineSettings,
    IdempotencyConflictError,
    InMemoryWorkflowStore,
    MemoryState,
    TaskAlreadyCompletedError,
    WaitForSignal,
    WebhookStep,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowInstance,
    WorkflowRegistry,
    WorkflowStatus,
)
from workflows_core.engine.engine import WorkflowEngine
from workflows_core.engine.worker import Worker
from workflows_core.ports.store import Claim, ClaimRequest, Loaded, Write, WriteResult


class Store(InMemoryWorkflowStore):
    """Notes what is claimed and taken; commits wait until the gate is open."""

    def __init__(self) -> None:
        super().__init__(MemoryState())
        self.claimed: list[Claim] = []
        self.taken: list[Write] = []
        self.loads = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        claims = await super().claim(request)
        self.claimed.extend(claims)
        return claims

    async def load(self, instance_id: UUID, **options: Any) -> Loaded | None:
        self.loads += 1
        return await super().load(instance_id, **options)

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        await self.gate.wait()
        self.taken.extend(write for write in writes if write.take and write.held is None)
        return await super().commit(writes)


class Step(BaseMachineStep):
    """Waits until it may end."""

    def __init__(self, queue: str = "default") -> None:
        super().__init__(name="only", queue=queue)
        self.may_end = asyncio.Event()
        self.runs = 0

    async def execute(self, context: WorkflowContext) -> None:
        self.runs += 1
        await self.may_end.wait()


class Decide(BaseHumanStep):
    """Waits for a person."""

    title = "Decide"


def make_engine(store: Store, step: Step, *, lease_s: float = 15.0) -> WorkflowEngine:
    registry = WorkflowRegistry()
    registry.register_definition(WorkflowDefinition(name="short", steps={"only": step}))
    for wait in (Decide(name="wait"), WaitForSignal(name="wait", signal="go"), WebhookStep(name="wait")):
        name = f"after_{type(wait).__name__}"
        steps = {"wait": wait, "only": step}
        registry.register_definition(WorkflowDefinition(name=name, steps=steps, edges=[("wait", "only")]))
    settings = EngineSettings(poll_s=0.02, lease_s=lease_s, secret=b"s" * 32)
    return an_engine(registry, store, store.memory, settings)


async def waiting(engine: WorkflowEngine, wait: str) -> WorkflowInstance:
    """An instance that waits for somebody outside, with nothing of it noted so far."""
    started = await engine.start_workflow(f"after_{wait}")
    instance = await engine.wait(started.id, timeout=5)
    assert instance.status is WorkflowStatus.WAITING
    assert isinstance(engine.store, Store)
    await asyncio.sleep(0.05)
    for noted in (engine.store.taken, engine.store.claimed):
        noted.clear()
    engine.store.loads = 0
    return instance


async def answer(engine: WorkflowEngine, wait: str, instance_id: UUID) -> WorkflowInstance:
    """What such an instance waits for."""
    if wait == "WaitForSignal":
        return await engine.signal(instance_id, "go")
    if wait == "WebhookStep":
        return await engine.receive_webhook(engine.webhook_token(instance_id, "wait"), {})
    (task,) = await engine.get_pending_tasks(instance_id=instance_id)
    return await engine.complete_task(task.id, {}, actor=Actor("ann"))


@asynccontextmanager
async def working(worker: Worker) -> AsyncGenerator[asyncio.Task[None]]:
    task = asyncio.create_task(worker.run())
    await asyncio.sleep(0.05)
    yield task
    await worker.stop()
    await asyncio.wait_for(task, 5)


async def true(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_first_step_that_finds_a_free_slot_is_run_without_a_claim() -> None:
    store, step = Store(), Step()
    step.may_end.set()
    engine = make_engine(store, step)
    worker = Worker(engine)
    async with working(worker):
        started = await engine.start_workflow("short")
        finished = await engine.wait(started.id, timeout=5)
    assert finished.status is WorkflowStatus.COMPLETED
    assert store.claimed == []
    assert [write.worker for write in store.taken] == [worker.id]


async def test_a_start_beyond_the_slots_is_left_to_whoever_claims_it() -> None:
    store, step = Store(), Step()
    engine = make_engine(store, step)
    async with working(Worker(engine, concurrency=2)):
        started = [await engine.start_workflow("short") for _ in range(3)]
        assert len(store.taken) == 2
        step.may_end.set()
        for instance in started:
            await engine.wait(instance.id, timeout=5)
    assert len(store.claimed) == 1


async def test_starts_under_way_count_as_slots_in_use() -> None:
    store, step = Store(), Step()
    step.may_end.set()
    engine = make_engine(store, step)
    await engine.start_workflow("short")  # its definition is kept
    async with working(Worker(engine, concurrency=2)):
        await asyncio.sleep(0.1)
        store.gate.clear()
        starts = [asyncio.create_task(engine.start_workflow("short")) for _ in range(5)]
        await asyncio.sleep(0.02)
        store.gate.set()
        await asyncio.gather(*starts)
        assert len(store.taken) == 2


async def test_without_a_running_worker_nothing_is_taken() -> None:
    store, step = Store(), Step()
    engine = make_engine(store, step)
    async with working(Worker(engine)):
        pass
    await engine.start_workflow("short")
    assert store.taken == []


async def test_a_worker_of_other_queues_takes_nothing() -> None:
    store, step = Store(), Step(queue="mail")
    engine = make_engine(store, step)
    async with working(Worker(engine, queues=frozenset({"default"}))):
        await engine.start_workflow("short")
    assert store.taken == []


async def test_a_refused_start_gives_its_slot_back() -> None:
    store, step = Store(), Step()
    step.may_end.set()
    engine = make_engine(store, step)
    async with working(Worker(engine, concurrency=1)):
        first = await engine.start_workflow("short", idempotency_key="key")
        await engine.wait(first.id, timeout=5)
        again = await engine.start_workflow("short", idempotency_key="key")
        assert again.is_duplicate
        with pytest.raises(IdempotencyConflictError):
            await engine.start_workflow("short", {"other": 1}, idempotency_key="key")
        await true(lambda: step.runs == 1)
        before = len(store.claimed)
        last = await engine.start_workflow("short")
        await engine.wait(last.id, timeout=5)
        assert len(store.claimed) == before


async def test_a_start_whose_caller_gave_up_runs_all_the_same() -> None:
    store, step = Store(), Step()
    step.may_end.set()
    engine = make_engine(store, step)
    await engine.open()
    async with working(Worker(engine)):
        store.gate.clear()
        start = asyncio.create_task(engine.start_workflow("short"))
        await asyncio.sleep(0.02)
        start.cancel()
        await asyncio.gather(start, return_exceptions=True)
        store.gate.set()
        await true(lambda: step.runs == 1)
    assert store.claimed == []


async def test_a_worker_that_stops_gives_back_what_was_started_for_it_meanwhile() -> None:
    store, step = Store(), Step()
    engine = make_engine(store, step)
    await engine.open()
    worker = Worker(engine)
    async with working(worker):
        store.gate.clear()
        start = asyncio.create_task(engine.start_workflow("short"))
        await asyncio.sleep(0.02)
        await worker.stop()
        await asyncio.sleep(0.02)
        store.gate.set()
        instance = await start
    (work,) = await engine.queries.list_work(instance.id)
    assert (work.worker, work.attempt) == (None, 0)
    assert step.runs == 0


async def test_a_start_that_hangs_holds_up_a_stop_no_longer_than_the_drain() -> None:
    store, step = Store(), Step()
    engine = make_engine(store, step)
    await engine.open()
    worker = Worker(engine)
    async with working(worker) as task:
        store.gate.clear()
        start = asyncio.create_task(engine.start_workflow("short"))
        await asyncio.sleep(0.02)
        await worker.stop(drain_s=0.1)
        async with asyncio.timeout(2):
            await task
        assert worker.taken == 0
        store.gate.set()
        await start
    assert step.runs == 0


WAITS = ("Decide", "WaitForSignal", "WebhookStep")


@pytest.mark.parametrize("wait", WAITS)
async def test_what_follows_a_request_is_run_without_a_claim_and_the_instance_is_read_once(wait: str) -> None:
    store, step = Store(), Step()
    engine = make_engine(store, step)
    worker = Worker(engine)
    async with working(worker):
        instance = await waiting(engine, wait)
        await answer(engine, wait, instance.id)
        assert store.loads == 1
        assert [write.worker for write in store.taken] == [worker.id]
        step.may_end.set()
        finished = await engine.wait(instance.id, timeout=5)
    assert finished.status is WorkflowStatus.COMPLETED
    assert store.claimed == []
    assert step.runs == 1


async def test_a_failed_step_that_is_retried_is_run_without_a_claim() -> None:
    class Fails(Step):
        async def execute(self, context: WorkflowContext) -> None:
            await super().execute(context)
            if self.runs == 1:
                msg = "not yet"
                raise ValueError(msg)

    store, step = Store(), Fails()
    step.may_end.set()
    engine = make_engine(store, step)
    async with working(Worker(engine)):
        instance = await engine.wait((await engine.start_workflow("short")).id, timeout=5)
        assert instance.status is WorkflowStatus.FAILED
        await asyncio.sleep(0.05)
        store.claimed.clear()
        await engine.retry(instance.id)
        finished = await engine.wait(instance.id, timeout=5)
    assert finished.status is WorkflowStatus.COMPLETED
    assert store.claimed == []


async def test_what_follows_a_request_is_left_to_whoever_claims_it_if_no_slot_is_free() -> None:
    store, step = Store(), Step()
    engine = make_engine(store, step)
    async with working(Worker(engine, concurrency=1)):
        instance = await waiting(engine, "Decide")
        await engine.start_workflow("short")  # takes the slot
        await answer(engine, "Decide", instance.id)
        assert len(store.taken) == 1
        step.may_end.set()
        finished = await engine.wait(instance.id, timeout=5)
    assert finished.status is WorkflowStatus.COMPLETED
    assert len(store.claimed) == 1


async def test_what_follows_a_request_is_run_also_if_whoever_asked_gave_up() -> None:
    store, step = Store(), Step()
    step.may_end.set()
    engine = make_engine(store, step)
    async with working(Worker(engine)):
        instance = await waiting(engine, "WaitForSignal")
        store.gate.clear()
        request = asyncio.create_task(answer(engine, "WaitForSignal", instance.id))
        await asyncio.sleep(0.02)
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)
        store.gate.set()
        await true(lambda: step.runs == 1)
    assert store.claimed == []


async def test_a_worker_that_stops_gives_back_what_a_request_has_left_to_it_meanwhile() -> None:
    store, step = Store(), Step()
    engine = make_engine(store, step)
    worker = Worker(engine)
    async with working(worker):
        instance = await waiting(engine, "Decide")
        store.gate.clear()
        request = asyncio.create_task(answer(engine, "Decide", instance.id))
        await asyncio.sleep(0.02)
        await worker.stop()
        await asyncio.sleep(0.02)
        store.gate.set()
        await request
    (work,) = await engine.queries.list_work(instance.id)
    assert (work.worker, work.attempt) == (None, 0)
    assert step.runs == 0


async def test_a_refused_request_gives_its_slot_back() -> None:
    store, step = Store(), Step()
    step.may_end.set()
    engine = make_engine(store, step)
    async with working(Worker(engine, concurrency=1)) as _:
        instance = await waiting(engine, "Decide")
        (task,) = await engine.get_pending_tasks(instance_id=instance.id)
        store.gate.clear()
        both = [
            asyncio.create_task(engine.complete_task(task.id, {}, actor=Actor("ann"))),
            asyncio.create_task(engine.complete_task(task.id, {}, actor=Actor("bob"))),
        ]
        await asyncio.sleep(0.02)
        store.gate.set()
        results = await asyncio.gather(*both, return_exceptions=True)
        assert [isinstance(result, TaskAlreadyCompletedError) for result in results] == [False, True]
        await true(lambda: step.runs == 1)
        await engine.wait(instance.id, timeout=5)
        await waiting(engine, "WaitForSignal")
        last = await engine.start_workflow("short")
        await engine.wait(last.id, timeout=5)
    assert store.claimed == []
