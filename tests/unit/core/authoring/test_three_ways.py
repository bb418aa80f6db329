"""Classes, decorators and data describe the same workflow: one graph, one hash."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from workflows_core.authoring.catalogue import StepCatalogue
from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.decorators import human_task, step, workflow
from workflows_core.authoring.definition import WorkflowDefinition
from workflows_core.authoring.documents import definition_from_document
from workflows_core.authoring.edge import Edge
from workflows_core.authoring.gateway import ExclusiveGateway
from workflows_core.authoring.groups import ParallelGroup
from workflows_core.authoring.human import BaseHumanStep
from workflows_core.authoring.step import BaseMachineStep
from workflows_core.authoring.timer import DelayStep
from workflows_core.authoring.webhook import WebhookStep
from workflows_core.authoring.workflow import Workflow

catalogue = StepCatalogue()


@catalogue.step("record")
class Record(BaseMachineStep):
    """Writes the expense down."""

    def __init__(self, table: str = "expenses") -> None:
        super().__init__()
        self.table = table

    async def execute(self, context: WorkflowContext) -> str:
        return self.table


@catalogue.step("notify")
async def notify(context: WorkflowContext, channel: str) -> str:
    return channel


FORM = {"type": "object", "properties": {"approved": {"type": "boolean"}}, "required": ["approved"]}


def expense_in_classes() -> WorkflowDefinition:
    class Expense(Workflow):
        """Reimburses an expense."""

        __workflow_version__ = "1.2.0"
        __reducers__ = {"notes": "append"}

        submit = catalogue.create("record", {"table": "claims"})
        check = ExclusiveGateway()

        class Review(BaseHumanStep):
            title = "Review {amount}"
            form_schema = FORM
            candidate_groups = ("managers",)
            due = timedelta(days=2)

        payment = WebhookStep(into="payment")
        tell = ParallelGroup(
            catalogue.create("notify", {"channel": "mail"}, name="mail"),
            catalogue.create("notify", {"channel": "chat"}, name="chat"),
            name="tell",
        )
        cool_down = DelayStep(seconds=30)
        alarm = catalogue.create("notify", {"channel": "pager"}, queue="urgent")

        __edges__ = [
            (submit, "check"),
            ("check", Review, "amount > 100"),
            Edge(check, "payment", default=True),
            (Review, payment, "approved"),
            Edge(Review, cool_down, default=True),
            (payment, tell),
            Edge("payment", "alarm", on="failure"),
            ("cool_down", submit),
        ]

    return Expense.get_definition()


def expense_in_decorators() -> WorkflowDefinition:
    @workflow(
        name="expense",
        version="1.2.0",
        reducers={"notes": "append"},
        edges=[
            ("submit", "check"),
            ("check", "review", "amount > 100"),
            Edge("check", "payment", default=True),
            ("review", "payment", "approved"),
            Edge("review", "cool_down", default=True),
            ("payment", "tell"),
            Edge("payment", "alarm", on="failure"),
            ("cool_down", "submit"),
        ],
    )
    class AnyName:
        """Reimburses an expense."""

        submit = catalogue.create("record", {"table": "claims"})
        check = ExclusiveGateway()

        @human_task(title="Review {amount}", form_schema=FORM, candidate_groups=["managers"], due=timedelta(days=2))
        async def review(self, context: WorkflowContext) -> None: ...

        payment = WebhookStep(into="payment")
        tell = ParallelGroup(
            catalogue.create("notify", {"channel": "mail"}, name="mail"),
            catalogue.create("notify", {"channel": "chat"}, name="chat"),
        )
        cool_down = DelayStep(duration=timedelta(seconds=30))
        alarm = catalogue.create("notify", {"channel": "pager"}, queue="urgent")

    return AnyName.get_definition()  # type: ignore[attr-defined,no-any-return]


DOCUMENT: dict[str, Any] = {
    "name": "expense",
    "version": "1.2.0",
    "description": "Reimburses an expense.",
    "reducers": {"notes": "append"},
    "steps": [
        {"type": "machine", "name": "submit", "catalogue": "record", "config": {"table": "claims"}},
        {"type": "gateway", "name": "check"},
        {
            "type": "human",
            "name": "review",
            "title": "Review {amount}",
            "form_schema": FORM,
            "candidate_groups": ["managers"],
            "due_s": 172800,
        },
        {"type": "webhook", "name": "payment", "into": "payment"},
        {
            "type": "parallel",
            "name": "tell",
            "steps": [
                {"type": "machine", "name": "mail", "catalogue": "notify", "config": {"channel": "mail"}},
                {"type": "machine", "name": "chat", "catalogue": "notify", "config": {"channel": "chat"}},
            ],
        },
        {"type": "timer", "name": "cool_down", "delay_s": 30},
        {
            "type": "machine",
            "name": "alarm",
            "catalogue": "notify",
            "config": {"channel": "pager"},
            "queue": "urgent",
        },
    ],
    "edges": [
        {"source": "submit", "target": "check"},
        {"source": "check", "target": "review", "condition": "amount > 100"},
        {"source": "check", "target": "payment", "default": True},
        {"source": "review", "target": "payment", "condition": "approved"},
        {"source": "review", "target": "cool_down", "default": True},
        {"source": "payment", "target": "tell"},
        {"source": "payment", "target": "alarm", "on": "failure"},
        {"source": "cool_down", "target": "submit"},
    ],
    "initial": "submit",
}


def expense_in_data() -> WorkflowDefinition:
    return definition_from_document(DOCUMENT, catalogue)


def test_classes_decorators_and_data_compile_to_the_same_graph() -> None:
    classes, decorators, data = expense_in_classes(), expense_in_decorators(), expense_in_data()
    assert classes.graph == decorators.graph == data.graph
    assert classes.graph.hash == decorators.graph.hash == data.graph.hash


def test_the_common_graph_has_its_loop_and_its_defaults() -> None:
    graph = expense_in_data().graph
    assert [graph.edges[index].source for index in graph.back_edges] == ["cool_down"]
    assert graph.nodes["alarm"].join.kind == "each"
    assert graph.terminal_steps == ("tell", "alarm")


@pytest.mark.parametrize("write", [expense_in_classes, expense_in_decorators, expense_in_data])
def test_every_way_exports_to_the_document_that_makes_it_again(write: Any) -> None:
    definition = write()
    document = definition.to_document()
    assert definition_from_document(document, catalogue).graph.hash == definition.graph.hash
    assert definition_from_document(document, catalogue).to_document() == document


class Order(Workflow):
    class Pack(BaseMachineStep):
        description = "Packs it."
        next = "ship"

        async def execute(self, context: WorkflowContext) -> None: ...

    class Ship(BaseMachineStep):
        next = ("done", "returned")

        def execute(self, context: WorkflowContext) -> str:
            return "done"

    class Done(BaseMachineStep):
        def execute(self, context: WorkflowContext) -> None: ...

    class Returned(BaseMachineStep):
        terminal = "instance"

        def execute(self, context: WorkflowContext) -> None: ...


@workflow
class OrderWorkflow:
    @step(next="ship")
    async def pack(self, context: WorkflowContext) -> None:
        """Packs it."""

    @step
    def ship(self, context: WorkflowContext) -> str:
        return "returned" if context.get("refused") is None else "done"

    @step
    def done(self, context: WorkflowContext) -> None: ...

    @step(terminal="instance")
    def returned(self, context: WorkflowContext) -> None: ...


@step(next="ship")
async def pack(context: WorkflowContext) -> None:
    """Packs it."""


@step(next=["done", "returned"])
def ship(context: WorkflowContext) -> str:
    return "done"


@step
def done(context: WorkflowContext) -> None: ...


@step(terminal="instance")
def returned(context: WorkflowContext) -> None: ...


def test_classes_and_decorated_methods_and_functions_in_code_compile_to_the_same_graph() -> None:
    functions = WorkflowDefinition("order", steps=[pack, ship, done, returned])
    decorated = OrderWorkflow.get_definition()  # type: ignore[attr-defined]
    assert Order.get_definition().graph == functions.graph
    edges = {(edge.source, edge.target, edge.named) for edge in functions.edges}
    assert {(edge.source, edge.target, edge.named) for edge in decorated.edges} == edges
    assert decorated.graph.nodes == functions.graph.nodes
