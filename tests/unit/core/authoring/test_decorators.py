"""Workflows as classes with decorated methods, and the successors that methods name by what they return."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal

import pytest

from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.decorators import human_task, step, workflow
from workflows_core.authoring.definition import WorkflowDefinition
from workflows_core.authoring.edge import Edge
from workflows_core.authoring.function_text import annotated_constants, is_empty, returned_constants
from workflows_core.authoring.groups import ParallelGroup
from workflows_core.authoring.step import BaseMachineStep
from workflows_core.authoring.workflow import definition_of
from workflows_core.domain.graph import HumanNode
from workflows_core.domain.problems import Problem
from workflows_core.errors import InvalidDefinitionError


def named(definition: WorkflowDefinition) -> dict[str, list[str]]:
    """Successors by step, of the edges that the result chooses."""
    found: dict[str, list[str]] = {}
    for edge in definition.edges:
        if edge.named:
            found.setdefault(edge.source, []).append(edge.target)
    return found


def problems_of(cls: type) -> dict[str, Problem]:
    with pytest.raises(InvalidDefinitionError) as caught:
        definition_of(cls)
    return {problem.code: problem for problem in caught.value.problems if isinstance(problem, Problem)}


# Decorated classes


def test_a_decorated_class_stays_what_it_is() -> None:
    @workflow
    class ReviewWorkflow:
        """Reviews a document.

        In detail.
        """

        answer = 42

        @step
        def only(self, context: WorkflowContext) -> int:
            return self.answer

    assert ReviewWorkflow().only(WorkflowContext.for_testing()) == 42
    assert ReviewWorkflow.__mro__ == (ReviewWorkflow, object)
    assert (ReviewWorkflow.__workflow_name__, ReviewWorkflow.__workflow_version__) == ("review", "1.0.0")  # type: ignore[attr-defined]
    definition = ReviewWorkflow.get_definition()  # type: ignore[attr-defined]
    assert (definition.name, definition.version, definition.description) == ("review", "1.0.0", "Reviews a document.")
    assert definition is ReviewWorkflow.get_definition()  # type: ignore[attr-defined]


def test_methods_are_bound_to_one_object_that_is_made_once() -> None:
    made: list[object] = []

    @workflow
    class Shared:
        def __init__(self) -> None:
            made.append(self)

        @step(next="b")
        def a(self, context: WorkflowContext) -> object:
            return self

        @step
        def b(self, context: WorkflowContext) -> object:
            return self

    code = definition_of(Shared).code
    context = WorkflowContext.for_testing()
    assert code["a"].execute is not None
    assert code["b"].execute is not None
    assert code["a"].execute(context) is code["b"].execute(context) is made[-1]


def test_static_and_class_methods_are_steps_too() -> None:
    @workflow
    class Static:
        prefix = "class"

        @staticmethod
        @step(next="outer")
        def inner(context: WorkflowContext) -> str:
            return f"static {context.get('x')}"

        @step(next="of_class")
        @staticmethod
        def outer(context: WorkflowContext) -> str:
            return f"also {context.get('x')}"

        @classmethod
        @step
        async def of_class(cls, context: WorkflowContext) -> str:
            return f"{cls.prefix} {context.get('x')}"

    code = definition_of(Static).code
    context = WorkflowContext.for_testing({"x": 1})
    assert code["inner"].execute is not None
    assert code["outer"].execute is not None
    assert code["inner"].execute(context) == "static 1"
    assert code["outer"].execute(context) == "also 1"
    assert code["of_class"].is_async


def test_methods_steps_groups_and_classes_mix_and_groups_bind_methods() -> None:
    @workflow(edges=[("begin", "both"), ("both", "close")])
    class Mixed:
        prefix = "mixed"

        @step
        async def begin(self, context: WorkflowContext) -> None: ...

        @step
        async def left(self, context: WorkflowContext) -> str:
            return self.prefix

        @step
        async def right(self, context: WorkflowContext) -> None: ...

        both = ParallelGroup(left, right)

        class Close(BaseMachineStep):
            async def execute(self, context: WorkflowContext) -> None: ...

    definition = definition_of(Mixed)
    assert {node.name: node.scope for node in definition.graph.nodes.values()} == {
        "begin": "",
        "both": "",
        "left": "both",
        "right": "both",
        "close": "",
    }
    assert definition.initial_step == "begin"


async def test_a_method_in_a_group_is_bound() -> None:
    @workflow
    class Grouped:
        prefix = "grouped"

        @step
        async def left(self, context: WorkflowContext) -> str:
            return self.prefix

        both = ParallelGroup(left)

    execute = definition_of(Grouped).code["left"].execute
    assert execute is not None
    assert await execute(WorkflowContext.for_testing()) == "grouped"


def test_settings_of_the_decorators_reach_the_graph() -> None:
    @workflow(
        name="given",
        version="2.0.0",
        description="Given.",
        initial="second",
        reducers={"total": "sum"},
        input_schema={"type": "object"},
    )
    class Anything:
        @step(name="first", description="One.", queue="slow", join="any", terminal="instance")
        async def one(self, context: WorkflowContext) -> None: ...

        @human_task(
            title="Two",
            name="second",
            description="Decide.",
            form_schema={"type": "object"},
            assignee="ann",
            candidate_users=["bob"],
            candidate_groups=["all"],
            due=timedelta(hours=2),
            reminder=timedelta(hours=1),
            priority=10,
            into="decision",
            next="first",
            queue="people",
        )
        async def two(self, context: WorkflowContext) -> None:
            """Not what the assignee reads."""

    graph = definition_of(Anything).graph
    first, second = graph.nodes["first"], graph.nodes["second"]
    assert (graph.name, graph.version, graph.description, graph.initial) == ("given", "2.0.0", "Given.", "second")
    assert (graph.reducers, graph.input_schema) == ({"total": "sum"}, {"type": "object"})
    assert (first.description, first.queue, first.join.kind, first.terminal) == ("One.", "slow", "any", "instance")
    assert (second.queue, second.description) == ("people", "Decide.")
    assert second.kind == HumanNode(
        title="Two",
        description="Decide.",
        form_schema={"type": "object"},
        assignee="ann",
        candidate_users=("bob",),
        candidate_groups=("all",),
        due_s=7200.0,
        reminder_s=3600.0,
        priority=10,
        into="decision",
    )


def test_a_human_task_without_arguments_and_body_has_no_handler() -> None:
    @workflow
    class Ask:
        @human_task
        async def ask(self, context: WorkflowContext) -> None:
            """Asks somebody."""

    node = definition_of(Ask).graph.nodes["ask"]
    assert node.kind == HumanNode()
    assert node.description == "Asks somebody."


def test_edges_may_be_an_attribute_of_the_class_and_name_methods() -> None:
    @workflow
    class Edged:
        @step
        def a(self, context: WorkflowContext) -> str:
            return "not a step"

        @step
        def b(self, context: WorkflowContext) -> str:
            return "nor this"

        edges = [Edge(a, b)]

    definition = definition_of(Edged)
    assert [(edge.source, edge.target, edge.named) for edge in definition.edges] == [("a", "b", False)]
    assert not definition.code["a"].routes


def test_a_subclass_replaces_and_removes_steps() -> None:
    @workflow(edges=[("a", "b")])
    class Base:
        @step
        def a(self, context: WorkflowContext) -> None: ...

        @step
        def b(self, context: WorkflowContext) -> None: ...

    @workflow(name="derived", edges=[])
    class Derived(Base):
        b = None  # type: ignore[assignment]

        @step(queue="other")
        def a(self, context: WorkflowContext) -> None: ...

    assert list(definition_of(Base).graph.nodes) == ["a", "b"]
    graph = definition_of(Derived).graph
    assert (graph.name, list(graph.nodes), graph.nodes["a"].queue) == ("derived", ["a"], "other")


def test_two_initial_steps_are_refused() -> None:
    @workflow
    class Twice:
        @step(initial=True, next="b")
        def a(self, context: WorkflowContext) -> None: ...

        @step(initial=True)
        def b(self, context: WorkflowContext) -> None: ...

    assert "Twice.a" in problems_of(Twice)["several_initial"].message


def test_an_initial_step_need_not_be_the_first() -> None:
    @workflow
    class Later:
        @step
        def last(self, context: WorkflowContext) -> None: ...

        @step(initial=True, next="last")
        def first(self, context: WorkflowContext) -> None: ...

    assert definition_of(Later).initial_step == "first"


def test_a_class_that_cannot_be_made_without_arguments_is_refused() -> None:
    @workflow
    class Demanding:
        def __init__(self, more: int) -> None: ...

        @step
        def a(self, context: WorkflowContext) -> None: ...

    assert "no required arguments" in problems_of(Demanding)["not_constructible"].mend


def test_a_function_is_a_step_without_a_class() -> None:
    @step(next="second")
    async def first(context: WorkflowContext) -> int:
        return 1

    @human_task(title="Second")
    async def second(context: WorkflowContext) -> None: ...

    definition = WorkflowDefinition("test", steps=[first, second])
    assert [(edge.source, edge.target) for edge in definition.edges] == [("first", "second")]
    assert definition.code["first"].execute is first
    assert definition.code["first"].is_async


# Named successors


def test_constants_of_return_statements_are_successors() -> None:
    @workflow
    class Routes:
        @step
        def decide(self, context: WorkflowContext) -> str | list[str]:
            def inner() -> str:
                return "not mine"

            if context.get("both"):
                return ["left", "right"]
            for _ in range(3):
                try:
                    return "left" if inner() else "right"
                except ValueError:
                    return "failed"
            match context.get("x"):
                case 1:
                    return "left"
                case _:
                    return inner()

        @step
        def left(self, context: WorkflowContext) -> None: ...

        @step
        def right(self, context: WorkflowContext) -> None: ...

        @step
        def failed(self, context: WorkflowContext) -> None: ...

    definition = definition_of(Routes)
    assert named(definition) == {"decide": ["left", "right", "failed"]}
    assert definition.code["decide"].routes


def test_a_literal_annotation_wins_over_the_text() -> None:
    @workflow
    class Typed:
        @step
        def decide(self, context: WorkflowContext) -> Literal["left", "right"]:
            return "left"

        @step
        def left(self, context: WorkflowContext) -> list[Literal["right"]] | None:
            return None

        @step
        def right(self, context: WorkflowContext) -> None: ...

    assert named(definition_of(Typed)) == {"decide": ["left", "right"], "left": ["right"]}


def test_next_wins_over_everything() -> None:
    @workflow
    class Declared:
        @step(next=["right"])
        def decide(self, context: WorkflowContext) -> Literal["left", "right"]:
            return "left"

        @step(next=())
        def right(self, context: WorkflowContext) -> str:
            return "decide"

    assert named(definition_of(Declared)) == {"decide": ["right"]}


def test_a_returned_text_that_is_no_step_is_refused_with_both_mends() -> None:
    @workflow
    class Wrong:
        @step
        def decide(self, context: WorkflowContext) -> str:
            return "rihgt"

        @step
        def right(self, context: WorkflowContext) -> str:
            return "all done"

    with pytest.raises(InvalidDefinitionError) as caught:
        definition_of(Wrong)
    text = str(caught.value)
    assert "it returns 'rihgt', which is no step; did you mean 'right'?" in text
    assert "next=() if the text is a result" in text


def test_a_step_with_edges_and_a_terminal_step_return_what_they_like() -> None:
    @workflow(edges=[("a", "b")])
    class Free:
        @step
        def a(self, context: WorkflowContext) -> str:
            return "some result"

        @step(terminal=True)
        def b(self, context: WorkflowContext) -> str:
            return "the end"

    assert named(definition_of(Free)) == {}


def test_among_edges_a_text_is_a_result_unless_another_one_is_a_step() -> None:
    @workflow(edges=[("a", "b")])
    class Mixed:
        @step
        def a(self, context: WorkflowContext) -> None: ...

        @step
        def b(self, context: WorkflowContext) -> str:
            return "a" if context.get("again") else "enough"

    assert "'enough'" in problems_of(Mixed)["unknown_step"].message


def compiled_without_source(text: str, **names: Any) -> Callable[..., Any]:
    namespace: dict[str, Any] = {"WorkflowContext": WorkflowContext, **names}
    exec(compile(text, "<nowhere>", "exec"), namespace)
    return namespace["f"]  # type: ignore[no-any-return]


def test_without_source_next_is_asked_for() -> None:
    function = compiled_without_source("def f(context):\n    return 'f'")
    with pytest.raises(InvalidDefinitionError, match=r"source cannot be read.*next="):
        WorkflowDefinition("test", steps=[step(function)])
    assert WorkflowDefinition("test", steps=[step(next=())(function)]).edges == ()


def test_without_source_an_annotation_is_enough() -> None:
    silent = compiled_without_source("def f(context) -> None:\n    pass")
    assert WorkflowDefinition("test", steps=[step(silent)]).edges == ()
    literal = compiled_without_source("def f(context) -> Literal['f', 'g']:\n    return 'f'", Literal=Literal)

    @step
    def g(context: WorkflowContext) -> None: ...

    assert named(WorkflowDefinition("test", steps=[step(literal), g])) == {"f": ["f", "g"]}


def test_without_source_a_human_task_is_taken_to_have_a_handler() -> None:
    function = compiled_without_source("def f(context) -> None: ...")
    kind = WorkflowDefinition("test", steps=[human_task(title="Ask")(function)]).graph.nodes["f"].kind
    assert isinstance(kind, HumanNode)
    assert kind.handler


def test_successors_without_code_that_chooses_are_refused() -> None:
    @workflow
    class Undecided:
        @human_task(title="Ask")
        def ask(self, context: WorkflowContext) -> Literal["yes", "no"]: ...  # type: ignore[empty-body]

        @step
        def yes(self, context: WorkflowContext) -> None: ...

        @step
        def no(self, context: WorkflowContext) -> None: ...

    assert "no code that chooses" in problems_of(Undecided)["never_chosen"].message


def test_the_text_of_a_wrapped_function_is_read() -> None:
    def logged(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*arguments: Any) -> Any:
            return function(*arguments)

        return wrapper

    @logged
    def decide(context: WorkflowContext) -> str:
        return "left"

    assert returned_constants(decide) == ("left",)


def test_a_lambda_and_a_broken_annotation_tell_nothing() -> None:
    def odd(context: WorkflowContext) -> Missing:  # type: ignore[name-defined]  # noqa: F821
        return "left"

    assert annotated_constants(odd) == ()
    assert returned_constants(odd) == ("left",)
    assert not is_empty(lambda context: None)


def test_a_body_with_anything_in_it_is_not_empty() -> None:
    def empty() -> None:
        """Only a docstring."""

    def dots() -> None: ...

    def passing() -> None:
        pass

    def busy() -> None:
        return None

    assert [is_empty(function) for function in (empty, dots, passing, busy)] == [True, True, True, False]
