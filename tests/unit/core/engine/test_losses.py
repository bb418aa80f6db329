"""Nothing is lost, run for ever or kept from others when answers get lost, steps misbehave or an engine is closed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import pytest
from tests.unit.core.engine.engines import an_engine

from workflows_core import (
    BaseMachineStep,
    EngineSettings,
    EventBus,
    InMemoryWorkflowQueries,
    InMemoryWorkflowStore,
    InProcessEngine,
    LocalExecutionEngine,
    MemoryState,
    NullExecutor,
    SequentialGroup,
    StoreUnavailableError,
    WaitForSignal,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowRegistry,
    WorkflowStatus,
)
from workflows_core.domain.events import StepCompleted
from workflows_core.engine.engine import WorkflowEngine
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.leases import Lease
from workflows_core.ports.store import Claim, ClaimRequest

FAST = EngineSettings(lease_s=0.3, poll_s=0.05)


class Step(BaseMachineStep):
    """Runs a function of the test."""

    def __init__(self, name: str, body: Callable[[], Any] | None = None, next: Any = None) -> None:  # noqa: A002
        super().__init__(name=name, next=next)
        self.body = body
        self.runs = 0

    async def execute(self, context: WorkflowContext) -> Any:
        self.runs += 1
        return None if self.body is None else await self.body()


class InThread(BaseMachineStep):
    """Runs in a thread until it is told to stop."""

    def __init__(self) -> None:
        super().__init__(name="threaded")
        self.entered = threading.Event()
        self.told = threading.Event()
        self.give_up = threading.Event()

    def execute(self, context: WorkflowContext) -> None:
        self.entered.set()
        while not context.cancelled and not self.give_up.wait(0.005):
            pass
        if context.cancelled:
            self.told.set()


class LosesOneClaim(InMemoryWorkflowStore):
    """The answer to the first claim of a workflow is lost, or the claim fails in a way that nobody foresaw."""

    def __init__(self, memory: MemoryState, error: Exception) -> None:
        super().__init__(memory)
        self.error = error
        self.lost = 0

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        claims = await super().claim(request)
        if not self.lost and any(claim.state.workflow == "short" for claim in claims):
            self.lost += 1
            raise self.error
        return claims


class FailsToRenew(InMemoryWorkflowStore):
    """The first renewal fails in a way that nobody foresaw."""

    def __init__(self, memory: MemoryState) -> None:
        super().__init__(memory)
        self.failed = 0

    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        if not self.failed:
            self.failed += 1
            msg = "a bug of a driver"
            raise RuntimeError(msg)
        return await super().renew(worker, lease_s)


def define(name: str, *steps: BaseMachineStep | WaitForSignal) -> WorkflowDefinition:
    return WorkflowDefinition(name, steps=list(steps))


def registry_of(*definitions: WorkflowDefinition) -> WorkflowRegistry:
    registry = WorkflowRegistry()
    for definition in definitions:
        registry.register_definition(definition)
    return registry


def elsewhere(memory: MemoryState, registry: WorkflowRegistry) -> WorkflowEngine:
    """The engine of another process, which has no worker."""
    return an_engine(registry, InMemoryWorkflowStore(memory), memory, FAST)


async def true(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_closed_engine_does_not_go_on_with_the_next_step() -> None:
    may_leave = asyncio.Event()
    first, second = Step("first", may_leave.wait, next="second"), Step("second")
    engine = LocalExecutionEngine(registry_of(define("two", first, second)), settings=FAST)
    async with engine:
        await engine.start_workflow("two")
        await true(lambda: first.runs == 1)
        closing = asyncio.create_task(engine.aclose())
        await asyncio.sleep(0)
        may_leave.set()
        await closing
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not [task for task in others if task.get_name().startswith("workflows-worker")]
        assert second.runs == 0


@pytest.mark.parametrize("error", [StoreUnavailableError("no connection"), RuntimeError("a bug of a driver")])
async def test_work_whose_claim_was_never_answered_is_given_back_by_a_busy_worker(error: Exception) -> None:
    memory, end = MemoryState(), asyncio.Event()
    long, short = Step("long", end.wait), Step("short")
    store = LosesOneClaim(memory, error)
    registry = registry_of(define("long", long), define("short", short))
    engine = InProcessEngine(registry, store=store, queries=InMemoryWorkflowQueries(memory), settings=FAST)
    async with engine:
        await engine.start_workflow("long")
        await true(lambda: long.runs == 1)
        started = await elsewhere(memory, registry).start_workflow("short")
        try:
            finished = await engine.wait(started.id, timeout=5)
        finally:
            end.set()
    assert store.lost == 1
    assert finished.status is WorkflowStatus.COMPLETED
    assert short.runs == 1


async def test_a_hint_that_cannot_be_given_harms_nobody() -> None:
    class Mute(NullExecutor):
        async def publish(self, items: Sequence[WorkRef], *, queue: str, priority: int = 0) -> None:
            msg = "a bug of a broker's client"
            raise RuntimeError(msg)

    memory, may_leave = MemoryState(), asyncio.Event()
    first, second = Step("first", may_leave.wait, next="second"), Step("second")
    engine = InProcessEngine(
        registry_of(define("two", first, second)),
        store=InMemoryWorkflowStore(memory),
        queries=InMemoryWorkflowQueries(memory),
        others=Mute(),
        settings=FAST,
    )
    async with engine:
        started = await engine.start_workflow("two")
        may_leave.set()
        finished = await engine.wait(started.id, timeout=5)
    assert finished.status is WorkflowStatus.COMPLETED
    assert (first.runs, second.runs) == (1, 1)


async def test_a_step_whose_instance_changed_meanwhile_is_recorded_without_running_again() -> None:
    memory, started = MemoryState(), list[UUID]()

    async def be_overtaken() -> None:
        await outside.signal(started[0], "go", 1, dedup_key="once")

    first = Step("first", be_overtaken, next="wait")
    registry = registry_of(define("signalled", first, WaitForSignal(name="wait", signal="go")))
    outside = elsewhere(memory, registry)
    engine = InProcessEngine(
        registry, store=InMemoryWorkflowStore(memory), queries=InMemoryWorkflowQueries(memory), settings=FAST
    )
    async with engine:
        started.append((await outside.start_workflow("signalled")).id)
        finished = await engine.wait(started[0], timeout=5, until=lambda instance: instance.status.is_final)
    assert finished.status is WorkflowStatus.COMPLETED
    assert first.runs == 1


async def test_leases_are_kept_after_a_renewal_that_failed_unforeseen() -> None:
    memory, end = MemoryState(), asyncio.Event()
    long = Step("long", end.wait)
    store = FailsToRenew(memory)
    engine = InProcessEngine(
        registry_of(define("long", long)), store=store, queries=InMemoryWorkflowQueries(memory), settings=FAST
    )
    async with engine:
        started = await engine.start_workflow("long")
        await true(lambda: store.failed == 1)
        await asyncio.sleep(2 * FAST.lease_s)
        end.set()
        await engine.wait(started.id, timeout=5)
    assert long.runs == 1


async def test_a_listener_slower_than_a_renewal_does_not_cost_the_worker_the_next_step() -> None:
    bus, heard = EventBus(), asyncio.Event()

    async def slow(event: StepCompleted) -> None:
        if event.step_name == "before":
            await asyncio.sleep(2 * FAST.lease_s)
            heard.set()

    bus.subscribe(StepCompleted, slow)
    before, inner = Step("before", next="group"), Step("inner")
    definition = WorkflowDefinition("short", steps=[before, SequentialGroup(inner, name="group")])
    engine = LocalExecutionEngine(registry_of(definition), event_bus=bus, settings=FAST)
    async with engine:
        started = await engine.start_workflow("short")
        finished = await engine.wait(started.id, timeout=5, until=lambda instance: instance.status.is_final)
    assert heard.is_set()
    assert finished.status is WorkflowStatus.COMPLETED
    assert (before.runs, inner.runs) == (1, 1)


async def test_a_cancellation_out_of_a_steps_own_tasks_fails_the_step() -> None:
    async def await_a_cancelled_task() -> None:
        task = asyncio.create_task(asyncio.sleep(60))
        task.cancel()
        await task

    step = Step("step", await_a_cancelled_task)
    async with LocalExecutionEngine(registry_of(define("one", step)), settings=FAST) as engine:
        finished = await engine.wait((await engine.start_workflow("one")).id, timeout=5)
    assert finished.status is WorkflowStatus.FAILED
    assert finished.error is not None
    assert finished.error.type == "CancelledError"
    assert step.runs == 1


async def test_an_error_that_cannot_say_its_message_fails_the_step() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise ValueError

    async def fail() -> None:
        raise MuteError

    step = Step("step", fail)
    async with LocalExecutionEngine(registry_of(define("one", step)), settings=FAST) as engine:
        finished = await engine.wait((await engine.start_workflow("one")).id, timeout=5)
    assert finished.status is WorkflowStatus.FAILED
    assert finished.error is not None
    assert finished.error.message == "(its message cannot be made: ValueError)"


async def test_a_step_in_a_thread_is_told_to_stop() -> None:
    step = InThread()
    async with LocalExecutionEngine(registry_of(define("one", step)), settings=FAST) as engine:
        started = await engine.start_workflow("one")
        await true(step.entered.is_set)
        await engine.cancel_workflow(started.id)
        try:
            await true(step.told.is_set)
        finally:
            step.give_up.set()
