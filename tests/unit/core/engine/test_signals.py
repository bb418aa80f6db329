"""Named signals as the engine takes them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest

from workflows_core import (
    Actor,
    BaseHumanStep,
    BaseMachineStep,
    ForEach,
    InMemoryWorkflowQueries,
    InMemoryWorkflowStore,
    InProcessEngine,
    InputValidationError,
    InstanceFinishedError,
    InstanceNotFoundError,
    LocalExecutionEngine,
    MemoryState,
    PayloadError,
    PayloadTooLargeError,
    SequentialGroup,
    SignalReceived,
    SyncWorkflowEngine,
    WaitForSignal,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowRegistry,
    WorkflowStatus,
)
from workflows_core.domain.events import RecordedEvent
from workflows_core.ports.events import EventPublisher
from workflows_core.ports.store import Write, WriteResult


class Approve(BaseHumanStep):
    """Holds the instance until somebody says so."""

    name = "approve"
    title = "Approve"


class Add(BaseMachineStep):
    """Says what the last signal brought."""

    name = "add"

    async def execute(self, context: WorkflowContext) -> Any:
        return context.get("signals")


def define(*steps: Any, name: str = "sample") -> WorkflowDefinition:
    return WorkflowDefinition(name, steps=list(steps), edges=list(pairwise(step.name for step in steps)))


NUMBER = WaitForSignal(name="wait", signal="go", payload_schema={"type": "integer"}, into="number")


async def test_a_signal_moves_the_step_that_waits_and_is_recorded_with_its_actor(engine: LocalExecutionEngine) -> None:
    started = await engine.start_workflow(define(NUMBER, Add()))
    await engine.wait(started.id, timeout=5)
    await engine.signal(started.id, "go", 3, actor=Actor("ann"))
    finished = await engine.wait(started.id, timeout=5)
    assert (finished.status, finished.data["number"]) == (WorkflowStatus.COMPLETED, 3)
    events = await engine.queries.list_events(started.id)
    assert [event.actor for event in events if type(event.event).__name__ == "SignalReceived"] == ["ann"]


async def test_a_signal_whose_key_was_seen_changes_nothing_and_is_answered_as_the_instance_stands(
    engine: LocalExecutionEngine,
) -> None:
    started = await engine.start_workflow(define(Approve(), NUMBER))
    first = await engine.signal(started.id, "go", 1, dedup_key="k")
    again = await engine.signal(started.id, "go", 2, dedup_key="k")
    assert (again.id, again.revision) == (first.id, first.revision)
    await engine.complete_human_task(started.id, "approve", "bob", {})
    finished = await engine.wait(started.id, timeout=5)
    last = await engine.signal(started.id, "go", 2, dedup_key="k")
    assert last == finished
    assert last.data["number"] == 1
    assert last.completed_at is not None
    with pytest.raises(InstanceFinishedError):
        await engine.signal(started.id, "go", 2)


async def test_of_many_signals_at_once_each_is_taken_once(engine: LocalExecutionEngine) -> None:
    group = SequentialGroup(WaitForSignal(name="wait", signal="go"), Add(), name="each_part")
    started = await engine.start_workflow(define(ForEach("parts", group, name="all", into="got", concurrency=3)),
                                          {"parts": list(range(20))})  # fmt: skip
    await asyncio.gather(
        *(engine.signal(started.id, "go", number, dedup_key=f"{number}") for number in [*range(20)] * 2)
    )
    finished = await engine.wait(started.id, timeout=20)
    assert finished.status is WorkflowStatus.COMPLETED, finished.error
    assert sorted(part["wait"] for part in finished.data["got"]) == list(range(20))


async def test_a_signal_that_loses_the_race_for_the_revision_is_taken_all_the_same() -> None:
    class Overtaken(InMemoryWorkflowStore):
        """Another process signals first, just before the signal that it is asked to write."""

        async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
            if rivals:
                await rivals.pop()()
            return await super().commit(writes)

    rivals: list[Callable[[], Awaitable[object]]] = []
    memory, steps = MemoryState(), (WaitForSignal(name="one", signal="go"), WaitForSignal(name="two", signal="go"))
    engine, elsewhere = (
        InProcessEngine(WorkflowRegistry(), store=kind(memory), queries=InMemoryWorkflowQueries(memory))
        for kind in (Overtaken, InMemoryWorkflowStore)
    )
    async with engine, elsewhere:
        waiting = await engine.start_workflow(define(*steps))
        rivals.append(lambda: elsewhere.signal(waiting.id, "go", "first"))
        after = await engine.signal(waiting.id, "go", "second")
    assert not rivals
    assert after.status is WorkflowStatus.COMPLETED
    assert after.data["signals"] == {"one": "first", "two": "second"}


async def test_a_payload_is_checked_by_the_step_that_waits_and_else_by_the_one_that_takes_it(
    engine: LocalExecutionEngine,
) -> None:
    started = await engine.start_workflow(define(NUMBER))
    with pytest.raises(InputValidationError, match="payload of signal 'go'"):
        await engine.signal(started.id, "go", "x")
    assert (await engine.signal(started.id, "go", 1)).status is WorkflowStatus.COMPLETED

    early = await engine.start_workflow(define(Approve(), NUMBER, name="early"))
    await engine.signal(early.id, "go", "x")
    await engine.complete_human_task(early.id, "approve", "bob", {})
    failed = await engine.wait(early.id, timeout=5)
    assert failed.error is not None
    assert (failed.status, failed.error.type, failed.error.step) == ("failed", "InputValidationError", "wait")


async def test_what_cannot_be_stored_is_refused(engine: LocalExecutionEngine) -> None:
    steps = (NUMBER, WaitForSignal(name="other"), WaitForSignal(name="another"))
    started = await engine.start_workflow(define(*steps))
    with pytest.raises(PayloadError, match="payload"):
        await engine.signal(started.id, "other", object())
    await engine.signal(started.id, "other", "x" * 6000)
    with pytest.raises(PayloadTooLargeError, match="signals that no step has taken"):
        await engine.signal(started.id, "another", "x" * 6000)
    await engine.signal(started.id, "another", 2)
    assert (await engine.signal(started.id, "go", 1)).status is WorkflowStatus.COMPLETED


async def test_a_signal_to_an_instance_of_another_tenant_or_to_none_is_refused(engine: LocalExecutionEngine) -> None:
    started = await engine.start_workflow(
        define(NUMBER, WaitForSignal(name="other")), actor=Actor("ann", tenant="acme")
    )
    await engine.signal(started.id, "other", 1, dedup_key="k", actor=Actor("ann", tenant="acme"))
    for instance_id in (started.id, uuid4()):
        for key in (None, "k"):
            with pytest.raises(InstanceNotFoundError):
                await engine.signal(instance_id, "other", 1, dedup_key=key, actor=Actor("eve", tenant="evil"))


def test_the_synchronous_engine_sends_signals() -> None:
    with SyncWorkflowEngine(LocalExecutionEngine()) as engine:
        started = engine.start_workflow(define(NUMBER))
        engine.signal(started.id, "go", 5, dedup_key="k")
        assert engine.wait(started.id, timeout=5).data["number"] == 5


async def test_an_engine_that_is_closed_tells_of_all_that_it_has_answered() -> None:
    heard: list[int] = []

    class Slow(EventPublisher):
        async def publish(self, events: Sequence[RecordedEvent]) -> None:
            await asyncio.sleep(0.05 * len(events))
            heard.extend(recorded.revision for recorded in events if isinstance(recorded.event, SignalReceived))

    class Store(InMemoryWorkflowStore):
        async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
            await asyncio.sleep(0)  # long enough for others to come to the same instance
            return await super().commit(writes)

    memory = MemoryState()
    engine = InProcessEngine(
        WorkflowRegistry(), store=Store(memory), queries=InMemoryWorkflowQueries(memory), event_bus=Slow()
    )
    async with engine:
        started = await engine.start_workflow(define(NUMBER, WaitForSignal(name="other")))
        await asyncio.gather(*(engine.signal(started.id, "other", number) for number in range(5)))
    assert len(heard) == 5
