"""Definitions: edges, ends, conditions, settings, and everything that is refused."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.definition import WorkflowDefinition
from workflows_core.authoring.edge import Edge
from workflows_core.authoring.sources import NotAStepError
from workflows_core.authoring.step import BaseMachineStep
from workflows_core.domain.graph import WorkflowGraph
from workflows_core.domain.problems import Problem
from workflows_core.domain.types import Outcome
from workflows_core.errors import InvalidDefinitionError


class Start(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None: ...


class Middle(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None: ...


class End(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None: ...


def is_large(context: WorkflowContext) -> bool:
    return bool(context.get("amount", 0) > 3)


def define(**arguments: Any) -> WorkflowDefinition:
    arguments = {"steps": [Start, Middle, End], "edges": [(Start, Middle), (Middle, End)], **arguments}
    return WorkflowDefinition(arguments.pop("name", "test"), **arguments)


def problems_of(**arguments: Any) -> dict[str, Problem]:
    with pytest.raises(InvalidDefinitionError) as caught:
        define(**arguments)
    return {problem.code: problem for problem in caught.value.problems if isinstance(problem, Problem)}


# Edges


def test_the_ends_of_an_edge_may_be_names_classes_and_objects() -> None:
    start, middle = Start(), Middle()
    definition = define(
        steps={"one": start, "two": middle, "three": End},
        edges=[(start, "two"), Edge(middle, End), ["one", End]],
    )
    assert [(edge.source, edge.target) for edge in definition.edges] == [
        ("one", "two"),
        ("two", "three"),
        ("one", "three"),
    ]


def test_conditions_in_code_are_kept_by_the_index_of_their_edge() -> None:
    definition = define(edges=[(Start, Middle, is_large), (Start, End, "amount < 4"), (Middle, End)])
    assert definition.conditions == {0: is_large}
    assert [(edge.computed, edge.condition) for edge in definition.edges] == [
        (True, None),
        (False, "amount < 4"),
        (False, None),
    ]


def test_edges_belong_to_an_outcome_and_may_be_the_default() -> None:
    edges = [
        Edge(Start, Middle, "amount > 3"),
        Edge(Start, End, default=True),
        Edge(Middle, End, on="failure"),
        Edge(Middle, End, on=Outcome.SKIPPED),
    ]
    graph = define(edges=edges).graph
    assert [edge.on for edge in graph.edges] == ["success", "success", "failure", "skipped"]
    assert graph.edges[1].default


def test_an_edge_shows_how_it_was_written() -> None:
    assert repr(Edge("a", "b")) == "Edge('a', 'b')"
    assert repr(Edge("a", "b", "x", on="failure", default=True)) == "Edge('a', 'b', 'x', on='failure', default=True)"


@pytest.mark.parametrize(
    ("edges", "code", "message", "mend"),
    [
        ([("start", "mddle"), (Middle, End), (Start, Middle)], "unknown_step", "'mddle'", "did you mean 'middle'?"),
        ([(Start, Middle), (Middle, type("Endd", (Start,), {}))], "unknown_step", "'endd'", "did you mean 'end'?"),
        ([(Start, Middle), (Middle, End), "start->end"], "bad_edge", "'start->end' is no edge", "Edge(source, target)"),
        ([(Start, Middle), (Middle, End), ("start",)], "bad_edge", "('start',)", "(source, target)"),
        ([(Start, Middle), Edge(Middle, End, on="suc_cess")], "bad_outcome", "'suc_cess'", "did you mean 'success'?"),
        ([(Start, Middle), (Middle, End, 5)], "bad_condition", "5", "callable"),
        ([(Start, Middle), (Middle, End, "amount >")], "bad_expression", "amount >", ""),
        ([(Start, Middle), (Middle, End), (Middle, End)], "duplicate_edge", "repeats", "remove"),
        ([(Start, Middle)], "unreachable_step", "", ""),
        ([(Start, Middle), (Middle, End), (End, None)], "unknown_step", "'None'", "remove the edge"),
    ],
)
def test_edges_that_cannot_be_are_refused(edges: Any, code: str, message: str, mend: str) -> None:
    problem = problems_of(edges=edges)[code]
    assert message in problem.message
    assert mend in problem.mend


def test_a_class_that_several_steps_have_is_no_end_of_an_edge() -> None:
    problem = problems_of(steps={"a": Start(), "b": Start()}, edges=[("a", "b"), (Start, "b")])["ambiguous_step"]
    assert problem.message == "it may mean 'a' or 'b'"
    assert problem.where == "edge Start → 'b'"


def test_next_and_edges_exclude_each_other() -> None:
    problem = problems_of(steps=[Start(next="end"), Middle, End])["two_sources"]
    assert problem.where == "step 'start'"


def test_next_leads_to_one_step_or_lets_the_result_choose() -> None:
    steps = [Start(next=Middle), Middle(next=["start", End]), End(next=())]
    definition = define(steps=steps, edges=())
    assert [(edge.source, edge.target, edge.named) for edge in definition.edges] == [
        ("start", "middle", False),
        ("middle", "start", True),
        ("middle", "end", True),
    ]
    assert [definition.code[name].routes for name in ("start", "middle", "end")] == [False, True, False]
    assert definition.graph.back_edges == (1,)


def test_an_unknown_next_is_refused() -> None:
    problems = problems_of(steps=[Start(next="mddle"), Middle(next="end"), End], edges=())
    assert "did you mean 'middle'?" in problems["unknown_step"].mend


def test_failure_edges_leave_next_as_it_is() -> None:
    definition = define(steps=[Start(next="middle"), Middle, End], edges=[Edge(Start, End, on="failure")])
    assert [(edge.target, edge.on) for edge in definition.edges] == [("end", "failure"), ("middle", "success")]


# The workflow as a whole


def test_everything_that_is_wrong_is_listed_at_once() -> None:
    with pytest.raises(InvalidDefinitionError) as caught:
        define(
            version="first",
            steps=[Start, Start(), Middle(join="most"), 7],
            edges=[("start", "nowhere"), ("start",), (Start, Middle)],
            reducers={"total": "plus"},
            state=int,
            input_schema=5,
        )
    text = str(caught.value)
    for part in ("PEP 440", "2 steps have this name", "join is 'most'", "'nowhere'", "'plus'", "int cannot be", "5"):
        assert part in text
    assert pickle.loads(pickle.dumps(caught.value)).problems == caught.value.problems


def test_a_workflow_without_steps_is_refused() -> None:
    assert "no_steps" in problems_of(steps=(), edges=())


def test_the_first_step_is_the_initial_one_unless_another_is_named() -> None:
    assert define().initial_step == "start"
    steps = [Start, Middle, End, Middle(name="leave")]
    loop = [(Start, "middle"), ("middle", End), (End, Start, "again"), Edge(End, "leave", default=True)]
    assert define(steps=steps, edges=loop, initial_step="middle").initial_step == "middle"
    assert define(steps=steps, edges=loop, initial_step=End).initial_step == "end"
    assert "'stert'" in problems_of(initial_step="stert")["unknown_step"].message


def test_terminal_steps_end_their_token() -> None:
    definition = define(terminal_steps={"end"})
    assert definition.graph.nodes["end"].terminal == "branch"
    assert definition.terminal_steps == define().terminal_steps == {"end"}
    assert define(terminal_steps=[End(), End][1:]).graph == definition.graph
    assert define(terminal_steps="end").graph == definition.graph
    assert "'eend' does not exist" in problems_of(terminal_steps=["eend"])["unknown_step"].message


def test_warnings_are_kept_and_do_not_stop_anybody() -> None:
    definition = define(
        terminal_steps=["middle"], edges=[(Start, Middle), (Start, End), Edge(Middle, End, on="failure")]
    )
    assert [problem.code for problem in definition.warnings] == ["terminal_with_edges"]
    assert definition.validate() == list(definition.warnings)
    assert define().validate() == []


def test_the_input_schema_may_be_a_type() -> None:
    class Input(msgspec.Struct):
        amount: int

    schema = define(input_schema=Input).input_schema
    assert schema is not None
    assert schema["required"] == ["amount"]
    assert define(input_schema={"type": "object"}).input_schema == {"type": "object"}


def test_a_typed_state_names_the_data_keys() -> None:
    class State(msgspec.Struct):
        amount: int = 0
        note: str = ""

    @dataclass
    class Same:
        note: str = ""
        amount: int = 0

    definition = define(
        state=State, edges=[(Start, Middle, "amount > 3"), Edge(Start, End, default=True), (Middle, End)]
    )
    assert definition.state_type is State
    assert definition.graph.state_keys == ("amount", "note")
    assert define(state=Same).graph == define(state=State).graph
    problem = problems_of(state=State, edges=[(Start, Middle, "amuont > 3"), (Middle, End)])
    assert any("amuont" in each.message for each in problem.values())


def test_reducers_are_kept() -> None:
    assert define(reducers={"total": "sum"}).graph.reducers == {"total": "sum"}


@pytest.mark.parametrize("version", ["first", "", 1])
def test_a_version_without_an_order_is_refused(version: Any) -> None:
    assert "PEP 440" in problems_of(version=version)["bad_version"].mend


@pytest.mark.parametrize("arguments", [{"description": 5}, {"reducers": {"total": 5}}])
def test_settings_of_the_wrong_type_are_refused(arguments: Any) -> None:
    assert "bad_type" in problems_of(**arguments)


def test_what_json_cannot_hold_is_refused() -> None:
    schema = {"type": "object", "properties": {"x": object()}}
    assert "bad_type" in problems_of(input_schema=schema)


# What a definition gives


def test_a_definition_says_what_it_is() -> None:
    definition = define(description="Tests.")
    assert (definition.name, definition.version, definition.description) == ("test", "1.0.0", "Tests.")
    assert set(definition.steps) == set(definition.code) == {"start", "middle", "end"}
    assert definition.get_graph() is definition.graph
    assert repr(definition) == "<WorkflowDefinition test 1.0.0: 3 steps>"
    assert not hasattr(definition, "__dict__")


def test_the_graph_comes_back_from_json_with_the_same_hash() -> None:
    definition = define(edges=[(Start, Middle, is_large), Edge(Start, End, default=True), (Middle, End)])
    again = WorkflowGraph.from_json(definition.to_json())
    assert again == definition.graph
    assert again.hash == definition.graph.hash


def test_equal_workflows_have_equal_hashes_however_their_values_came_about() -> None:
    explicit = define(
        steps=[Start(queue=str(b"default", "ascii")), Middle(join="auto"), End()], description="", reducers={}
    )
    assert explicit.graph.hash == define().graph.hash


def test_a_definition_is_drawn() -> None:
    definition = define()
    assert definition.to_mermaid(direction="LR").startswith("flowchart LR")
    assert "middle" in definition.to_mermaid_with_state(current_steps=["middle"])
    assert definition.to_graphviz().startswith("digraph")


def test_an_error_about_what_is_no_step_survives_pickling() -> None:
    error = NotAStepError("5", "it has no execute method")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
