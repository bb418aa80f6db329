"""Steps of limited concurrency and rate, run by workers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from workflows_core import (
    BaseHumanStep,
    BaseMachineStep,
    ConcurrencyLimit,
    EngineSettings,
    ForEach,
    InvalidDefinitionError,
    LocalExecutionEngine,
    ParallelGateway,
    RateLimit,
    RetryPolicy,
    TimerStep,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowInstance,
    WorkflowStatus,
)
from workflows_testing.clock import ManualClock


class Call(BaseMachineStep):
    """Notes how many are inside at once."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.inside: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.begun = 0

    async def execute(self, context: WorkflowContext) -> None:
        who = context.get("customer", "")
        self.begun += 1
        self.inside[who] += 1
        self.most[who] = max(self.most[who], self.inside[who])
        try:
            await asyncio.sleep(0.005)
            if context.get("fails", 0) >= context.attempt:
                raise ConnectionError
        finally:
            self.inside[who] -= 1


@pytest.fixture
async def engine() -> AsyncGenerator[LocalExecutionEngine]:
    # Nothing is found by polling: what goes on is told.
    async with LocalExecutionEngine(settings=EngineSettings(poll_s=5.0), concurrency=8) as engine:
        yield engine


async def run_all(
    engine: LocalExecutionEngine, definition: WorkflowDefinition, number: int, *customers: str, **data: Any
) -> list[WorkflowInstance]:
    started = [
        await engine.start_workflow(definition, {"customer": customers[count % len(customers)], **data})
        for count in range(number)
    ]
    over = [engine.wait(one.id, timeout=20, until=lambda found: found.status.is_final) for one in started]
    return await asyncio.gather(*over)


async def test_a_step_runs_only_so_often_at_once_and_goes_on_as_soon_as_a_slot_is_free(
    engine: LocalExecutionEngine,
) -> None:
    call = Call(name="call", concurrency=2)
    began = asyncio.get_running_loop().time()
    done = await run_all(engine, WorkflowDefinition("calls", steps=[call]), 12, "ada")
    assert {one.status for one in done} == {WorkflowStatus.COMPLETED}
    assert call.most == {"ada": 2}
    assert asyncio.get_running_loop().time() - began < 4.0, "it waited for the next look"


async def test_each_value_of_a_key_has_a_limit_of_its_own(engine: LocalExecutionEngine) -> None:
    call = Call(name="call", concurrency=ConcurrencyLimit(1, key="customer"))
    await run_all(engine, WorkflowDefinition("calls", steps=[call]), 9, "ada", "bob", "cid")
    assert call.most == {"ada": 1, "bob": 1, "cid": 1}


async def test_workflows_share_a_limit_that_has_a_name(engine: LocalExecutionEngine) -> None:
    call = Call(name="call", concurrency=ConcurrencyLimit(1, name="crm-api"))
    definitions = [WorkflowDefinition(name, steps=[call]) for name in ("one", "two")]
    await asyncio.gather(*(run_all(engine, definition, 4, "ada") for definition in definitions))
    assert call.most == {"ada": 1}


async def test_a_limited_step_is_never_run_in_place_after_another(engine: LocalExecutionEngine) -> None:
    first, call = Call(name="first"), Call(name="call", concurrency=1)
    definition = WorkflowDefinition("chain", steps=[first, call], edges=[("first", "call")])
    await run_all(engine, definition, 6, "ada")
    assert call.most == {"ada": 1}


async def test_attempts_count_to_the_limit_and_retries_work_as_ever(engine: LocalExecutionEngine) -> None:
    retry = RetryPolicy(max_attempts=3, initial_delay_s=0.001)
    call = Call(name="call", concurrency=1, retry=retry)
    done = await run_all(engine, WorkflowDefinition("calls", steps=[call]), 3, "ada", fails=2)
    assert {one.status for one in done} == {WorkflowStatus.COMPLETED}
    assert (call.most, call.begun) == ({"ada": 1}, 9)


