"""Leases: kept whatever the steps do to the event loop, counted from before they were asked for, and given up in time."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
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
from workflows_core.ports.leases import Lease
from workflows_core.ports.store import Claim, ClaimRequest, Write, WriteResult

LEASE_S = 0.4


class Step(BaseMachineStep):
    """Runs a function of the test."""

    def __init__(self, name: str, body: Callable[[WorkflowContext], object] | None = None) -> None:
        super().__init__(name=name)
        self.body = body
        self.attempts: list[int] = []

    async def execute(self, context: WorkflowContext) -> None:
        self.attempts.append(context.attempt)
        if self.body is not None:
            self.body(context)


def make_engine(store: InMemoryWorkflowStore, *steps: BaseMachineStep, lease_s: float = LEASE_S) -> WorkflowEngine:
    registry = WorkflowRegistry()
    names = [step.name for step in steps]
    edges = list(itertools.pairwise(names))
    registry.register(WorkflowDefinition("chain", steps=list(steps), edges=edges, initial_step=names[0]))
    return an_engine(registry, store, store.memory, EngineSettings(lease_s=lease_s, poll_s=0.02))


@asynccontextmanager
async def running(engine: WorkflowEngine) -> AsyncGenerator[Worker]:
    worker = Worker(engine)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        await worker.stop()
        await task


@pytest.fixture
def memory() -> MemoryState:
    return MemoryState(SystemClock())


async def test_a_step_that_blocks_the_event_loop_keeps_its_lease(memory: MemoryState) -> None:
    stopping = threading.Event()

    def block(context: WorkflowContext) -> None:
        if context.attempt == 1:
            other.start()
            time.sleep(4 * LEASE_S)

    async def steal() -> None:
        async with running(make_engine(InMemoryWorkflowStore(memory), step)):
            await asyncio.to_thread(stopping.wait)

    step = Step("first", block)
    other = threading.Thread(target=lambda: asyncio.run(steal()))
    engine = make_engine(InMemoryWorkflowStore(memory), step)
    async with running(engine):
        instance = await engine.start_workflow("chain")
        finished = await engine.wait(instance.id, timeout=10)
        stopping.set()
        await asyncio.to_thread(other.join)

    assert finished.status is WorkflowStatus.COMPLETED
    assert step.attempts == [1]


class Unrenewable(InMemoryWorkflowStore):
    """A store that renews nothing: it cannot be reached."""

    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        raise StoreUnavailableError("no connection")


class Hanging(InMemoryWorkflowStore):
    """A store that does not answer when it is to renew."""

    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        await asyncio.sleep(60)
        return set()


@pytest.mark.parametrize("kind", [Unrenewable, Hanging])
async def test_a_lease_that_ends_without_a_renewal_stops_the_step(
    memory: MemoryState, kind: type[InMemoryWorkflowStore], caplog: pytest.LogCaptureFixture
) -> None:
    class Slow(BaseMachineStep):
        saw_stop: float | None = None
        entered = 0.0

        async def execute(self, context: WorkflowContext) -> None:
            self.entered = self.entered or time.monotonic()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                assert context.cancelled
                self.saw_stop = self.saw_stop or time.monotonic()
                raise

    step = Slow(name="first")
    engine = make_engine(kind(memory), step)
    await engine.start_workflow("chain")
    with caplog.at_level(logging.WARNING):
        async with running(engine) as worker:
            async with asyncio.timeout(5):
                while step.saw_stop is None:
                    await asyncio.sleep(0.005)
            await worker.stop(drain_s=0)

    assert step.saw_stop is not None
    assert LEASE_S * 0.9 <= step.saw_stop - step.entered <= LEASE_S + 2
    assert "has ended without a renewal" in caplog.text


async def test_code_that_blocks_the_event_loop_is_told_when_its_lease_has_ended(memory: MemoryState) -> None:
    told: list[float] = []

    def block(context: WorkflowContext) -> None:
        begun = time.monotonic()
        while not context.cancelled and time.monotonic() - begun < 5:
            time.sleep(0.005)
        told.append(time.monotonic() - begun)

    engine = make_engine(Unrenewable(memory), Step("first", block))
    await engine.start_workflow("chain")
    async with running(engine) as worker:
        async with asyncio.timeout(10):
            while not told:
                await asyncio.sleep(0.005)
        await worker.stop(drain_s=0)

    assert told[0] <= LEASE_S + 2


class SlowToAnswer(InMemoryWorkflowStore):
    """The first answer to a claim, or to a commit that takes the next step, comes when more than half of the lease is over."""

    def __init__(self, memory: MemoryState, what: str) -> None:
        super().__init__(memory)
        self.what = what
        self.was_slow = False

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        claims = await super().claim(request)
        await self._dawdle("claim", bool(claims))
        return claims

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        results = await super().commit(writes)
        await self._dawdle("commit", any(write.take for write in writes))
        return results

    async def _dawdle(self, what: str, applies: bool) -> None:
        if applies and what == self.what and not self.was_slow:
            self.was_slow = True
            await asyncio.sleep(0.6 * LEASE_S)


@pytest.mark.parametrize("what", ["claim", "commit"])
async def test_no_step_is_begun_with_less_than_half_of_its_lease(memory: MemoryState, what: str) -> None:
    first, second = Step("first"), Step("second")
    released: list[tuple[float, bool]] = []

    class Noting(SlowToAnswer):
        async def release(
            self, worker: str, leases: Sequence[Lease], *, delay_s: float = 0.0, untouched: bool = False
        ) -> None:
            released.append((delay_s, untouched))
            await super().release(worker, leases, delay_s=delay_s, untouched=untouched)

        async def renew(self, worker: str, lease_s: float) -> set[Lease]:
            raise StoreUnavailableError("a renewal would lengthen the lease")

    store = Noting(memory, what)
    engine = make_engine(store, first, second)
    async with running(engine):
        instance = await engine.start_workflow("chain")
        finished = await engine.wait(instance.id, timeout=5)

    assert store.was_slow
    assert released == [(0.0, True)]
    assert finished.status is WorkflowStatus.COMPLETED
    assert (first.attempts, second.attempts) == ([1], [1])


async def test_a_worker_renews_all_its_leases_at_once(memory: MemoryState) -> None:
    class Counting(InMemoryWorkflowStore):
        renewed: list[int] = []

        async def renew(self, worker: str, lease_s: float) -> set[Lease]:
            held = await super().renew(worker, lease_s)
            self.renewed.append(len(held))
            return held

    gate = asyncio.Event()

    class Slow(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None:
            await gate.wait()

    store = Counting(memory)
    engine = make_engine(store, Slow(name="first"))
    async with running(engine):
        for _ in range(20):
            await engine.start_workflow("chain")
        await asyncio.sleep(LEASE_S)
        gate.set()

    assert 20 in store.renewed
    assert len(store.renewed) <= 5


async def test_an_idle_worker_renews_nothing(memory: MemoryState) -> None:
    engine = make_engine(Unrenewable(memory), Step("first"))
    async with running(engine):
        await asyncio.sleep(LEASE_S)


async def test_leases_can_be_kept_in_the_event_loop_of_the_steps(memory: MemoryState) -> None:
    gate = asyncio.Event()

    class Slow(BaseMachineStep):
        attempts: list[int] = []

        async def execute(self, context: WorkflowContext) -> None:
            self.attempts.append(context.attempt)
            await gate.wait()

    step = Slow(name="first")
    engine = make_engine(InMemoryWorkflowStore(memory), step)
    before = threading.active_count()
    worker = Worker(engine, heartbeat_thread=False)
    task = asyncio.create_task(worker.run())
    instance = await engine.start_workflow("chain")
    async with running(engine):
        await asyncio.sleep(3 * LEASE_S)
        gate.set()
        await engine.wait(instance.id, timeout=5)
        assert threading.active_count() <= before + 1
    await worker.stop()
    await task
    assert step.attempts == [1]
