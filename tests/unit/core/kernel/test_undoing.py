"""Compensation: what was done is undone, last things first, when the instance fails or is cancelled, or a group gives up."""

from __future__ import annotations

import pytest
from tests.unit.core.kernel.flows import flow
from tests.unit.core.kernel.play import Play

from workflows_core.domain.events import StepCompensated, WorkflowCanceled, WorkflowCompensating, WorkflowFailed
from workflows_core.domain.graph import ForEachNode, GroupNode, HumanNode
from workflows_core.domain.transition import WorkKind
from workflows_core.domain.types import Parking, Phase, StepStatus, WorkflowStatus
from workflows_core.errors import InstanceEndingError, NothingToReopenError, StaleExecutionError


def undone(play: Play) -> list[str]:
    """Steps that were undone, in order."""
    return [event.step_name for event in play.events if isinstance(event, StepCompensated)]


def to_undo(play: Play) -> list[str]:
    """Steps whose undoing is under way."""
    return [item.step for item in play.work.values() if item.kind is WorkKind.UNDO]


def test_what_succeeded_is_undone_in_reverse_before_the_instance_has_failed() -> None:
    play = Play(flow("a -> b", "b -> c", "c -> d", undo="a c d")).run("a").run("b").run("c").fail("d", "no")
    assert (play.status, play.state.phase) == (WorkflowStatus.RUNNING, Phase.COMPENSATING)
    assert isinstance(play.events[-1], WorkflowCompensating)
    assert to_undo(play) == ["c"], "what failed did nothing, and one thing comes after the other"
    play.run("c")
    assert to_undo(play) == ["a"]
    play.run("a")
    assert undone(play) == ["c", "a"]
    assert (play.status, play.state.phase) == (WorkflowStatus.FAILED, Phase.NORMAL)
    assert play.state.error is not None
    assert play.state.error.message == "no"
    assert isinstance(play.events[-1], WorkflowFailed)
    assert play.state.parked is Parking.DEAD_LETTER


def test_records_tell_which_execution_was_undone() -> None:
    play = Play(flow("a -> b", undo="a")).run("a").fail("b").run("a")
    done, _, undoing = play.executions
    assert (undoing.step_name, undoing.compensates) == ("a", done.number)
    assert undoing.number != done.number


def test_the_time_limit_of_a_step_does_not_hold_for_what_undoes_it() -> None:
    play = Play(flow("a -> b", undo="a", timeouts={"a": 30})).run("a").fail("b")
    with pytest.raises(StaleExecutionError):
        play.expire("a")
    play.run("a")
    assert undone(play) == ["a"]


def test_an_instance_with_nothing_to_undo_fails_at_once() -> None:
    play = Play(flow("a -> b", undo="b")).run("a").fail("b")
    assert play.status is WorkflowStatus.FAILED
    assert play.retry().at == "b"


def test_siblings_that_can_be_undone_are_waited_for_and_the_others_are_cancelled() -> None:
    play = Play(flow("start -> a b ask bad", undo="a b", ask=HumanNode())).run("start").fail("bad")
    assert play.at == "a b"
    assert not play.tasks
    phases = [play.state.phase, play.run("a").state.phase, play.fail("b").state.phase]
    assert phases == [Phase.CANCELING, Phase.CANCELING, Phase.COMPENSATING]
    assert to_undo(play) == ["a"], "b has failed, so there is nothing of it to undo"
    play.run("a")
    assert play.status is WorkflowStatus.FAILED


def test_a_sibling_that_fails_while_it_is_waited_for_is_not_tried_again() -> None:
    play = Play(flow("start -> a bad", undo="a")).run("start").fail("bad").fail("a", retry_s=5.0)
    assert play.status is WorkflowStatus.FAILED
    assert play.history == ["start", "bad!failed", "a!failed"]


def test_a_sibling_whose_outcome_is_unknown_is_undone_and_one_that_never_began_is_not() -> None:
    play = Play(flow("start -> a b bad", undo="a b")).run("start").fail("bad")
    play.abandon("a", began=True).abandon("b", began=False)
    assert to_undo(play) == ["a"]


def test_a_cancelled_instance_undoes_what_it_has_done_and_is_then_canceled() -> None:
    play = Play(flow("a -> b", undo="a")).run("a").cancel()
    assert not play.status.is_final
    with pytest.raises(InstanceEndingError):
        play.cancel()
    assert play.run("a").status is WorkflowStatus.CANCELED
    assert play.state.parked is None
    assert isinstance(play.events[-1], WorkflowCanceled)
    assert play.events[-1].reason == "no longer wanted"