async def test_items_share_the_limit_of_the_step_inside(engine: LocalExecutionEngine) -> None:
    call = Call(name="call", concurrency=2)
    definition = WorkflowDefinition("each", steps=[ForEach("numbers", call, concurrency=6)])
    await run_all(engine, definition, 2, "ada", numbers=list(range(6)))
    assert (call.most, call.begun) == ({"ada": 2}, 12)


async def test_a_cancelled_instance_needs_no_slot(engine: LocalExecutionEngine) -> None:
    definition = WorkflowDefinition("calls", steps=[Call(name="call", concurrency=1)])
    waiting = [await engine.start_workflow(definition, {"customer": "ada"}) for _ in range(3)]
    await engine.cancel_workflow(waiting[1].id)
    for one in waiting:
        await engine.wait(one.id, timeout=5, until=lambda found: found.status.is_final)


async def test_only_so_many_instances_are_under_way_and_the_next_begins_at_the_end_of_one(
    engine: LocalExecutionEngine,
) -> None:
    first, call = Call(name="first"), Call(name="call")
    limit = ConcurrencyLimit(1, key="customer")
    definition = WorkflowDefinition("one", steps=[first, call], edges=[("first", "call")], concurrency=limit)
    began = asyncio.get_running_loop().time()
    done = await run_all(engine, definition, 8, "ada", "bob")
    assert {one.status for one in done} == {WorkflowStatus.COMPLETED}
    assert first.most == call.most == {"ada": 1, "bob": 1}
    assert asyncio.get_running_loop().time() - began < 4.0, "it waited for the next look"


async def test_an_instance_that_waits_for_a_person_keeps_its_slot() -> None:
    definition = WorkflowDefinition("ask", steps=[BaseHumanStep(name="ask")], concurrency=1)
    async with LocalExecutionEngine(settings=EngineSettings(poll_s=0.02)) as engine:
        first = await engine.start_workflow(definition)
        await engine.wait(first.id, timeout=5, until=lambda found: found.status is WorkflowStatus.WAITING)
        second = await engine.start_workflow(definition)
        await asyncio.sleep(0.1)
        assert (await engine.get_instance(second.id)).status is WorkflowStatus.PENDING
        assert len(await engine.get_pending_tasks()) == 1
        await engine.cancel_workflow(first.id)
        await engine.wait(second.id, timeout=5, until=lambda found: found.status is WorkflowStatus.WAITING)


async def test_only_so_many_begin_in_a_time() -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    call = Call(name="call", rate=RateLimit(2, per=timedelta(minutes=1)))
    async with LocalExecutionEngine(clock=clock, settings=EngineSettings(poll_s=0.01)) as engine:
        definition = WorkflowDefinition("calls", steps=[call])
        for _ in range(5):
            await engine.start_workflow(definition, {"customer": "ada"})
        for wanted in (2, 3, 4, 5):
            await asyncio.sleep(0.1)
            assert call.begun == wanted
            clock.advance(timedelta(seconds=30))


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (Call(concurrency=0), "limited to 0"),
        (Call(concurrency="many"), "concurrency is 'many'"),
        (Call(concurrency=ConcurrencyLimit(1, key="")), "key of its concurrency limit is empty"),
        (Call(concurrency=ConcurrencyLimit(1, name="\x1f")), "name of its concurrency limit"),
        (Call(rate=RateLimit(1, timedelta())), "time of its rate is 0 s"),
        (Call(rate=3), "rate is 3"),
        (TimerStep(duration=timedelta(1), name="wait", concurrency=1), "runs no code"),
        (ParallelGateway("split", rate=RateLimit(1, timedelta(1))), "runs no code"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(step: Any, message: str) -> None:
    with pytest.raises(InvalidDefinitionError, match=message):
        WorkflowDefinition("calls", steps=[step])
