"""Commands: what is late, doubled or out of place is refused and changes nothing; the rest is pure."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.unit.core.kernel.flows import flow
from tests.unit.core.kernel.play import EPOCH, Play, make_program

from workflows_core.domain.actor import Actor
from workflows_core.domain.commands import Cancel, CompleteStep, FailStep, Place, ReassignTask, Start
from workflows_core.domain.events import StepCanceled, WorkflowCanceled
from workflows_core.domain.graph import Edge, GroupNode, HumanNode, MachineNode, Node, TimerNode, WorkflowGraph
from workflows_core.domain.kernel import decide, initial_state
from workflows_core.domain.state import ErrorInfo
from workflows_core.domain.types import Outcome, WorkflowStatus
from workflows_core.errors import InstanceFinishedError, InvalidDefinitionError, StaleExecutionError


def test_a_transition_says_who_asked_and_which_revision_it_was_decided_on() -> None:
    play = Play(flow("a -> b")).run("a")
    assert play.last.actor == "tester"
    assert (play.last.base_revision, play.last.state.revision) == (1, 2)


def test_a_result_is_taken_once() -> None:
    play = Play(flow("a -> b"))
    place = play.place("a")
    play.run("a")
    for command in (
        CompleteStep(place=place, now=EPOCH),
        FailStep(place=place, now=EPOCH, error=ErrorInfo("E", "late")),
    ):
        with pytest.raises(StaleExecutionError):
            play.apply(command)
    assert play.at == "b"


@pytest.mark.parametrize("place", [Place(0, 1, 99), Place(0, 99, 2), Place(7, 1, 2)])
def test_a_place_that_is_not_active_is_refused(place: Place) -> None:
    play = Play(flow("a -> b"))
    with pytest.raises(StaleExecutionError):
        play.apply(CompleteStep(place=place, now=EPOCH))


def test_an_execution_that_was_cancelled_gets_no_result() -> None:
    play = Play(flow("start -> a b", "a b -> end", joins={"end": "any"})).run("start")
    place = play.place("a")
    play.run("b")
    with pytest.raises(StaleExecutionError):
        play.apply(CompleteStep(place=place, now=EPOCH))


@pytest.mark.parametrize("over", [lambda play: play.run("a"), lambda play: play.fail("a"), lambda play: play.cancel()])
def test_nothing_can_be_asked_of_an_instance_that_is_over(over: Callable[[Play], Play]) -> None:
    play = Play(flow("a"))
    place = play.place("a")
    over(play)
    for command in (CompleteStep(place=place, now=EPOCH), Cancel(actor=Actor("x"), now=EPOCH)):
        with pytest.raises(InstanceFinishedError):
            play.apply(command)


def test_a_command_for_another_kind_of_work_is_refused() -> None:
    graph = flow("start -> code wait ask", "code -> x: computed", wait=TimerNode(5), ask=HumanNode(computed=True))
    play = Play(graph).run("start")
    wrong: list[Callable[[], Play]] = [
        lambda: play.fire("code"), lambda: play.route("code"), lambda: play.prepare("code"), lambda: play.enter("code"),
        lambda: play.run("wait"), lambda: play.prepare("wait"), lambda: play.enter("wait"), lambda: play.fire("ask"),
    ]  # fmt: skip
    for ask in wrong:
        with pytest.raises(StaleExecutionError):
            ask()
    play.finish("code")
    for ask in (lambda: play.run("code"), lambda: play.fire("code")):
        with pytest.raises(StaleExecutionError):
            ask()
    play.prepare("ask")
    with pytest.raises(StaleExecutionError):
        play.prepare("ask")
    assert play.at == "ask code wait"


def test_a_guard_may_skip_a_step_that_code_was_to_prepare() -> None:
    graph = flow("ask -> end", "ask -> other: on skipped", ask=HumanNode(computed=True))
    assert Play(graph).skip("ask").at == "other"


def test_preparing_that_fails_fails_the_step() -> None:
    graph = flow("ask -> end", "ask -> mend: on failure", ask=HumanNode(computed=True))
    assert Play(graph).fail("ask").at == "mend"


def test_a_timer_may_fail() -> None:
    graph = flow("wait -> end", "wait -> mend: on failure", wait=TimerNode(5))
    assert Play(graph).fail("wait", outcome=Outcome.FAILURE).at == "mend"


def test_only_an_open_task_can_be_reassigned() -> None:
    play = Play(flow("start -> ask work", ask=HumanNode(handler=True))).run("start")
    task, place = play.task_of("ask").id, play.place("ask")
    play.complete("ask")
    with pytest.raises(StaleExecutionError):
        play.apply(ReassignTask(place=place, task_id=task, actor=Actor("x"), assignee_id="y"))


def test_a_cancel_takes_back_everything() -> None:
    graph = flow(
        "start -> work wait ask group left", "left right -> both", "start -> right", scopes={"group": "inner"},
        wait=TimerNode(5), ask=HumanNode(), group=GroupNode("sequential", ("inner",)),
    )  # fmt: skip
    play = Play(graph).run("start").run("left")
    assert "(both)" in play.at
    play.cancel()
    assert play.status is WorkflowStatus.CANCELED
    assert play.at == ""
    assert sorted(play.history) == sorted([
        "start", "left", "work!canceled", "wait!canceled", "ask!canceled", "inner!canceled", "group!canceled", "right!canceled",
    ])  # fmt: skip
    assert isinstance(play.events[-1], WorkflowCanceled)
    assert play.events[-1].reason == "no longer wanted"
    assert sum(isinstance(event, StepCanceled) for event in play.events) == 6
    assert play.state.error is None


def test_a_graph_whose_back_edges_are_missing_is_refused() -> None:
    nodes = {name: Node(name, MachineNode()) for name in ("a", "b")}
    graph = WorkflowGraph("flow", "1", nodes, (Edge("a", "b"), Edge("b", "a")), "a")
    with pytest.raises(InvalidDefinitionError, match="back edge"):
        make_program(graph)


def test_a_decision_about_a_fresh_instance_does_not_change_its_first_state() -> None:
    program = make_program(flow("a -> b"))
    command = Start(instance_id=Play(flow("a")).state.id, data={"x": b"1"}, actor=Actor("ann"), now=EPOCH)
    state = initial_state(program, command)
    assert decide(program, state, command) == decide(program, state, command)
    assert state.revision == 0
    assert state.scopes[0].data == {"x": b"1"}
    assert not state.scopes[0].tokens
