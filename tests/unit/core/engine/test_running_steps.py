"""How the engine runs the code of steps, and what becomes of its results and errors."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from workflows_core import (
    BaseGateway,
    BaseMachineStep,
    Edge,
    EventBus,
    ExclusiveGateway,
    LocalExecutionEngine,
    StepStatus,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowInstance,
    WorkflowStatus,
)
from workflows_core.domain.events import RecordedEvent


class Record(BaseMachineStep):
    """Sets a key named after itself."""

    async def execute(self, context: WorkflowContext) -> str:
        context.set(self.name, True)
        return f"result of {self.name}"


def define(steps: list[Any], edges: list[Any], **options: Any) -> WorkflowDefinition:
    return WorkflowDefinition(
        name="sample", steps={step.name: step for step in steps}, edges=edges, initial_step=steps[0].name, **options
    )


async def finish(
    engine: LocalExecutionEngine, definition: WorkflowDefinition, data: dict[str, Any] | None = None
) -> WorkflowInstance:
    instance = await engine.start_workflow(definition, data)
    return await engine.wait(instance.id, timeout=5)


async def test_a_linear_workflow_runs_its_steps_in_order(engine: LocalExecutionEngine) -> None:
    definition = define([Record(name=name) for name in "abc"], [("a", "b"), ("b", "c")])

    finished = await finish(engine, definition)

    history = await engine.queries.list_executions(finished.id)
    assert finished.status is WorkflowStatus.COMPLETED
    assert [record.execution.step_name for record in history] == ["a", "b", "c"]
    assert finished.data == {"a": True, "b": True, "c": True}
    assert finished.completed_at is not None


async def test_parallel_branches_join_once_with_the_data_of_all(engine: LocalExecutionEngine) -> None:
    definition = define(
        [Record(name=name) for name in ("fork", "left", "right", "join")],
        [("fork", "left"), ("fork", "right"), ("left", "join"), ("right", "join")],
    )

    finished = await finish(engine, definition)

    names = [record.execution.step_name for record in await engine.queries.list_executions(finished.id)]
    assert sorted(names) == ["fork", "join", "left", "right"]
    assert finished.data == {"fork": True, "left": True, "right": True, "join": True}


async def test_a_plain_function_runs_in_a_thread(engine: LocalExecutionEngine) -> None:
    class Sync(BaseMachineStep):
        def execute(self, context: WorkflowContext) -> None:
            context.set("thread", threading.current_thread() is not threading.main_thread())

    finished = await finish(engine, define([Sync()], []))

    assert finished.data == {"thread": True}


async def test_changes_in_place_are_kept_and_those_of_a_failed_step_are_not(engine: LocalExecutionEngine) -> None:
    class Append(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None:
            context.data["items"].append("more")

    class Fail(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None:
            context.data["items"].clear()
            message = "no luck"
            raise RuntimeError(message)

    finished = await finish(engine, define([Append(), Fail()], [("append", "fail")]), {"items": ["first"]})

    assert finished.status is WorkflowStatus.FAILED
    assert finished.data == {"items": ["first", "more"]}
    assert finished.error is not None
    assert (finished.error.type, finished.error.message, finished.error.step) == ("RuntimeError", "no luck", "fail")
    assert "no luck" in (finished.error.traceback or "")


async def test_a_value_that_cannot_be_stored_fails_the_step_and_names_the_key(engine: LocalExecutionEngine) -> None:
    class Store(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None:
            context.data["before"] = "kept out"
            context.data["thing"] = object()

    finished = await finish(engine, define([Store()], []), {"given": 1})

    assert finished.status is WorkflowStatus.FAILED
    assert finished.data == {"given": 1}
    assert finished.error is not None
    assert finished.error.type == "PayloadError"
    assert "'thing'" in finished.error.message
    assert "'store'" in finished.error.message


async def test_data_past_the_limit_fail_the_step_and_leave_the_data_as_they_were(engine: LocalExecutionEngine) -> None:
    class Grow(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None:
            context.set("blob", "x" * 20_000)

    finished = await finish(engine, define([Grow()], []), {"given": 1})

    assert finished.error is not None
    assert finished.error.type == "PayloadTooLargeError"
    assert finished.data == {"given": 1}


async def test_a_failure_edge_is_taken_instead_of_failing_the_instance(engine: LocalExecutionEngine) -> None:
    class Fail(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None:
            raise ValueError

    definition = define([Fail(), Record(name="repair")], [Edge("fail", "repair", on="failure")])

    finished = await finish(engine, definition)

    assert finished.status is WorkflowStatus.COMPLETED
    assert finished.data == {"repair": True}


async def test_a_guard_that_says_no_skips_the_step(engine: LocalExecutionEngine) -> None:
    class Guarded(Record):
        async def can_execute(self, context: WorkflowContext) -> bool:
            return bool(context.get("allowed"))

    finished = await finish(engine, define([Guarded(name="guarded"), Record(name="after")], [("guarded", "after")]))

    history = await engine.queries.list_executions(finished.id)
    assert [record.execution.status for record in history] == [StepStatus.SKIPPED, StepStatus.SUCCEEDED]
    assert finished.data == {"after": True}


async def test_hooks_run_before_the_commit_and_an_error_in_on_failure_is_recorded_beside_the_first(
    engine: LocalExecutionEngine,
) -> None:
    class Hooked(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> int:
            return 7

        async def on_success(self, context: WorkflowContext, result: int) -> None:
            context.set("seen", result)

    class Broken(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None:
            message = "first"
            raise RuntimeError(message)

        async def on_failure(self, context: WorkflowContext, error: Exception) -> None:
            message = "second"
            raise KeyError(message)

    finished = await finish(engine, define([Hooked(), Broken()], [("hooked", "broken")]))

    assert finished.data == {"seen": 7}
    assert finished.error is not None
    assert finished.error.message == "first"
    assert finished.error.notes == ("on_failure raised KeyError: 'second'",)


async def test_conditions_as_expressions_and_as_callables(engine: LocalExecutionEngine) -> None:
    def is_large(context: WorkflowContext) -> bool:
        return bool(context.data["amount"] > 100)

    definition = define(
        [Record(name=name) for name in ("start", "large", "small", "urgent")],
        [
            Edge("start", "large", condition=is_large),
            Edge("start", "small", default=True),
            Edge("large", "urgent", condition="priority == 'high'"),
        ],
    )

    large = await finish(engine, definition, {"amount": Decimal("100.01"), "priority": "high"})
    small = await finish(engine, definition, {"amount": 5, "priority": "high"})

    assert {"large", "urgent"} <= large.data.keys()
    assert "small" in small.data
    assert "large" not in small.data


async def test_a_step_that_no_edge_leaves_with_fails_the_instance_and_shows_the_values(
    engine: LocalExecutionEngine,
) -> None:
    definition = define([Record(name="a"), Record(name="b")], [Edge("a", "b", condition="amount > 10")])

    finished = await finish(engine, definition, {"amount": 3})

    assert finished.status is WorkflowStatus.FAILED
    assert finished.error is not None
    assert finished.error.type == "InvalidTransitionError"
    assert "amount=3" in finished.error.message


async def test_gateways_choose_by_code(engine: LocalExecutionEngine) -> None:
    class Choose(BaseGateway):
        gateway_type = "inclusive"

        async def evaluate(self, context: WorkflowContext) -> list[str]:
            return list(context.data["wanted"])

    definition = define(
        [Choose(), *(Record(name=name) for name in "abc")],
        [("choose", "a"), ("choose", "b"), ("choose", "c")],
    )

    finished = await finish(engine, definition, {"wanted": ["a", "c"]})

    assert finished.data == {"wanted": ["a", "c"], "a": True, "c": True}


async def test_an_exclusive_gateway_takes_the_first_edge_that_holds(engine: LocalExecutionEngine) -> None:
    definition = define(
        [ExclusiveGateway("choose"), *(Record(name=name) for name in "abc")],
        [
            Edge("choose", "a", condition="n > 10"),
            Edge("choose", "b", condition="n > 1"),
            Edge("choose", "c", default=True),
        ],
    )

    finished = await finish(engine, definition, {"n": 20})

    assert finished.data == {"n": 20, "a": True}


async def test_reducers_add_up_what_parallel_branches_add(engine: LocalExecutionEngine) -> None:
    class Add(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None:
            context.add("total", 5)
            context.add("names", self.name)

    definition = define(
        [Record(name="fork"), Add(name="a"), Add(name="b")],
        [("fork", "a"), ("fork", "b")],
        reducers={"total": "sum", "names": "append"},
    )

    finished = await finish(engine, definition)

    assert finished.data["total"] == 10
    assert sorted(finished.data["names"]) == ["a", "b"]


async def test_a_context_knows_its_step_and_its_history(engine: LocalExecutionEngine) -> None:
    class Look(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None:
            context.set("key", context.idempotency_key)
            context.set("steps", [step.step_name for step in context.step_history])
            context.set("all", [record.execution.step_name for record in await context.history()])
            context.set("by", context.user_id)

    finished = await finish(engine, define([Record(name="first"), Look()], [("first", "look")]))

    assert finished.data["key"].startswith(str(finished.id))
    assert finished.data["steps"] == ["first"]
    assert finished.data["all"] == ["first"]
    assert finished.data["by"] == "system"


async def test_a_plain_function_that_exits_or_stops_iterating_fails_its_step(engine: LocalExecutionEngine) -> None:
    class Exit(BaseMachineStep):
        def execute(self, context: WorkflowContext) -> None:
            raise {"exit": SystemExit(3), "stop": StopIteration("nothing")}[context.data["how"]]

    for how, told in (("exit", "SystemExit: 3"), ("stop", "StopIteration: nothing")):
        finished = await finish(engine, define([Exit(name="leave")], []), {"how": how})

        assert finished.status is WorkflowStatus.FAILED
        assert finished.error is not None
        assert told in finished.error.message


async def test_events_that_cannot_be_published_do_not_undo_what_happened() -> None:
    class Broken(EventBus):
        async def publish(self, events: Sequence[RecordedEvent]) -> None:
            raise ConnectionError

    async with LocalExecutionEngine(event_bus=Broken()) as engine:
        finished = await finish(engine, define([Record(name="a")], []))

        assert finished.status is WorkflowStatus.COMPLETED
        assert await engine.queries.list_events(finished.id)
