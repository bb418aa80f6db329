"""Groups become scopes of the graph; they also run by themselves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.decorators import step
from workflows_core.authoring.definition import WorkflowDefinition
from workflows_core.authoring.groups import (
    ConditionalGroup,
    ForEach,
    ParallelGroup,
    RaceGroup,
    SequentialGroup,
    StepGroup,
)
from workflows_core.authoring.naming import joined_name
from workflows_core.authoring.step import BaseMachineStep, StepRunner
from workflows_core.domain.graph import ForEachNode, GroupNode, MachineNode, WorkflowGraph
from workflows_core.domain.problems import Problem
from workflows_core.domain.types import StepType
from workflows_core.errors import InvalidDefinitionError


class A(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> Any:
        context.set("a", context.get("a", 0) + 1)
        return f"a after {context.previous_result}"


class B(BaseMachineStep):
    def execute(self, context: WorkflowContext) -> Any:
        return f"b after {context.previous_result}"


class C(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> Any:
        return context.previous_result


@step
async def double(context: WorkflowContext) -> int:
    context.add("total", context.get("item"))
    return int(context.get("item")) * 2


class Runner(StepRunner):
    """Runs steps as an engine does, without guards and hooks."""

    async def execute_step(self, step: Any, context: WorkflowContext, previous_result: Any = None) -> Any:
        if isinstance(step, StepGroup):
            context.previous_result = previous_result
            return await step.execute(context, self)
        inner = context.with_step(step.name)
        inner.previous_result = previous_result
        result = step.execute(inner)
        return await result if asyncio.iscoroutine(result) else result


def graph_of(*steps: Any) -> WorkflowGraph:
    return WorkflowDefinition("test", steps=list(steps)).graph


def problems_of(*steps: Any) -> dict[str, Problem]:
    with pytest.raises(InvalidDefinitionError) as caught:
        WorkflowDefinition("test", steps=list(steps))
    return {problem.code: problem for problem in caught.value.problems if isinstance(problem, Problem)}


def inner_edges(graph: WorkflowGraph) -> list[tuple[str, str]]:
    return [(edge.source, edge.target) for edge in graph.edges]


# Compiled


def test_a_sequence_enters_its_first_step_and_connects_the_others() -> None:
    graph = graph_of(SequentialGroup(A, B(), C, outputs={"a": "count"}, into="last"))
    assert graph.nodes["sequential_a_b_c"].kind == GroupNode("sequential", ("a",), outputs={"a": "count"}, into="last")
    assert {node.name: node.scope for node in graph.nodes.values()} == {
        "sequential_a_b_c": "",
        "a": "sequential_a_b_c",
        "b": "sequential_a_b_c",
        "c": "sequential_a_b_c",
    }
    assert inner_edges(graph) == [("a", "b"), ("b", "c")]
    assert graph.nodes["sequential_a_b_c"].step_type is StepType.GROUP


def test_a_parallel_group_enters_all_its_steps_and_joins_before_its_callback() -> None:
    graph = graph_of(ParallelGroup(A(), B(), callback=C(), outputs=["a"]))
    assert graph.nodes["parallel_a_b_c"].kind == GroupNode("parallel", ("a", "b"), callback="c", outputs={"a": "a"})
    assert inner_edges(graph) == [("a", "c"), ("b", "c")]


def test_a_race_enters_all_its_steps() -> None:
    assert graph_of(RaceGroup(A(), B())).nodes["race_a_b"].kind == GroupNode("race", ("a", "b"))


def test_a_conditional_group_selects_by_expression() -> None:
    graph = graph_of(ConditionalGroup("kind", {"x": A(), "y": B()}))
    assert graph.nodes["choice_a_b"].kind == GroupNode("conditional", branches={"x": "a", "y": "b"}, selector="kind")


async def test_a_conditional_group_selects_by_code() -> None:
    definition = WorkflowDefinition("test", steps=[ConditionalGroup(lambda c: c.get("big"), {True: A(), False: B()})])
    kind = definition.graph.nodes["choice_a_b"].kind
    assert kind == GroupNode("conditional", branches={"True": "a", "False": "b"}, computed=True)
    prepare = definition.code["choice_a_b"].prepare
    assert prepare is not None
    assert await prepare(WorkflowContext.for_testing({"big": True})) == "True"
    assert await prepare(WorkflowContext.for_testing()) is None


def test_branches_may_share_a_step() -> None:
    shared = A()
    graph = graph_of(ConditionalGroup("kind", {"x": shared, "y": shared}))
    assert list(graph.nodes) == ["choice_a_a", "a"]


async def test_for_each_runs_its_body_for_the_items_of_an_expression_or_of_code() -> None:
    graph = graph_of(ForEach("orders", A(), item="order", index="place", concurrency=4, into="results"))
    assert graph.nodes["each_a"].kind == ForEachNode(
        "a", source="orders", item="order", index="place", concurrency=4, into="results"
    )
    definition = WorkflowDefinition("test", steps=[ForEach(lambda context: range(3), A())])
    assert definition.graph.nodes["each_a"].kind == ForEachNode("a", computed=True)
    prepare = definition.code["each_a"].prepare
    assert prepare is not None
    assert await prepare(WorkflowContext.for_testing()) == [0, 1, 2]


def test_groups_nest() -> None:
    graph = graph_of(SequentialGroup(A(), ParallelGroup(B(), ForEach("items", double), name="fan"), C(), name="all"))
    scopes = {node.name: node.scope for node in graph.nodes.values()}
    assert scopes == {
        "all": "",
        "a": "all",
        "fan": "all",
        "b": "fan",
        "each_double": "fan",
        "double": "each_double",
        "c": "all",
    }
    assert inner_edges(graph) == [("a", "fan"), ("fan", "c")]


def test_a_group_may_be_connected_like_any_step() -> None:
    group = ParallelGroup(A(), B(), name="both")
    definition = WorkflowDefinition("test", steps=[group, C()], edges=[(group, C)])
    assert ("both", "c") in inner_edges(definition.graph)


def test_a_group_of_the_application_runs_as_one_step() -> None:
    class FanOutGroup(StepGroup):
        async def execute(self, context: WorkflowContext, engine: StepRunner) -> Any:
            return await engine.execute_step(A(), context)

    class Retried(SequentialGroup):
        async def execute(self, context: WorkflowContext, engine: StepRunner) -> Any:
            return None

    assert FanOutGroup().members == ()
    definition = WorkflowDefinition("test", steps=[FanOutGroup(next="again"), Retried(A(), name="again")])
    assert list(definition.graph.nodes) == ["fan_out", "again"]
    for name in ("fan_out", "again"):
        assert definition.graph.nodes[name].kind == MachineNode()
        assert definition.code[name].runs_engine
        assert definition.code[name].is_async


def test_names_of_groups_follow_from_their_members() -> None:
    names = [f"a_step_with_a_long_name_{number}" for number in range(9)]
    assert joined_name("parallel", names) == f"parallel_{names[0]}_to_{names[-1]}"
    assert joined_name("race", ["a", "b"]) == "race_a_b"


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ([SequentialGroup(A(), A())], "duplicate_name"),
        ([A(), SequentialGroup(A(), name="group")], "duplicate_name"),
        ([SequentialGroup()], "no_entry"),
        ([ParallelGroup()], "no_entry"),
        ([RaceGroup()], "no_entry"),
        ([ConditionalGroup("kind", {})], "no_entry"),
        ([ConditionalGroup("kind ==", {"x": A()})], "bad_expression"),
        ([ConditionalGroup(5, {"x": A()})], "bad_type"),  # type: ignore[arg-type]
        ([ForEach("items", A(), concurrency=0)], "bad_concurrency"),
        ([ForEach(["a", "b"], A())], "bad_type"),  # type: ignore[arg-type]
        ([SequentialGroup(A(), 5)], "not_a_step"),  # type: ignore[arg-type]
        ([SequentialGroup(A(next="b"), B())], "next_in_group"),
    ],
)
def test_groups_that_cannot_run_are_refused(steps: Any, code: str) -> None:
    assert code in problems_of(*steps)


@pytest.mark.parametrize("outputs", ["a", 5])
def test_outputs_are_keys(outputs: Any) -> None:
    with pytest.raises(TypeError, match="list of keys"):
        SequentialGroup(A(), outputs=outputs)


def test_an_edge_does_not_lead_into_a_group() -> None:
    group = SequentialGroup(A(), name="group")
    with pytest.raises(InvalidDefinitionError, match="one scope only"):
        WorkflowDefinition("test", steps=[B(), group], edges=[(B, A), (B, group)])


def test_hooks_that_a_group_would_never_call_are_refused() -> None:
    class Guarded(SequentialGroup):
        async def can_execute(self, context: WorkflowContext) -> bool:
            return True

    assert "can_execute of a Guarded" in problems_of(Guarded(A()))["hook_never_called"].message


# By themselves


async def test_a_sequence_passes_results_on_and_keeps_its_data_inside() -> None:
    context = WorkflowContext.for_testing({"a": 1})
    group = SequentialGroup(A, B(), outputs={"a": "count"}, into="last")
    assert await group.execute(context, Runner()) == "b after a after None"
    assert context.data == {"a": 1, "count": 2, "last": "b after a after None"}


async def test_a_parallel_group_gives_its_results_in_order_or_to_its_callback() -> None:
    results = ["a after None", "b after None"]
    assert await ParallelGroup(A(), B()).execute(WorkflowContext.for_testing(), Runner()) == results
    assert await ParallelGroup(A(), B(), callback=C()).execute(WorkflowContext.for_testing(), Runner()) == results


async def test_an_error_in_a_parallel_group_cancels_the_others() -> None:
    cancelled: list[str] = []

    class Slow(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append("slow")
                raise

    class Broken(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None:
            await asyncio.sleep(0)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await ParallelGroup(Slow(), Broken()).execute(WorkflowContext.for_testing(), Runner())
    assert cancelled == ["slow"]
    assert await RaceGroup(Slow(), A()).execute(WorkflowContext.for_testing(), Runner()) == "a after None"
    assert cancelled == ["slow", "slow"]


async def test_an_empty_race_has_no_result() -> None:
    assert await RaceGroup().execute(WorkflowContext.for_testing(), Runner()) is None


@pytest.mark.parametrize("condition", ["kind", lambda context: context.get("kind")])
async def test_a_conditional_group_runs_the_branch_or_nothing(condition: Any) -> None:
    group = ConditionalGroup(condition, {"x": A(), "y": SequentialGroup(B(), C())})
    assert await group.execute(WorkflowContext.for_testing({"kind": "y"}), Runner()) == "b after None"
    assert await group.execute(WorkflowContext.for_testing({"kind": "z"}), Runner()) is None


@pytest.mark.parametrize("source", ["numbers", lambda context: (number for number in context.get("numbers"))])
async def test_for_each_gives_the_results_in_the_order_of_the_items(source: Any) -> None:
    context = WorkflowContext.for_testing({"numbers": [1, 2, 3]})
    assert await ForEach(source, double, concurrency=2, into="doubled").execute(context, Runner()) == [2, 4, 6]
    assert context.data == {"numbers": [1, 2, 3], "doubled": [2, 4, 6]}
    assert sorted(context.additions) == [("total", 1), ("total", 2), ("total", 3)]


async def test_for_each_without_items_has_an_empty_result() -> None:
    assert await ForEach("numbers", double).execute(WorkflowContext.for_testing(), Runner()) == []


async def test_for_each_runs_at_most_so_many_at_once() -> None:
    running: list[int] = []
    most = 0

    @step
    async def busy(context: WorkflowContext) -> None:
        nonlocal most
        running.append(1)
        most = max(most, len(running))
        await asyncio.sleep(0)
        running.pop()

    await ForEach("range", busy, concurrency=3).execute(
        WorkflowContext.for_testing({"range": list(range(20))}), Runner()
    )
    assert most == 3