def test_terminating_undoes_nothing() -> None:
    play = Play(flow("a -> b", undo="a")).run("a").cancel(terminate=True)
    assert play.status is WorkflowStatus.CANCELED
    assert undone(play) == []


def test_terminating_ends_a_compensation_that_is_under_way() -> None:
    play = Play(flow("a -> b", undo="a")).run("a").fail("b").cancel(terminate=True)
    assert play.status is WorkflowStatus.CANCELED
    assert not play.work


def test_a_compensation_may_be_tried_again() -> None:
    play = Play(flow("a -> b", undo="a")).run("a").fail("b")
    play.fail("a", retry_s=3.0)
    assert [item.delay_s for item in play.work.values()] == [3.0]
    assert play.run("a").status is WorkflowStatus.FAILED


def test_a_compensation_that_fails_parks_the_instance() -> None:
    play = Play(flow("a -> b", "b -> c", undo="a b")).run("a").run("b").fail("c").fail("b", "cannot")
    assert play.state.parked is Parking.COMPENSATION
    assert play.status is WorkflowStatus.WAITING
    assert not play.work
    assert play.state.error is not None
    assert play.state.error.message == "cannot"


def test_a_parked_compensation_is_retried() -> None:
    play = Play(flow("a -> b", "b -> c", undo="a b")).run("a").run("b").fail("c", "why").fail("b", "cannot").retry()
    assert to_undo(play) == ["b"]
    play.run("b").run("a")
    assert play.status is WorkflowStatus.FAILED
    assert undone(play) == ["b", "a"]
    assert play.state.error is not None
    assert play.state.error.message == "why", "the first error is why it failed"


def test_a_parked_compensation_is_left_out_when_it_is_discarded() -> None:
    play = Play(flow("a -> b", "b -> c", undo="a b")).run("a").run("b").fail("c").fail("b").discard()
    assert play.state.parked is None
    assert to_undo(play) == ["a"]
    assert play.run("a").status is WorkflowStatus.FAILED


@pytest.mark.parametrize(
    ("step", "at"), [("g1", "g1 inner outer"), ("inner", "g1 inner outer"), ("o1", "o1 outer"), ("outer", "o1 outer")]
)
def test_an_instance_may_go_on_from_any_group_around_a_compensation_that_failed(step: str, at: str) -> None:
    graph = flow(
        "outer -> end",
        "o1 -> inner",
        "g1 -> g2",
        scopes={"outer": "o1 inner", "inner": "g1 g2"},
        undo="g1",
        outer=GroupNode("sequential", ("o1",)),
        inner=GroupNode("sequential", ("g1",)),
    )
    play = Play(graph).run("o1").run("g1").fail("g2").fail("g1", "cannot")
    assert play.state.parked is Parking.COMPENSATION
    play.retry(step)
    assert play.at == at
    assert play.state.phase is Phase.NORMAL
    for name in ("o1", "g1", "g2", "end")[0 if at.startswith("o1") else 1 :]:
        play.run(name)
    assert play.status is WorkflowStatus.COMPLETED


def test_a_compensation_that_is_stopped_by_the_time_limit_around_it_goes_on_and_is_recorded_once() -> None:
    graph = flow(
        "group -> end",
        "inner -> last",
        "a -> b",
        scopes={"group": "inner last", "inner": "a b"},
        undo="a",
        timeouts={"group": 60},
        group=GroupNode("sequential", ("inner",)),
        inner=GroupNode("sequential", ("a",)),
    )
    play = Play(graph).run("a").fail("b")
    assert to_undo(play) == ["a"]
    play.expire("group")
    assert play.state.parked is Parking.DEAD_LETTER
    play.retry()
    assert to_undo(play) == ["a"]
    play.run("a")
    numbers = [record.number for record in play.executions]
    assert len(numbers) == len(set(numbers))
    assert undone(play) == ["a"]


def test_the_deadline_begins_anew_where_an_instance_goes_on_although_a_compensation_has_failed() -> None:
    play = Play(flow("a -> b", undo="a", deadline_s=60)).run("a").fail("b").fail("a", "cannot")
    assert not play.state.has_deadline
    assert not play.retry().state.has_deadline, "it is still being undone"
    assert play.fail("a", "cannot").retry("b").state.has_deadline


