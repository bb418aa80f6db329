"""Groups of steps as the engine runs them: durable inside, with results, scopes and bounded concurrency."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from workflows_core import (
    Actor,
    BaseHumanStep,
    BaseMachineStep,
    ConditionalGroup,
    DelayStep,
    Edge,
    ForEach,
    LocalExecutionEngine,
    ParallelGroup,
    RaceGroup,
    SequentialGroup,
    StepGroup,
    TimerStep,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowInstance,
    WorkflowStatus,
)


class Give(BaseMachineStep):
    """Returns what it was made with, and what came before it."""

    def __init__(self, name: str, value: Any) -> None:
        super().__init__(name=name)
        self.value = value

    async def execute(self, context: WorkflowContext) -> Any:
        context.set(f"inside_{self.name}", True)
        return [self.value, context.previous_result]


class After(BaseMachineStep):
    """The step behind the group."""

    async def execute(self, context: WorkflowContext) -> None:
        context.set("after", True)


async def run(
    engine: LocalExecutionEngine, group: Any, data: dict[str, Any] | None = None, **options: Any
) -> WorkflowInstance:
    definition = WorkflowDefinition(
        name="grouped",
        steps={"group": group, "after": After()},
        edges=[("group", "after")],
        initial_step="group",
        **options,
    )
    instance = await engine.start_workflow(definition, data)
    return await engine.wait(instance.id, timeout=5)


async def test_a_sequence_passes_results_and_keeps_its_data_inside(engine: LocalExecutionEngine) -> None:
    group = SequentialGroup(Give("a", 1), Give("b", 2), into="result", outputs=["inside_b"])

    finished = await run(engine, group)

    assert finished.data == {"result": [2, [1, None]], "inside_b": True, "after": True}


async def test_parallel_branches_give_their_results_in_order_to_the_callback(engine: LocalExecutionEngine) -> None:
    plain = await run(engine, ParallelGroup(Give("a", 1), Give("b", 2), into="result"))
    chord = await run(
        LocalExecutionEngine(), ParallelGroup(Give("a", 1), Give("b", 2), callback=Give("c", 3), into="result")
    )

    assert plain.data["result"] == [[1, None], [2, None]]
    assert chord.data["result"] == [3, [[1, None], [2, None]]]


async def test_a_condition_chooses_a_branch_or_none(engine: LocalExecutionEngine) -> None:
    def choose(context: WorkflowContext) -> str:
        return str(context.get("way"))

    group = ConditionalGroup(choose, {"x": Give("a", 1), "y": Give("b", 2)}, into="result")

    chosen = await run(engine, group, {"way": "y"})
    none = await run(engine, group, {"way": "z"})
    expression = await run(
        LocalExecutionEngine(),
        ConditionalGroup("way", {"x": Give("a", 1), "y": Give("b", 2)}, into="result"),
        {"way": "x"},
    )

    assert chosen.data["result"] == [2, None]
    assert none.data == {"way": "z", "result": None, "after": True}
    assert expression.data["result"] == [1, None]


async def test_the_first_to_finish_wins_a_race_and_the_others_are_cancelled(engine: LocalExecutionEngine) -> None:
    group = RaceGroup(
        DelayStep(name="fast", duration=timedelta(milliseconds=10)), TimerStep("slow", timedelta(hours=1))
    )

    instance = await run(engine, group)
    async with asyncio.timeout(5):
        while not (await engine.get_instance(instance.id)).status.is_final:
            await asyncio.sleep(0.01)

    history = await engine.queries.list_executions(instance.id)
    statuses = {record.execution.step_name: record.execution.status.value for record in history}
    assert statuses == {"fast": "succeeded", "slow": "canceled", "group": "succeeded", "after": "succeeded"}
    assert await engine.queries.list_work(instance.id) == []


async def test_for_each_runs_items_with_bounded_concurrency_and_gathers_in_order(
    engine: LocalExecutionEngine,
) -> None:
    running, most = 0, 0

    class Work(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> int:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.005 * (10 - context.data["index"]))
            running -= 1
            return int(context.data["item"]) * 10

    finished = await run(
        engine, ForEach("numbers", Work(), concurrency=3, into="results"), {"numbers": list(range(10))}
    )

    assert finished.status is WorkflowStatus.COMPLETED
    assert finished.data["results"] == [number * 10 for number in range(10)]
    assert most == 3
    assert finished.status is WorkflowStatus.COMPLETED


async def test_for_each_nests_and_sees_the_data_around_it(engine: LocalExecutionEngine) -> None:
    class Multiply(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> int:
            return int(context.data["row"]["factor"] * context.data["cell"] * context.data["scale"])

    def rows(context: WorkflowContext) -> list[Any]:
        return list(context.data["rows"])

    inner = ForEach("row.cells", Multiply(), item="cell", name="cells")
    data = {
        "rows": [{"factor": 2, "cells": [1, 2]}, {"factor": 3, "cells": []}, {"factor": 5, "cells": [7]}],
        "scale": 10,
    }

    finished = await run(engine, ForEach(rows, inner, item="row", into="table"), data)

    assert finished.data["table"] == [[20, 40], [], [350]]


async def test_for_each_of_people_waits_and_goes_on_item_by_item(engine: LocalExecutionEngine) -> None:
    review = BaseHumanStep(name="review", title="Review for {reviewer}", assignee="{reviewer}")
    waiting = await run(
        engine, ForEach("reviewers", review, item="reviewer", into="reviews"), {"reviewers": ["dan", "erin"]}
    )

    assert waiting.status is WorkflowStatus.WAITING
    for name in ("erin", "dan"):
        [task] = await engine.get_pending_tasks(name)
        assert task.opening.title == f"Review for {name}"
        await engine.complete_task(task.id, {"verdict": f"{name} says yes"}, actor=Actor(name))
    finished = await engine.wait(waiting.id, timeout=5)

    assert finished.data["reviews"] == [{"verdict": "dan says yes"}, {"verdict": "erin says yes"}]


async def test_a_failing_item_fails_the_group_and_its_failure_edge_is_taken(engine: LocalExecutionEngine) -> None:
    class Fail(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None:
            if context.data["item"] == 2:
                message = "two"
                raise ValueError(message)
            await asyncio.sleep(0.02)

    definition = WorkflowDefinition(
        name="failing",
        steps={"group": ForEach("items", Fail()), "repair": After(name="repair"), "after": After()},
        edges=[("group", "after"), Edge("group", "repair", on="failure")],
        initial_step="group",
    )
    instance = await engine.start_workflow(definition, {"items": [1, 2, 3]})
    finished = await engine.wait(instance.id, timeout=5)

    names = [record.execution.step_name for record in await engine.queries.list_executions(instance.id)]
    assert finished.status is WorkflowStatus.COMPLETED
    assert "repair" in names
    assert "after" not in names


async def test_cancelling_reaches_every_item(engine: LocalExecutionEngine) -> None:
    review = BaseHumanStep(name="review", assignee="{item}")
    waiting = await run(engine, ForEach("people", review, concurrency=2), {"people": ["a", "b", "c"]})

    await engine.cancel_workflow(waiting.id)

    assert not await engine.get_pending_tasks()
    assert (await engine.get_instance(waiting.id)).active_steps == ()


async def test_a_group_of_your_own_runs_as_one_step(engine: LocalExecutionEngine) -> None:
    class Twice(StepGroup):
        async def execute(self, context: WorkflowContext, engine: Any) -> list[Any]:
            return [await engine.execute_step(Give("a", number), context) for number in (1, 2)]

    finished = await run(engine, Twice(name="twice"))

    [record, _] = await engine.queries.list_executions(finished.id)
    assert record.execution.result == b"[[1,null],[2,null]]"


async def test_data_inside_a_group_are_limited_too(engine: LocalExecutionEngine) -> None:
    class Grow(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None:
            context.set("blob", "x" * 20_000)

    body = SequentialGroup(Grow(), After(name="inner"), name="body")
    grouped = await run(engine, body)
    in_an_item = await run(LocalExecutionEngine(settings=engine.settings), ForEach("items", body), {"items": [1]})

    for instance in (grouped, in_an_item):
        assert instance.status is WorkflowStatus.FAILED
        assert instance.error is not None
        assert instance.error.type == "PayloadTooLargeError"
