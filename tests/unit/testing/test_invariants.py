"""What is wrong with the records of a store is said in words; a sound store has nothing wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from workflows_core import InMemoryWorkflowQueries, InMemoryWorkflowStore, MemoryState, TaskStatus, WorkflowContext
from workflows_core.adapters.memory.rows import InstanceRow
from workflows_core.domain.types import StepStatus, WorkflowStatus
from workflows_core.ports.store import Write
from workflows_testing.builders import Run, a_graph, a_task_graph, a_timer_graph, an_instance
from workflows_testing.clock import ManualClock
from workflows_testing.simulation import Effects, find_violations

Spoil = Callable[[MemoryState, InstanceRow], Any]


def one_step_done(run: Run) -> Sequence[Write]:
    return [run.start(), run.complete("first")]


def finished(run: Run) -> Sequence[Write]:
    return [run.start(), run.complete("first"), run.complete("second")]


def started(run: Run) -> Sequence[Write]:
    return [run.start()]


async def look(run: Run, play: Callable[[Run], Sequence[Write]], spoil: Spoil | None, **options: Any) -> list[str]:
    """Commit a history, spoil what the store holds, and look at it."""
    memory = MemoryState(ManualClock())
    store = InMemoryWorkflowStore(memory)
    await store.publish([run.program.graph])
    for write in play(run):
        await store.commit([write])
    if spoil is not None:
        spoil(memory, memory.instances[run.id.int])
    return await find_violations(InMemoryWorkflowQueries(memory), store, **options)


def two_steps() -> Run:
    return an_instance(a_graph("first", "second"))


@pytest.mark.parametrize("play", [started, one_step_done, finished])
async def test_nothing_is_wrong_with_a_sound_store(play: Callable[[Run], Sequence[Write]]) -> None:
    assert await look(two_steps(), play, None) == []


@pytest.mark.parametrize("graph", [a_task_graph(), a_timer_graph()], ids=["task", "timer"])
async def test_nothing_is_wrong_with_what_waits(graph: Any) -> None:
    assert await look(an_instance(graph), started, None) == []


def change_state(**changes: Any) -> Spoil:
    def spoil(_memory: MemoryState, row: InstanceRow) -> None:
        row.state = replace(row.state, **changes)

    return spoil


def again(row: InstanceRow) -> None:
    row.executions.append(row.executions[-1])


def unfinished(row: InstanceRow) -> None:
    at, (record,) = row.executions[0]
    row.executions[0] = (at, (replace(record, status=StepStatus.RUNNING),))


def visit_twice(row: InstanceRow) -> None:
    at, (record,) = row.executions[1]
    row.executions[1] = (at, (replace(record, visit=2),))


SPOILS: list[tuple[str, Callable[[Run], Sequence[Write]], Spoil]] = [
    ("no work will ever move it", one_step_done, lambda _, row: row.work.clear()),
    ("is stalled", one_step_done, lambda _, row: row.work.clear()),
    ("has 2 records", finished, lambda _, row: again(row)),
    ("is recorded as running", finished, lambda _, row: unfinished(row)),
    ("its events say nothing", finished, lambda _, row: row.events.pop(1)),
    ("ended 2 times by its events", finished, lambda _, row: row.events.insert(2, row.events[1])),
    ("was started 0 times", one_step_done, lambda _, row: row.events.pop(0)),
    ("but no event says so", one_step_done, change_state(status=WorkflowStatus.CANCELED)),
    ("and went on to 9", finished, change_state(revision=9)),
    ("is running, but over", finished, change_state(status=WorkflowStatus.RUNNING)),
    ("the time of its end is not recorded", finished, lambda _, row: setattr(row, "completed_at", None)),
    ("ran again in scope 0", finished, lambda _, row: visit_twice(row)),
    ("is recorded after", finished, lambda _, row: row.events.reverse()),
    ("the instance is at 1", finished, change_state(revision=1)),
]


@pytest.mark.parametrize(("words", "play", "spoil"), SPOILS, ids=[words for words, _, _ in SPOILS])
async def test_what_is_wrong_is_said(words: str, play: Callable[[Run], Sequence[Write]], spoil: Spoil) -> None:
    assert any(words in violation for violation in await look(two_steps(), play, spoil))


async def test_a_task_that_was_completed_without_an_event_is_found() -> None:
    def complete(memory: MemoryState, _row: InstanceRow) -> None:
        for key, task in memory.tasks.items():
            memory.tasks[key] = replace(task, status=TaskStatus.COMPLETED, completed_by="bob")

    violations = await look(an_instance(a_task_graph()), started, complete)
    assert any("is completed, and was completed 0 times" in violation for violation in violations)
    assert any("waits for a person, and has no open task" in violation for violation in violations)


@pytest.mark.parametrize(("times", "said"), [(0, "had no effect"), (1, None), (2, "had 2 effects")])
async def test_effects_are_at_least_one_for_each_success_and_at_most_one_for_each_attempt(
    times: int, said: str | None
) -> None:
    run, effects = two_steps(), Effects()
    other = WorkflowContext.for_testing({}, instance_id=run.id, current_step="first", execution=99)
    effects.note(other)  # the step is one that has effects
    write = run.start()
    number = next(token.execution for token in run.state.scopes[0].tokens.values())
    context = WorkflowContext.for_testing({}, instance_id=run.id, current_step="first", execution=number)
    for _ in range(times):
        effects.note(context)
    violations = await look(run, lambda run: [write, run.complete("first")], None, effects=effects)
    assert (said is None) == (violations == [])
    assert said is None or said in violations[0]
    assert effects.total == times + 1
    assert effects.count(context.idempotency_key) == times