def test_after_compensation_only_a_step_to_go_on_from_is_taken() -> None:
    play = Play(flow("a -> b", undo="a")).run("a").fail("b").run("a")
    with pytest.raises(NothingToReopenError):
        play.retry()
    play.retry("a")
    assert play.at == "a"
    assert play.state.phase is Phase.NORMAL
    assert play.run("a").run("b").status is WorkflowStatus.COMPLETED


def test_a_failure_edge_is_taken_without_undoing_anything() -> None:
    play = Play(flow("a -> b", "b -> c", "b -> mend: on failure", undo="a")).run("a").fail("b")
    assert play.at == "mend"
    assert play.state.phase is Phase.NORMAL


def test_a_group_undoes_what_it_has_done_before_its_failure_edge_is_taken() -> None:
    graph = flow(
        "before -> group", "group -> after", "group -> mend: on failure", scopes={"group": "x y"}, undo="before x",
        group=GroupNode("parallel", ("x", "y")),
    )  # fmt: skip
    play = Play(graph).run("before").run("x").fail("y")
    assert play.state.phase is Phase.NORMAL, "the instance goes on"
    assert to_undo(play) == ["x"]
    play.run("x")
    assert play.at == "mend"
    assert undone(play) == ["x"], "what was done outside of the group stays"
    assert play.run("mend").status is WorkflowStatus.COMPLETED


def test_what_a_group_has_done_is_undone_with_what_is_around_it() -> None:
    graph = flow("group -> c", scopes={"group": "x y"}, undo="x y", group=GroupNode("parallel", ("x", "y")))
    play = Play(graph).run("x").run("y").fail("c")
    play.run("y").run("x")
    assert undone(play) == ["y", "x"]
    assert play.status is WorkflowStatus.FAILED


def test_a_failure_inside_a_group_undoes_the_group_and_then_what_is_around_it() -> None:
    graph = flow("a -> group", scopes={"group": "x y"}, undo="a x", group=GroupNode("sequential", ("x",)))
    play = Play(graph).run("a").fail("x")
    assert play.history == ["a", "x!failed", "group!failed"]
    assert to_undo(play) == ["a"]
    assert play.run("a").status is WorkflowStatus.FAILED


def test_items_that_are_done_are_undone_too() -> None:
    graph = flow("loop -> end", scopes={"loop": "work"}, undo="work", loop=ForEachNode("work", "orders", concurrency=1))
    play = Play(graph, orders=[1, 2, 3]).run("work", item=0).enter_all().run("work", item=1).enter_all()
    play.fail("work", item=2)
    assert to_undo(play) == ["work"]
    play.work_off()
    assert undone(play) == ["work", "work"]
    assert play.status is WorkflowStatus.FAILED
    assert not play.rows


def test_running_items_are_waited_for() -> None:
    graph = flow("loop -> end", scopes={"loop": "work"}, undo="work", loop=ForEachNode("work", "orders"))
    play = Play(graph, orders=[1, 2, 3]).run("work", item=0).fail("work", item=1)
    assert play.at == "loop work.2"
    play.run("work", item=2)
    play.work_off()
    assert undone(play) == ["work", "work"]
    assert play.history[-1] == "work"
    assert play.status is WorkflowStatus.FAILED


def test_the_loser_of_a_race_counts_as_to_be_undone_later() -> None:
    graph = flow("race -> c", scopes={"race": "x y"}, undo="y", race=GroupNode("race", ("x", "y")))
    play = Play(graph).run("x")
    assert play.at == "c"
    assert to_undo(play) == [], "nothing has failed"
    play.fail("c")
    assert to_undo(play) == ["y"], "it may have been running"


def test_what_was_done_is_not_undone_when_the_instance_completes() -> None:
    play = Play(flow("a -> b", undo="a b")).run("a").run("b")
    assert play.status is WorkflowStatus.COMPLETED
    assert undone(play) == []


def test_a_deadline_undoes_what_was_done() -> None:
    play = Play(flow("a -> b", undo="a", deadline_s=60, b=HumanNode())).run("a").meet_deadline()
    assert to_undo(play) == ["a"]
    assert 0 not in play.work
    assert play.run("a").status is WorkflowStatus.FAILED


def test_a_failing_instance_keeps_no_token_but_those_it_waits_for() -> None:
    play = Play(flow("start -> a bad", "a -> next", undo="a")).run("start").fail("bad").run("a")
    assert [token.status for _, token in play.places()] == [StepStatus.SCHEDULED]
    assert play.at == "a", "the way on is not taken; what is left is the undoing"
    assert play.state.find(0, play.places()[0][1].id, play.places()[0][1].execution) is not None
