"""Starts that are to begin later, and the order in which the work of several instances is done."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from workflows_core import (
    BaseHumanStep,
    BaseMachineStep,
    EngineSettings,
    InputValidationError,
    LocalExecutionEngine,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowStatus,
)
from workflows_testing.clock import ManualClock

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Note(BaseMachineStep):
    """Notes in which order instances came to it."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.seen: list[str] = []

    async def execute(self, context: WorkflowContext) -> None:
        self.seen.append(context.get("name"))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
async def engine(clock: ManualClock) -> AsyncGenerator[LocalExecutionEngine]:
    async with LocalExecutionEngine(clock=clock, settings=EngineSettings(poll_s=0.01), concurrency=1) as engine:
        yield engine


@pytest.mark.parametrize(
    "when", [{"delay": timedelta(hours=1)}, {"start_at": NOON + timedelta(hours=1)}], ids=["delay", "moment"]
)
async def test_an_instance_begins_at_its_moment_and_not_before(
    engine: LocalExecutionEngine, clock: ManualClock, when: dict[str, Any]
) -> None:
    definition = WorkflowDefinition("later", steps=[BaseHumanStep(name="ask")])
    started = await engine.start_workflow(definition, **when)
    assert (await engine.wait(started.id, timeout=5)).status is WorkflowStatus.PENDING
    clock.advance(timedelta(minutes=59, seconds=59))
    with pytest.raises(TimeoutError):
        await engine.wait(started.id, timeout=0.1, until=lambda found: found.status is not WorkflowStatus.PENDING)
    assert await engine.find_stalled() == []
    assert not await engine.get_pending_tasks()
    clock.advance(timedelta(seconds=1))
    waiting = await engine.wait(started.id, timeout=5, until=lambda found: found.status is not WorkflowStatus.PENDING)
    assert waiting.status is WorkflowStatus.WAITING
    assert len(await engine.get_pending_tasks()) == 1


async def test_a_moment_that_has_passed_and_no_delay_are_now(engine: LocalExecutionEngine) -> None:
    definition = WorkflowDefinition("now", steps=[Note(name="note")])
    for when in ({"delay": timedelta()}, {"start_at": NOON - timedelta(days=9)}):
        started = await engine.start_workflow(definition, {"name": "a"}, **when)
        done = await engine.wait(started.id, timeout=5, until=lambda found: found.status.is_final)
        assert done.status is WorkflowStatus.COMPLETED


async def test_an_instance_that_is_yet_to_begin_can_be_cancelled(
    engine: LocalExecutionEngine, clock: ManualClock
) -> None:
    note = Note(name="note")
    started = await engine.start_workflow(WorkflowDefinition("later", steps=[note]), delay=timedelta(hours=1))
    cancelled = await engine.cancel_workflow(started.id)
    assert cancelled.status is WorkflowStatus.CANCELED
    clock.advance(timedelta(hours=2))
    assert await engine.queries.list_work(started.id) == []
    assert note.seen == []


async def test_the_more_urgent_instance_is_first_and_a_step_wins_over_its_start(
    engine: LocalExecutionEngine, clock: ManualClock
) -> None:
    note = Note(name="note")
    usual = WorkflowDefinition("usual", steps=[note])
    urgent = WorkflowDefinition("urgent", steps=[note], priority=5)
    one_step = Note(name="note", priority=7)
    one_step.seen = note.seen
    step = WorkflowDefinition("step", steps=[one_step])
    at = NOON + timedelta(hours=1)
    last = await engine.start_workflow(usual, {"name": "usual"}, start_at=at)
    await engine.start_workflow(usual, {"name": "asked for"}, priority=6, start_at=at)
    await engine.start_workflow(urgent, {"name": "workflow"}, start_at=at)
    await engine.start_workflow(step, {"name": "step"}, priority=-100, start_at=at)
    clock.set(at)
    await engine.wait(last.id, timeout=5, until=lambda found: found.status.is_final)
    assert note.seen == ["step", "asked for", "workflow", "usual"]


@pytest.mark.parametrize(
    ("how", "pointers"),
    [
        ({"priority": 10**7}, ["/priority"]),
        ({"delay": timedelta(seconds=-1)}, ["/delay"]),
        ({"delay": timedelta.max}, ["/delay"]),
        ({"start_at": datetime(2026, 1, 1)}, ["/start_at"]),  # noqa: DTZ001 - that is the fault
        ({"start_at": NOON, "delay": timedelta(1)}, ["/start_at"]),
    ],
)
async def test_a_start_at_no_certain_moment_is_refused(
    engine: LocalExecutionEngine, how: dict[str, Any], pointers: list[str]
) -> None:
    with pytest.raises(InputValidationError) as caught:
        await engine.start_workflow(WorkflowDefinition("now", steps=[Note(name="note")]), **how)
    assert [problem.pointer for problem in caught.value.problems] == pointers
