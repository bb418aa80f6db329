"""Attempts that fail, take too long or cost their worker: what the engine makes of them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest
from tests.unit.core.engine.test_worker import make_engine, running

from workflows_core import (
    Actor,
    BaseHumanStep,
    BaseMachineStep,
    Edge,
    EngineSettings,
    LocalExecutionEngine,
    MemoryState,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowInstance,
    WorkflowStatus,
    step,
    workflow,
)
from workflows_core.domain.events import StepRetryScheduled
from workflows_core.domain.retry import RetryPolicy
from workflows_core.domain.types import Parking, Phase
from workflows_core.errors import InstanceNotFoundError, NonRetryableError, NotParkedError
from workflows_core.ports.store import ClaimRequest

QUICK = RetryPolicy(max_attempts=3, initial_delay_s=0.01, jitter=0.0)


@pytest.fixture
async def engine() -> AsyncGenerator[LocalExecutionEngine]:
    async with LocalExecutionEngine(settings=EngineSettings(poll_s=0.05, max_data_bytes=10_000)) as opened:
        yield opened


class Flaky(BaseMachineStep):
    """Fails until an attempt succeeds."""

    def __init__(self, *, succeeds_at: int, error: type[Exception] = ValueError, **attributes: object) -> None:
        super().__init__(name="flaky", **attributes)  # type: ignore[arg-type]
        self.succeeds_at = succeeds_at
        self.error = error
        self.seen: list[tuple[int, str]] = []
        self.told: list[str] = []

    async def execute(self, context: WorkflowContext) -> str:
        self.seen.append((context.attempt, context.idempotency_key))
        if len(self.seen) < self.succeeds_at:
            raise self.error(f"attempt {context.attempt}")
        return "done"

    async def on_failure(self, context: WorkflowContext, error: Exception) -> None:
        self.told.append(str(error))


def only(sole: BaseMachineStep, *others: BaseMachineStep, **options: object) -> WorkflowDefinition:
    return WorkflowDefinition("sample", steps=[sole, *others], **options)  # type: ignore[arg-type]


async def finish(engine: LocalExecutionEngine, definition: WorkflowDefinition) -> WorkflowInstance:
    started = await engine.start_workflow(definition)
    return await engine.wait(started.id, timeout=5, until=lambda instance: instance.status.is_final)


async def test_a_failed_attempt_is_repeated_under_the_same_key_until_one_succeeds(engine: LocalExecutionEngine) -> None:
    flaky = Flaky(succeeds_at=3, retry=QUICK)
    finished = await finish(engine, only(flaky))
    assert finished.status is WorkflowStatus.COMPLETED
    assert [attempt for attempt, _ in flaky.seen] == [1, 2, 3]
    assert len({key for _, key in flaky.seen}) == 1
    (record,) = await engine.queries.list_executions(finished.id)
    assert record.execution.attempts == 3
    assert flaky.told == [], "it has not failed for good"
    events = [found.event for found in await engine.queries.list_events(finished.id)]
    delays = [event.delay_s for event in events if isinstance(event, StepRetryScheduled)]
    assert delays == [0.01, 0.02]


async def test_a_step_fails_when_its_attempts_are_used_up_and_is_told_once(engine: LocalExecutionEngine) -> None:
    flaky = Flaky(succeeds_at=9, retry=QUICK)
    finished = await finish(engine, only(flaky))
    assert finished.status is WorkflowStatus.FAILED
    assert len(flaky.seen) == 3
    assert flaky.told == ["attempt 3"]


async def test_steps_that_failed_together_do_not_come_back_together(engine: LocalExecutionEngine) -> None:
    policy = RetryPolicy(max_attempts=2, initial_delay_s=0.01, jitter=0.5)
    definition = only(Flaky(succeeds_at=99, retry=policy))
    finished = [await finish(engine, definition) for _ in range(8)]
    events = [found.event for instance in finished for found in await engine.queries.list_events(instance.id)]
    delays = [event.delay_s for event in events if isinstance(event, StepRetryScheduled)]
    assert all(0.005 <= delay <= 0.01 for delay in delays)
    assert len(set(delays)) == 8


async def test_no_attempt_begins_after_the_time_for_all_of_them(engine: LocalExecutionEngine) -> None:
    policy = RetryPolicy(max_attempts=0, initial_delay_s=0.1, multiplier=1.0, jitter=0.0, max_elapsed_s=0.35)
    flaky = Flaky(succeeds_at=9, retry=policy)
    finished = await finish(engine, only(flaky))
    assert finished.status is WorkflowStatus.FAILED
    assert 2 <= len(flaky.seen) <= 4
    assert len(flaky.told) == 1


@pytest.mark.parametrize(
    ("error", "policy"),
    [
        (NonRetryableError, QUICK),
        (KeyError, RetryPolicy(initial_delay_s=0.01, non_retryable=("LookupError",))),
        (KeyError, RetryPolicy(initial_delay_s=0.01, non_retryable=("builtins.KeyError",))),
    ],
)
async def test_some_errors_are_final(engine: LocalExecutionEngine, error: type[Exception], policy: RetryPolicy) -> None:
    flaky = Flaky(succeeds_at=2, error=error, retry=policy)
    assert (await finish(engine, only(flaky))).status is WorkflowStatus.FAILED
    assert len(flaky.seen) == 1


async def test_what_the_rules_refuse_to_take_from_a_step_counts_as_a_failed_attempt(
    engine: LocalExecutionEngine,
) -> None:
    attempts = []

    @step(retry=QUICK)
    async def grow(context: WorkflowContext) -> None:
        attempts.append(context.attempt)
        context.set("data", "x" * (20_000 if context.attempt < 2 else 1))

    assert (await finish(engine, WorkflowDefinition("sample", steps=[grow]))).status is WorkflowStatus.COMPLETED
    assert attempts == [1, 2]


async def test_an_attempt_that_takes_too_long_is_stopped_and_repeated(engine: LocalExecutionEngine) -> None:
    class Slow(BaseMachineStep):
        name = "slow"
        attempt_timeout = timedelta(seconds=0.05)
        retry = QUICK

        async def execute(self, context: WorkflowContext) -> None:
            if context.attempt < 2:
                await asyncio.sleep(10)

    finished = await finish(engine, only(Slow()))
    assert finished.status is WorkflowStatus.COMPLETED
    (record,) = await engine.queries.list_executions(finished.id)
    assert record.execution.attempts == 2


async def test_a_step_whose_whole_time_is_over_follows_its_timeout_edge(engine: LocalExecutionEngine) -> None:
    @step(timeout=timedelta(seconds=0.1), retry=RetryPolicy(max_attempts=0, initial_delay_s=0.01))
    async def slow(context: WorkflowContext) -> None:
        await asyncio.sleep(10)

    @step
    async def done(context: WorkflowContext) -> None:
        """Never reached."""

    @step
    async def mend(context: WorkflowContext) -> None:
        context.set("mended", True)

    edges = [Edge("slow", "done"), Edge("slow", "mend", on="timeout")]
    finished = await finish(engine, WorkflowDefinition("late", steps=[slow, done, mend], edges=edges))
    assert finished.status is WorkflowStatus.COMPLETED
    assert finished.data == {"mended": True}


async def test_a_step_whose_time_passed_while_no_worker_ran_is_not_begun(engine: LocalExecutionEngine) -> None:
    memory = MemoryState()
    flaky = Flaky(succeeds_at=1, timeout=timedelta(seconds=0.05))
    waiting = make_engine(memory, only(flaky))
    started = await waiting.start_workflow("sample")
    await asyncio.sleep(0.1)
    async with running(waiting):
        finished = await waiting.wait(started.id, timeout=5, until=lambda instance: instance.status.is_final)
    assert finished.status is WorkflowStatus.FAILED
    assert flaky.seen == []
    assert finished.error is not None
    assert finished.error.type == "StepTimeoutError"


async def test_a_human_step_has_its_time(engine: LocalExecutionEngine) -> None:
    ask = BaseHumanStep(name="ask", timeout=timedelta(seconds=0.05))
    started = await engine.start_workflow(WorkflowDefinition("sample", steps=[ask]))
    finished = await engine.wait(started.id, timeout=5, until=lambda instance: instance.status.is_final)
    assert finished.status is WorkflowStatus.FAILED
    assert not await engine.get_pending_tasks()


async def test_an_instance_has_its_time(engine: LocalExecutionEngine) -> None:
    ask = BaseHumanStep(name="ask")
    definition = WorkflowDefinition("sample", steps=[ask], deadline=timedelta(days=1))
    await engine.start_workflow(definition)
    started = await engine.start_workflow("sample", deadline=timedelta(seconds=0.05))
    finished = await engine.wait(started.id, timeout=5, until=lambda instance: instance.status.is_final)
    assert finished.error is not None
    assert finished.error.type == "InstanceTimeoutError"
    assert await engine.queries.find_stalled() == []


async def test_code_that_gives_no_sign_of_life_is_given_up(engine: LocalExecutionEngine) -> None:
    beats: list[int] = []

    class Long(BaseMachineStep):
        name = "long"
        heartbeat_timeout = timedelta(seconds=0.1)
        retry = QUICK

        async def execute(self, context: WorkflowContext) -> None:
            if context.attempt == 1:
                await asyncio.sleep(10)
            for _ in range(5):
                await asyncio.sleep(0.05)
                context.heartbeat()
                beats.append(context.attempt)

    assert (await finish(engine, only(Long()))).status is WorkflowStatus.COMPLETED
    assert beats == [2] * 5


async def test_code_in_a_thread_goes_on_past_its_time_keeps_its_slot_and_can_see_it(
    engine: LocalExecutionEngine,
) -> None:
    ended, saw = threading.Event(), []

    class Blocking(BaseMachineStep):
        name = "blocking"
        attempt_timeout = timedelta(seconds=0.05)

        def execute(self, context: WorkflowContext) -> None:
            began = time.monotonic()
            while not context.cancelled and time.monotonic() < began + 5:
                time.sleep(0.005)
            saw.append(context.cancelled)
            time.sleep(0.2)
            ended.set()

    memory = MemoryState()
    blocked = make_engine(memory, only(Blocking()))
    async with running(blocked) as worker:
        started = await blocked.start_workflow("sample")
        finished = await blocked.wait(started.id, timeout=5, until=lambda instance: instance.status.is_final)
        assert finished.status is WorkflowStatus.FAILED
        assert not ended.is_set(), "it was recorded before the thread ended"
        assert worker.taken == 1
        await asyncio.to_thread(ended.wait, 5)
        await asyncio.sleep(0.05)
        assert worker.taken == 0
    assert saw == [True]


async def test_a_step_that_costs_its_worker_again_and_again_becomes_a_dead_letter() -> None:
    memory = MemoryState()
    flaky = Flaky(succeeds_at=1)
    engine = make_engine(memory, only(flaky))
    started = await engine.start_workflow("sample")
    limit = engine.settings.max_crashes
    for number in range(limit):
        claims = await engine.store.claim(ClaimRequest(worker=f"dead-{number}", limit=1, lease_s=0.001))
        assert len(claims) == 1
        await asyncio.sleep(0.005)
    async with running(engine):
        finished = await engine.wait(started.id, timeout=5, until=lambda instance: instance.status.is_final)
        assert finished.parked is Parking.DEAD_LETTER
        assert finished.error is not None
        assert finished.error.type == "WorkerLostError"
        assert flaky.seen == []
        await engine.retry(started.id)
        again = await engine.wait(started.id, timeout=5, until=lambda instance: instance.status.is_final)
    assert again.status is WorkflowStatus.COMPLETED


async def test_steps_that_may_have_cost_their_workers_run_one_after_the_other_in_the_end() -> None:
    running_now: set[str] = set()
    seen: list[set[str]] = []

    class Beside(BaseMachineStep):
        name = "beside"

        async def execute(self, context: WorkflowContext) -> None:
            running_now.add(context.idempotency_key)
            seen.append(set(running_now))
            await asyncio.sleep(0.02)
            running_now.discard(context.idempotency_key)

    engine = make_engine(MemoryState(), only(Beside()))
    started = [await engine.start_workflow("sample") for _ in range(4)]
    for number in range(engine.settings.max_crashes - 1):
        assert len(await engine.store.claim(ClaimRequest(worker=f"dead-{number}", limit=4, lease_s=0.001))) == 4
        await asyncio.sleep(0.005)
    others = [await engine.start_workflow("sample") for _ in range(2)]
    async with running(engine):
        for one in started + others:
            finished = await engine.wait(one.id, timeout=5, until=lambda instance: instance.status.is_final)
            assert finished.status is WorkflowStatus.COMPLETED
    suspects = {f"{one.id}" for one in started}
    beside = [{key for key in keys if key.split("/")[0] in suspects} for keys in seen]
    assert max(map(len, beside)) == 1, "two suspects ran beside each other"
    assert max(map(len, seen)) > 1, "others had to wait for them"


async def test_what_was_done_is_undone_with_its_result_and_key(engine: LocalExecutionEngine) -> None:
    undone = []

    class Book(BaseMachineStep):
        name = "book"

        async def execute(self, context: WorkflowContext) -> str:
            context.set("key", context.idempotency_key)
            return "room 7"

        async def compensate(self, context: WorkflowContext) -> None:
            undone.append((context.undoing, context.idempotency_key))

    definition = WorkflowDefinition("sample", steps=[Book(), Flaky(succeeds_at=9)], edges=[("book", "flaky")])
    finished = await finish(engine, definition)
    ((undoing, key),) = undone
    assert undoing is not None
    assert (undoing.result, undoing.is_known) == ("room 7", True)
    assert undoing.idempotency_key == finished.data["key"] != key
    assert finished.phase is Phase.NORMAL


async def test_dead_letters_are_listed_retried_with_other_data_and_discarded(engine: LocalExecutionEngine) -> None:
    @workflow(name="sample")
    class Sample:
        @step(terminal=True)
        async def check(self, context: WorkflowContext) -> None:
            if context.get("amount", 0) < 0:
                raise ValueError("negative")

    first = await engine.start_workflow(Sample, {"amount": -1}, actor=Actor("ann", tenant="acme"))
    second = await engine.start_workflow(Sample, {"amount": -2}, actor=Actor("ann", tenant="acme"))
    for started in (first, second):
        await engine.wait(started.id, timeout=5)
    listed = await engine.list_dead_letters(tenant="acme")
    assert {record.id for record in listed.items} == {first.id, second.id}
    assert (await engine.list_dead_letters(tenant="other")).items == ()
    with pytest.raises(InstanceNotFoundError):
        await engine.retry(first.id, actor=Actor("eve", tenant="other"))

    operator = Actor("olga", tenant="acme")
    await engine.retry(first.id, data={"amount": 1}, actor=operator)
    mended = await engine.wait(first.id, timeout=5, until=lambda instance: instance.status.is_final)
    assert (mended.status, mended.data) == (WorkflowStatus.COMPLETED, {"amount": 1})

    given_up = await engine.discard(second.id, "a test", actor=operator)
    assert (given_up.status, given_up.parked) == (WorkflowStatus.FAILED, None)
    assert (await engine.list_dead_letters()).items == ()
    with pytest.raises(NotParkedError):
        await engine.retry(second.id)
    events = await engine.queries.list_events(second.id)
    assert events[-1].actor == "olga"
