"""Workflows as subclasses of Workflow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.decorators import step
from workflows_core.authoring.edge import Edge
from workflows_core.authoring.groups import SequentialGroup
from workflows_core.authoring.step import BaseMachineStep
from workflows_core.authoring.workflow import Workflow, definition_of
from workflows_core.errors import InvalidDefinitionError


class Expense(msgspec.Struct):
    amount: int = 0


class Work(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None: ...


class Plain:
    name = "plain"

    async def execute(self, context: WorkflowContext) -> None: ...


def test_steps_stand_in_the_body_in_the_order_of_the_text() -> None:
    class OrderWorkflow(Workflow):
        """Handles an order.

        Slowly.
        """

        class Receive(BaseMachineStep):
            async def execute(self, context: WorkflowContext) -> None: ...

        pack = Work()
        other = Plain()

        @step
        async def ship(self, context: WorkflowContext) -> None: ...

        not_a_step = 5

        class _Shared(Work):
            pass

        __edges__ = [(Receive, pack), (pack, other), (other, ship)]

    definition = OrderWorkflow.get_definition()
    assert list(definition.graph.nodes) == ["receive", "pack", "plain", "ship"]
    assert (definition.name, definition.version, definition.description) == ("order", "1.0.0", "Handles an order.")
    assert definition.initial_step == "receive"
    assert OrderWorkflow.get_definition() is definition


def test_steps_may_be_listed_instead() -> None:
    class Listed(Workflow):
        ignored = Work()
        __workflow_name__ = "listed"
        __workflow_version__ = "3.1"
        __description__ = "By list."
        __steps__ = [Work(name="a"), Work(name="b"), Work(name="c"), Work(name="d")]
        __edges__ = [("a", "b"), ("b", "c"), Edge("c", "a", "again"), Edge("c", "d", default=True)]
        __initial__ = "b"
        __terminal__ = ()
        __reducers__ = {"total": "sum"}
        __input_schema__ = {"type": "object"}

    graph = Listed.get_definition().graph
    assert list(graph.nodes) == ["a", "b", "c", "d"]
    assert (graph.version, graph.description, graph.initial) == ("3.1", "By list.", "b")
    assert (graph.reducers, graph.input_schema) == ({"total": "sum"}, {"type": "object"})


def test_a_subclass_has_a_definition_of_its_own() -> None:
    class First(Workflow):
        work = Work()

    class Second(First):
        __workflow_name__ = "second_one"

    assert (First.get_definition().name, Second.get_definition().name) == ("first", "second_one")


def test_the_state_is_a_parameter_or_an_attribute() -> None:
    class ByParameter(Workflow[Expense]):
        work = Work()

    class Inherited(ByParameter):
        pass

    @dataclass
    class Other:
        note: str = ""

    class ByAttribute(Workflow):
        __state__ = Other
        work = Work()

    class Untyped(Workflow[Any]):
        work = Work()

    class UntypedToo(Workflow[dict[str, Any]]):
        work = Work()

    assert ByParameter.get_definition().state_type is Expense
    assert Inherited.get_definition().state_type is Expense
    assert ByAttribute.get_definition().state_type is Other
    assert Untyped.get_definition().state_type is None
    assert UntypedToo.get_definition().state_type is None


def test_a_wrong_state_is_refused() -> None:
    class Wrong(Workflow[int]):
        work = Work()

    with pytest.raises(InvalidDefinitionError, match="int cannot be the state"):
        Wrong.get_definition()


def test_a_class_without_methods_is_never_made() -> None:
    class Unmakeable(Workflow):
        def __init__(self) -> None:
            raise AssertionError

        work = Work()

    assert Unmakeable.get_definition().initial_step == "work"


def test_members_of_groups_belong_to_the_group() -> None:
    class Grouped(Workflow):
        first = Work()
        second = Work()
        inner = SequentialGroup(second)
        all = SequentialGroup(first, inner)

    nodes = Grouped.get_definition().graph.nodes
    assert {node.name: node.scope for node in nodes.values()} == {
        "all": "",
        "first": "all",
        "inner": "all",
        "second": "inner",
    }


def test_what_is_no_workflow_is_refused() -> None:
    for wrong in (5, Work):
        with pytest.raises(TypeError, match="is no workflow"):
            definition_of(wrong)  # type: ignore[arg-type]
