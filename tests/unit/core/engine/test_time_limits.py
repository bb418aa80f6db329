"""Whose time it is: the limits of a step count from its own beginning, and hold for nothing that follows from its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest

from workflows_core import (
    BaseHumanStep,
    BaseMachineStep,
    Edge,
    EngineSettings,
    LocalExecutionEngine,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowInstance,
    WorkflowStatus,
    step,
)
from workflows_core.domain.retry import RetryPolicy
from workflows_core.errors import StepTimeoutError

SLOW_S, LIMIT = 0.2, timedelta(seconds=0.15)


@pytest.fixture(params=[1, 32], ids=["each_claimed", "in_place"])
async def engine(request: pytest.FixtureRequest) -> AsyncGenerator[LocalExecutionEngine]:
    """An engine that claims each step, and one that goes on in place."""
    settings = EngineSettings(poll_s=0.02, max_steps_in_a_row=request.param)
    async with LocalExecutionEngine(settings=settings) as opened:
        yield opened


async def finish(engine: LocalExecutionEngine, definition: WorkflowDefinition) -> WorkflowInstance:
    started = await engine.start_workflow(definition)
    return await engine.wait(started.id, timeout=5, until=lambda instance: instance.status.is_final)


def after_slow(following: Any, name: str) -> WorkflowDefinition:
    return WorkflowDefinition("sample", steps=[slow, following], edges=[("slow", name)])


@step
async def slow(_: WorkflowContext) -> None:
    await asyncio.sleep(SLOW_S)


async def test_the_time_of_the_step_before_does_not_count(engine: LocalExecutionEngine) -> None:
    @step(timeout=LIMIT)
    async def quick(_: WorkflowContext) -> None: ...

    finished = await finish(engine, after_slow(quick, "quick"))
    assert finished.status is WorkflowStatus.COMPLETED


async def test_the_time_of_the_step_before_does_not_use_up_the_retries(engine: LocalExecutionEngine) -> None:
    attempts: list[int] = []

    @step(retry=RetryPolicy(max_attempts=3, initial_delay_s=0.001, max_elapsed_s=LIMIT.total_seconds()))
    async def flaky(context: WorkflowContext) -> None:
        attempts.append(context.attempt)
        if context.attempt < 3:
            raise ValueError

    finished = await finish(engine, after_slow(flaky, "flaky"))
    assert finished.status is WorkflowStatus.COMPLETED
    assert attempts == [1, 2, 3]


async def test_a_retry_is_not_begun_when_the_time_for_all_attempts_is_over(engine: LocalExecutionEngine) -> None:
    attempts: list[int] = []

    @step(retry=RetryPolicy(max_attempts=0, initial_delay_s=0.001, max_elapsed_s=SLOW_S * 1.5))
    async def failing(context: WorkflowContext) -> None:
        attempts.append(context.attempt)
        await asyncio.sleep(SLOW_S)
        raise ValueError

    finished = await finish(engine, WorkflowDefinition("sample", steps=[failing]))
    assert finished.status is WorkflowStatus.FAILED
    assert attempts == [1, 2]


async def test_a_step_has_been_active_since_the_one_before_was_over(engine: LocalExecutionEngine) -> None:
    started = await engine.start_workflow(after_slow(BaseHumanStep(name="ask"), "ask"))
    waiting = await engine.wait(started.id, timeout=5)
    (ask,) = waiting.active_steps
    assert ask.since is not None
    assert ask.since - started.started_at >= timedelta(seconds=SLOW_S * 0.9)


async def test_compensations_are_not_limited_by_the_time_of_what_they_undo(engine: LocalExecutionEngine) -> None:
    undone: list[str] = []

    class Book(BaseMachineStep):
        timeout = LIMIT

        async def execute(self, _: WorkflowContext) -> str:
            return "booked"

        async def compensate(self, context: WorkflowContext) -> None:
            assert context.undoing is not None
            await asyncio.sleep(SLOW_S)
            undone.append(context.undoing.result)

    @step
    async def fail(_: WorkflowContext) -> None:
        raise ValueError

    finished = await finish(
        engine, WorkflowDefinition("sample", steps=[Book(name="book"), fail], edges=[("book", "fail")])
    )
    assert finished.status is WorkflowStatus.FAILED
    assert undone == ["booked"]


async def test_the_way_on_from_a_step_whose_time_was_over_is_not_limited_either(engine: LocalExecutionEngine) -> None:
    @step(timeout=timedelta(seconds=0.05))
    async def late(_: WorkflowContext) -> None:
        await asyncio.sleep(5)

    @step
    async def mend(_: WorkflowContext) -> None: ...

    def is_wanted(_: WorkflowContext) -> bool:
        return True

    edges = [Edge("late", "mend", is_wanted, on="timeout")]
    finished = await finish(engine, WorkflowDefinition("sample", steps=[late, mend], edges=edges))
    assert finished.status is WorkflowStatus.COMPLETED
    records = await engine.queries.list_executions(finished.id)
    assert [record.execution.step_name for record in records] == ["late", "mend"]


async def test_a_step_whose_time_is_over_while_nobody_runs_it_is_told(engine: LocalExecutionEngine) -> None:
    told: list[BaseException] = []

    class Later(BaseMachineStep):
        timeout = LIMIT
        retry = RetryPolicy(max_attempts=2, initial_delay_s=60)

        async def execute(self, _: WorkflowContext) -> None:
            raise ValueError

        async def on_failure(self, _: WorkflowContext, error: BaseException) -> None:
            told.append(error)
            raise LookupError("nobody to tell")

    finished = await finish(engine, WorkflowDefinition("sample", steps=[Later(name="later")]))
    assert finished.status is WorkflowStatus.FAILED
    assert [type(error) for error in told] == [StepTimeoutError]
    assert finished.error is not None
    assert finished.error.type == "StepTimeoutError"
    assert finished.error.notes == ("on_failure raised LookupError: nobody to tell",)
