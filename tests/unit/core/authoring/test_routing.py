"""In which queue the work of a step is, and how urgent it is."""

from __future__ import annotations

from typing import Any

import pytest

from workflows_core import (
    BaseHumanStep,
    BaseMachineStep,
    InvalidDefinitionError,
    SequentialGroup,
    Workflow,
    WorkflowContext,
    WorkflowDefinition,
    step,
    workflow,
)


class Send(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None: ...


def test_a_step_is_in_the_queue_of_its_workflow_unless_it_names_one() -> None:
    class Mailing(Workflow):
        __queue__ = "mail"

        first = Send()
        second = Send(queue="bulk", priority=-5)
        third = Send(queue="default")
        group = SequentialGroup(Send(name="inner"))

        __edges__ = [(first, second), (second, third), (third, group)]

    nodes = Mailing.get_definition().graph.nodes
    queues = {name: node.queue for name, node in nodes.items()}
    assert queues == {"first": "mail", "second": "bulk", "third": "default", "group": "mail", "inner": "mail"}
    assert (nodes["first"].priority, nodes["second"].priority) == (None, -5)


def test_a_decorated_class_says_the_same() -> None:
    @workflow(queue="mail", priority=7)
    class Mailing:
        @step(priority=9)
        async def send(self, context: WorkflowContext) -> None: ...

    graph = Mailing.get_definition().graph  # type: ignore[attr-defined]
    assert (graph.queue, graph.priority) == ("mail", 7)
    assert (graph.nodes["send"].queue, graph.nodes["send"].priority) == ("mail", 9)


def test_the_priority_of_a_human_step_is_that_of_its_task() -> None:
    node = WorkflowDefinition("test", steps=[BaseHumanStep(name="ask", priority=80)]).graph.nodes["ask"]
    assert (node.priority, getattr(node.kind, "priority", None)) == (None, 80)


def test_what_says_nothing_of_it_has_the_content_that_it_always_had() -> None:
    document = WorkflowDefinition("test", steps=[Send(name="send")]).to_json()
    assert "queue" not in document
    assert "priority" not in document


@pytest.mark.parametrize(
    ("options", "attributes", "message"),
    [
        ({"priority": 10**9}, {}, "bad_priority|its priority is"),
        ({"priority": "high"}, {}, "its priority is 'high'"),
        ({"queue": 7}, {}, "its queue is 7"),
        ({}, {"priority": -(10**9)}, "its priority is"),
        ({}, {"priority": True}, "priority is True"),
    ],
)
def test_what_is_no_priority_and_no_queue_is_refused(options: Any, attributes: Any, message: str) -> None:
    with pytest.raises(InvalidDefinitionError, match=message):
        WorkflowDefinition("test", steps=[Send(name="send", **attributes)], **options)
