"""Names, hooks and settings of steps."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from typing import Any

import pytest

from workflows_core.authoring.code import StepCode, ask, is_coroutine_function
from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.definition import WorkflowDefinition
from workflows_core.authoring.edge import Edge
from workflows_core.authoring.step import BaseMachineStep, BaseStep, Step
from workflows_core.domain.graph import Join
from workflows_core.domain.problems import Problem
from workflows_core.errors import InvalidDefinitionError, StepExecutionError


class SendHTTPRequestStep(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None: ...


class Named(BaseMachineStep):
    name = "own_name"

    def execute(self, context: WorkflowContext) -> None: ...


class Plain:
    name = "plain"

    def execute(self, context: WorkflowContext) -> str:
        return "done"


class Hooked(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> str:
        return "x"

    def can_execute(self, context: WorkflowContext) -> bool:
        return True

    async def on_success(self, context: WorkflowContext, result: Any) -> None: ...

    async def on_failure(self, context: WorkflowContext, error: Exception) -> None: ...


def problems_of(*steps: Any, **arguments: Any) -> dict[str, Problem]:
    with pytest.raises(InvalidDefinitionError) as caught:
        WorkflowDefinition("test", steps=list(steps), **arguments)
    return {problem.code: problem for problem in caught.value.problems if isinstance(problem, Problem)}


def test_a_step_is_named_after_its_class_unless_it_has_a_name() -> None:
    assert SendHTTPRequestStep.name == "send_http_request"
    assert SendHTTPRequestStep().name == "send_http_request"
    assert SendHTTPRequestStep(name="other").name == "other"
    assert Named().name == "own_name"
    assert type("Heir", (Named,), {})().name == "own_name"


def test_a_step_in_a_class_body_is_named_after_its_attribute() -> None:
    class Renamed(BaseMachineStep):
        def __init__(self) -> None:
            self.name = "by_itself"

    class Holder:
        renamed = Renamed()
        fetch = SendHTTPRequestStep()
        other = SendHTTPRequestStep(name="given")
        third = Named()

    assert Holder.renamed.name == "by_itself"
    assert (Holder.fetch.name, Holder.other.name, Holder.third.name) == ("fetch", "given", "own_name")


def test_a_shared_step_keeps_the_first_name_that_it_got() -> None:
    shared = SendHTTPRequestStep()
    type("First", (), {"first": shared})
    type("Second", (), {"second": shared})
    assert shared.name == "first"


def test_the_key_of_a_mapping_wins_over_the_name_of_the_step() -> None:
    definition = WorkflowDefinition("test", steps={"key": Named(), "plain": Plain()}, edges=[(Named, "plain")])
    assert set(definition.graph.nodes) == {"key", "plain"}
    assert definition.edges[0].source == "key"


def test_only_what_the_author_wrote_is_known_as_code() -> None:
    bare = WorkflowDefinition("test", steps=[Named()]).code["own_name"]
    assert (bare.can_execute, bare.on_success, bare.on_failure, bare.prepare) == (None, None, None, None)
    assert not bare.is_async
    hooked = WorkflowDefinition("test", steps=[Hooked]).code["hooked"]
    assert hooked.is_async
    assert hooked.can_execute is not None
    assert hooked.on_success is not None
    assert hooked.on_failure is not None


def test_a_plain_object_with_a_name_and_execute_is_a_step() -> None:
    definition = WorkflowDefinition("test", steps=[Plain()])
    assert definition.code["plain"].execute is not None
    assert isinstance(definition.steps["plain"], Plain)


async def test_the_defaults_of_the_step_protocol_are_never_called() -> None:
    class Mine(Step[str]):
        name = "mine"

        async def execute(self, context: WorkflowContext) -> str:
            return "mine"

    code = WorkflowDefinition("test", steps=[Mine()]).code["mine"]
    assert (code.can_execute, code.on_success, code.on_failure) == (None, None, None)
    assert code.execute is not None
    context = WorkflowContext.for_testing()
    assert await code.execute(context) == "mine"
    assert Mine().can_execute(context) is True
    assert Mine().on_success(context, "mine") is None
    assert Mine().on_failure(context, ValueError()) is None


def test_a_step_protocol_without_execute_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="execute"):
        type("Half", (Step,), {"name": "half"})()


def test_the_default_hooks_of_base_steps_do_nothing() -> None:
    context = WorkflowContext.for_testing(current_step="bare")
    step = BaseMachineStep()
    assert step.can_execute(context) is True
    assert step.on_success(context, 1) is None
    assert step.on_failure(context, ValueError()) is None
    with pytest.raises(TypeError, match="must define execute"):
        step.execute(context)


def test_a_machine_step_without_execute_is_refused() -> None:
    class Empty(BaseMachineStep):
        pass

    assert "Empty does not define execute" in problems_of(Empty())["no_execute"].message
    assert "no_execute" in problems_of(BaseStep(name="base"))


@pytest.mark.parametrize(
    ("join", "expected"),
    [
        (None, Join()),
        ("auto", Join()),
        ("all", Join("all")),
        ("any", Join("any")),
        ("each", Join("each")),
        (2, Join("n", 2)),
    ],
)
def test_joins_are_written_in_words_and_numbers(join: Any, expected: Join) -> None:
    class Two(Plain):
        name = "two"

    steps = [Plain(), Two(), SendHTTPRequestStep(name="end", join=join)]
    edges = [("plain", "two"), ("plain", "end"), ("two", "end")]
    definition = WorkflowDefinition("test", steps=steps, edges=edges)
    assert definition.graph.nodes["end"].join == expected


@pytest.mark.parametrize("join", ["most", 0, -1, True, 1.5])
def test_an_unknown_join_is_refused(join: Any) -> None:
    assert "number of tokens" in problems_of(Named(join=join))["bad_join"].mend


@pytest.mark.parametrize(
    ("terminal", "expected"), [(False, ""), (True, "branch"), ("branch", "branch"), ("instance", "instance")]
)
def test_terminal_steps_end_a_branch_or_the_instance(terminal: Any, expected: str) -> None:
    definition = WorkflowDefinition("test", steps=[Named(terminal=terminal)])
    assert definition.graph.nodes["own_name"].terminal == expected


def test_an_unknown_end_is_refused() -> None:
    assert "'instance'" in problems_of(Named(terminal="all"))["bad_terminal"].mend


def test_queue_and_description_reach_the_graph() -> None:
    node = WorkflowDefinition("test", steps=[Named(queue="mail", description="Sends.")]).graph.nodes["own_name"]
    assert (node.queue, node.description) == ("mail", "Sends.")


@pytest.mark.parametrize("attribute", ["queue", "description"])
def test_text_must_be_text(attribute: str) -> None:
    step = Plain()
    setattr(step, attribute, object())
    assert attribute in problems_of(step)["bad_type"].message


def test_a_step_entered_only_after_failures_runs_once_for_each() -> None:
    steps = [Plain(), SendHTTPRequestStep(name="alarm"), SendHTTPRequestStep(name="report", join="auto")]
    edges = [
        Edge("plain", "alarm", on="failure"),
        Edge("plain", "alarm", on="timeout"),
        Edge("plain", "report", on="failure"),
    ]
    graph = WorkflowDefinition("test", steps=steps, edges=edges).graph
    assert graph.nodes["alarm"].join == Join("each")
    assert graph.nodes["report"].join == Join()


@pytest.mark.parametrize("step_type", ["robot", [], None])
def test_an_unknown_step_type_is_refused(step_type: Any) -> None:
    step = Plain()
    step.step_type = step_type  # type: ignore[attr-defined]
    assert "machine" in problems_of(step)["bad_type"].mend


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (5, "no execute method"),
        (lambda context: None, "decorate it with @step"),
        (type("NeedsMore", (BaseMachineStep,), {"__init__": lambda self, more: None}), "object instead of the class"),
    ],
)
def test_what_is_no_step_is_refused(source: Any, reason: str) -> None:
    assert reason in problems_of(source)["not_a_step"].message


def test_what_is_no_step_is_one_problem_not_two() -> None:
    with pytest.raises(InvalidDefinitionError) as caught:
        WorkflowDefinition("test", steps={"a": Plain(), "b": 5}, edges=[("a", "b")])
    assert len(caught.value.problems) == 1


async def test_code_that_is_missing_says_so_when_it_is_called() -> None:
    code = StepCode.missing("review")
    assert code.execute is not None
    with pytest.raises(StepExecutionError, match=r"'review'.*not registered in this process"):
        await code.execute(WorkflowContext.for_testing())


async def test_functions_of_every_kind_can_be_asked() -> None:
    class Callable:
        async def __call__(self, context: WorkflowContext) -> int:
            return int(context.get("value")) + 1

    async def coroutine(context: WorkflowContext, more: int = 2) -> int:
        return int(context.get("value")) + more

    def gives_awaitable(context: WorkflowContext) -> Awaitable[int]:
        return coroutine(context)

    context = WorkflowContext.for_testing({"value": 1})
    assert await ask(Callable(), context) == 2
    assert await ask(partial(coroutine, more=3), context) == 4
    assert await ask(gives_awaitable, context) == 3
    assert await ask(lambda context: context.get("value"), context) == 1
    assert is_coroutine_function(Callable())
    assert not is_coroutine_function(gives_awaitable)
