"""Instances that begin later, and the priority that their work has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.core.kernel.flows import flow
from tests.unit.core.kernel.play import EPOCH, Play, kinds_of

from workflows_core.domain.actor import Actor
from workflows_core.domain.commands import Cancel, ReceiveSignal, Retry
from workflows_core.domain.graph import GatewayNode, HumanNode, SignalNode, TimerNode, WorkflowGraph
from workflows_core.domain.types import StepStatus, WorkflowStatus

LATER = {"delay_s": 60.0}


def prioritized(graph: WorkflowGraph, priority: int = 0, **steps: int) -> WorkflowGraph:
    nodes = {name: replace(node, priority=steps[name]) if name in steps else node for name, node in graph.nodes.items()}
    return replace(graph, nodes=nodes, priority=priority)


@pytest.mark.parametrize(
    "first", [None, HumanNode(), TimerNode(5.0), GatewayNode(), SignalNode("go")], ids=lambda kind: type(kind).__name__
)
def test_a_delayed_instance_is_pending_until_its_moment_whatever_it_begins_with(first: Any) -> None:
    kinds = {} if first is None else {"first": first}
    play = Play(flow("first -> second", **kinds), LATER)
    (item,) = play.work.values()
    assert (play.status, item.kind, item.step, item.delay_s) == (WorkflowStatus.PENDING, "enter", "first", 60.0)
    assert not play.tasks
    play.enter("first")
    assert play.status is not WorkflowStatus.PENDING


def test_the_moment_of_the_beginning_wins_over_a_delay() -> None:
    moment = EPOCH + timedelta(days=1)
    (item,) = Play(flow("first"), {"begin_at": moment}).work.values()
    assert item.due_at == moment


def test_a_step_counts_from_the_beginning_of_the_instance() -> None:
    play = Play(flow("first", timeouts={"first": 9.0}), LATER)
    (item,) = play.work.values()
    assert item.timeout_s is None
    play.enter("first")
    (item,) = play.work.values()
    assert (item.kind, item.timeout_s, item.delay_s) == ("run", 9.0, 0.0)
    play.run("first")
    assert play.executions[0].started_at == EPOCH + timedelta(seconds=1)
    assert play.executions[0].visit == 1


def test_a_first_step_that_a_loop_leads_back_to_is_entered_too() -> None:
    play = Play(flow("first -> second", "second -> first : if again"), LATER, again=False).enter("first")
    assert kinds_of(play.now_due) == ["run first"]


def test_a_deadline_counts_from_the_beginning() -> None:
    graph = flow("first", deadline_s=100.0)
    assert Play(graph, LATER).work[0].delay_s == 160.0
    moment = datetime(2030, 1, 1, tzinfo=UTC)
    assert Play(graph, {"begin_at": moment}).work[0].due_at == moment + timedelta(seconds=100)
    last = datetime.max.replace(tzinfo=UTC)
    assert Play(graph, {"begin_at": last}).work[0].due_at == last


def test_a_delayed_instance_can_be_cancelled_and_leaves_no_trace_of_a_step() -> None:
    play = Play(flow("first -> second", undo="first"), LATER).apply(Cancel(actor=Actor("ann"), now=EPOCH))
    assert play.status is WorkflowStatus.CANCELED
    assert not play.executions


def test_a_signal_that_comes_before_the_beginning_is_kept() -> None:
    play = Play(flow("first -> second", first=SignalNode("go")), LATER)
    play.apply(ReceiveSignal(name="go", payload=b"1", now=EPOCH))
    assert play.status is WorkflowStatus.PENDING
    assert kinds_of(play.enter("first").now_due) == ["run second"]


def test_a_delayed_instance_that_fails_at_its_deadline_can_be_retried() -> None:
    play = Play(flow("first", deadline_s=1.0), LATER).meet_deadline()
    assert play.status is WorkflowStatus.FAILED
    play.apply(Retry(actor=Actor("ann"), now=EPOCH))
    assert kinds_of(play.now_due) == ["run first"]


def test_work_has_the_priority_of_its_step_else_of_the_start_else_of_the_workflow() -> None:
    graph = prioritized(flow("first -> second third", deadline_s=9.0), 3, second=8)
    play = Play(graph)
    assert [item.priority for item in play.work.values()] == [3, 3]
    play = Play(graph, {"priority": -1}).run("first")
    assert {item.step: item.priority for item in play.work.values()} == {"": -1, "second": 8, "third": -1}
    assert play.state.priority == -1


def test_a_step_may_say_that_it_is_usual() -> None:
    play = Play(prioritized(flow("first"), 3, first=0))
    assert [item.priority for item in play.work.values()] == [0]


def test_the_deadline_is_in_the_queue_of_the_workflow_else_of_the_first_step() -> None:
    graph = flow("first", deadline_s=9.0)
    graph = replace(graph, nodes={"first": replace(graph.nodes["first"], queue="mail")})
    assert Play(graph).work[0].queue == "mail"
    assert Play(replace(graph, queue="slow")).work[0].queue == "slow"


def test_what_waits_at_a_join_is_not_pending_for_the_instance() -> None:
    play = Play(flow("first -> a b", "a b -> end")).run("first").run("a")
    assert play.status is WorkflowStatus.RUNNING
    assert [token.status for _, token in play.places("end")] == [StepStatus.PENDING]
