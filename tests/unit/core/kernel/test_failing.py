"""What becomes of an instance that fails: it stays as it stands, and goes on from there when it is retried."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.unit.core.kernel.flows import CHOICE, flow
from tests.unit.core.kernel.play import Play

from workflows_core.domain.events import StepRetryScheduled, WorkflowDiscarded, WorkflowFailed, WorkflowRetried
from workflows_core.domain.graph import ForEachNode, GroupNode, HumanNode, TimerNode, WebhookNode, WorkflowGraph
from workflows_core.domain.transition import WorkKind
from workflows_core.domain.types import Parking, StepStatus, WorkflowStatus
from workflows_core.errors import (
    InstanceFinishedError,
    NothingToReopenError,
    NotParkedError,
    StaleExecutionError,
    UnknownStepError,
)


def branches() -> Play:
    """Work beside a task, a timer and a call."""
    graph = flow(
        "start -> work ask wait call",
        "work ask wait call -> end",
        ask=HumanNode(),
        wait=TimerNode(delay_s=60),
        call=WebhookNode(),
    )
    return Play(graph).run("start")


def meeting(join: str | int) -> WorkflowGraph:
    """A group with two branches that meet in its callback."""
    return flow(
        "group -> end",
        "left right -> both",
        joins={"both": join},
        scopes={"group": "left right both"},
        group=GroupNode("parallel", ("left", "right"), callback="both"),
    )


def test_a_failed_attempt_is_repeated_after_the_delay_under_the_same_execution() -> None:
    play = Play(flow("a -> b"))
    execution = play.place("a").execution
    play.fail("a", retry_s=2.5)
    item = play.work[play.place("a").token]
    assert (item.kind, item.delay_s, item.execution) == (WorkKind.RUN, 2.5, execution)
    assert play.history == []
    event = play.events[-1]
    assert isinstance(event, StepRetryScheduled)
    assert (event.attempt, event.delay_s, event.error) == (1, 2.5, "broken")
    play.fail("a", retry_s=5.0, attempts=2).run("a")
    assert play.at == "b"
    _, token = play.places("b")[0]
    assert (token.attempts, token.failures) == (0, 0), "counted for each execution anew"


def test_failures_are_counted_apart_from_attempts() -> None:
    play = Play(flow("a -> b")).fail("a", retry_s=1.0, attempts=3)
    _, token = play.places("a")[0]
    assert (token.attempts, token.failures) == (3, 1), "two workers were lost before"


def test_a_failure_stops_everything_where_it_is() -> None:
    play = branches().fail("work", "no")
    assert play.status is WorkflowStatus.FAILED
    assert play.state.parked is Parking.DEAD_LETTER
    assert {token.node: token.status for _, token in play.places()} == {
        "work": StepStatus.FAILED,
        "ask": StepStatus.CANCELED,
        "wait": StepStatus.CANCELED,
        "call": StepStatus.CANCELED,
    }
    assert play.history == ["start", "work!failed", "ask!canceled", "wait!canceled", "call!canceled"]


def test_a_retry_opens_again_what_failed_and_what_that_cancelled_with_their_keys() -> None:
    play = branches()
    before = {token.node: token.execution for _, token in play.places()}
    task = play.task_of("ask").id
    play.fail("work").retry()
    assert {token.node: token.execution for _, token in play.places()} == before
    assert play.status is WorkflowStatus.RUNNING
    assert play.history == ["start"], "their records were taken back"
    assert play.task_of("ask").id != task, "the task of before is closed, this is another"
    event = next(event for event in play.last.events if isinstance(event, WorkflowRetried))
    assert sorted(event.executions) == sorted(before.values())
    play.run("work").complete("ask").fire("wait").call("call", 1)
    assert play.at == "end"


def test_a_retry_may_change_the_data_first() -> None:
    play = Play(flow("a -> b"), amount=-1).fail("a").retry(amount=1, note="mended")
    assert play.data == {"amount": 1, "note": "mended"}
    assert play.at == "a"


def test_what_failed_can_fail_and_be_retried_again() -> None:
    play = branches()
    for _ in range(3):
        play.fail("work").retry()
    play.run("work")
    assert play.history == ["start", "work"]


def test_a_retry_from_a_step_goes_on_there_with_a_new_visit_and_drops_the_rest() -> None:
    play = branches()
    old = {token.execution for _, token in play.places()}
    play.fail("work").retry("start")
    assert play.at == "start"
    assert play.place("start").execution not in old
    _, token = play.places("start")[0]
    assert token.visit == 2
    play.run("start").run("work").complete("ask").fire("wait").call("call", 1, visit=2).run("end")
    assert play.status is WorkflowStatus.COMPLETED


def test_a_retry_from_a_join_does_not_wait_for_branches() -> None:
    play = branches().fail("work").retry("end")
    assert play.at == "end"


def test_a_retry_from_an_unknown_step_is_refused_and_names_those_that_are_known() -> None:
    graph = flow("group -> end", scopes={"group": "inner"}, group=GroupNode("sequential", ("inner",)))
    with pytest.raises(UnknownStepError, match="from one of group, end, inner"):
        Play(graph).fail("inner").retry("nowhere")


def test_a_retry_from_a_step_inside_a_group_is_refused_if_it_did_not_fail_there() -> None:
    graph = flow("group -> end", scopes={"group": "inner"}, group=GroupNode("sequential", ("inner",)))
    with pytest.raises(UnknownStepError, match="from one of group, end "):
        Play(graph).run("inner").fail("end").retry("inner")


CHAIN = flow(
    "group -> end",
    "first -> second",
    "second -> third",
    scopes={"group": "first second third"},
    group=GroupNode("sequential", ("first",), into="done"),
)


def test_a_retry_from_a_step_inside_a_group_goes_on_there_inside_the_same_execution_of_the_group() -> None:
    play = Play(CHAIN).run("first").run("second")
    group = play.place("group").execution
    play.fail("third").retry("second")
    assert play.at == "group second"
    assert play.place("group").execution == group
    assert play.history == ["first", "second", "third!failed"], "the failure of the group was taken back"
    _, token = play.places("second")[0]
    assert token.visit == 2
    event = next(event for event in play.last.events if isinstance(event, WorkflowRetried))
    assert (event.from_step, event.executions) == ("second", (group,))
    play.run("second").run("third", result="all").run("end")
    assert play.status is WorkflowStatus.COMPLETED
    assert play.data["done"] == "all"


def test_a_retry_from_a_branch_opens_the_other_branches_where_they_were() -> None:
    graph = flow(
        "group -> end",
        "left -> then",
        "then -> over",
        "right -> ask",
        scopes={"group": "left then over right ask"},
        group=GroupNode("parallel", ("left", "right"), into="done"),
        ask=HumanNode(),
    )
    play = Play(graph).run("left").run("right").run("then")
    asked = play.place("ask").execution
    play.fail("over").retry("left")
    assert play.at == "ask group left"
    assert play.place("ask").execution == asked
    play.run("left", result="l").run("then").run("over").complete("ask")
    assert play.at == "end"
    assert play.data["done"] == ["l", None]


def test_a_retry_from_another_branch_begins_that_again_too() -> None:
    graph = flow("group -> end", scopes={"group": "left right"}, group=GroupNode("parallel", ("left", "right")))
    play = Play(graph).run("left").fail("right").retry("left")
    assert play.at == "group left right"


def test_a_retry_from_the_callback_of_a_group_waits_for_no_branch() -> None:
    play = Play(meeting("auto")).run("left").fail("right").retry("both")
    assert play.at == "both group"
    play.run("both")
    assert play.at == "end"


def test_a_retry_from_another_branch_of_a_choice_takes_that_instead() -> None:
    kind = GroupNode("conditional", branches={"a": "one", "b": "two"}, selector="wanted")
    play = Play(flow("group -> end", scopes={"group": "one two"}, group=kind), wanted="a")
    play.fail("one").retry("two")
    assert play.at == "group two"


def test_a_retry_from_a_step_of_an_item_lets_those_that_failed_go_on_there_and_the_others_where_they_were() -> None:
    graph = flow(
        "loop -> end",
        "first -> second",
        scopes={"loop": "item", "item": "first second"},
        loop=ForEachNode("item", "orders", concurrency=2, into="done"),
        item=GroupNode("sequential", ("first",)),
    )
    play = Play(graph, orders=[1, 2, 3]).run("first", item=0).enter_all().run("first", item=1).enter_all()
    play.fail("second", item=1).retry("first").enter_all()
    assert play.at == "first.1 item.0 item.1 loop second.0"
    play.run("first", item=1).enter_all().run("second", item=1, result="b").enter_all()
    play.run("second", item=0, result="a").enter_all()
    play.run("first", item=2).enter_all().run("second", item=2, result="c").enter_all().gather("loop")
    assert play.data["done"] == ["a", "b", "c"]


def test_a_retry_from_the_body_of_a_loop_begins_the_failed_item_again() -> None:
    graph = flow("loop -> end", scopes={"loop": "work"}, loop=ForEachNode("work", "orders", concurrency=2, into="done"))
    play = Play(graph, orders=[1, 2]).run("work", item=0, result="a")
    play.fail("work", item=1).retry("work").enter_all()
    assert play.at == "loop work.1"
    _, token = play.places("work")[0]
    assert token.visit == 2
    play.run("work", item=1, result="b").gather("loop")
    assert play.data["done"] == ["a", "b"]


@pytest.mark.parametrize("step", [None, "choice"])
def test_a_retry_that_fails_at_once_keeps_its_place_for_another(step: str | None) -> None:
    graph = flow("start -> choice", "choice -> end: if wanted > 0", choice=CHOICE, deadline_s=60)
    play = Play(graph, wanted=0).run("start").retry("choice")
    assert (play.status, play.state.parked) == (WorkflowStatus.FAILED, Parking.DEAD_LETTER)
    assert play.state.error is not None
    assert not play.work, "not even its deadline"
    play.retry(step, wanted=1)
    if step is None:
        play.route("choice")
    assert play.at == "end"
    assert play.state.has_deadline


def test_a_retry_that_fails_at_once_keeps_all_that_stands_beside_what_failed() -> None:
    graph = flow(
        "start -> before each work ask group",
        scopes={"each": "item", "group": "inner"},
        each=ForEachNode("item", "orders"),
        ask=HumanNode(),
        group=GroupNode("sequential", ("inner",)),
    )
    play = Play(graph, orders=0).run("start")
    places = {token.node for _, token in play.places()}
    play.retry()
    assert (play.status, play.state.parked) == (WorkflowStatus.FAILED, Parking.DEAD_LETTER)
    assert not play.work
    assert not play.tasks
    assert [type(event) for event in play.last.events].count(WorkflowFailed) == 1
    assert {token.node for _, token in play.places()} >= places == {"before", "each", "work", "ask", "group"}
    assert all(token.status.is_final for _, token in play.places())
    assert play.retry(orders=[1]).at == "ask before each group inner item.0 work"


def test_an_item_that_fails_again_at_once_stops_the_others_once() -> None:
    graph = flow(
        "outer -> end",
        scopes={"outer": "body", "body": "book soft"},
        outer=ForEachNode("body", "orders", concurrency=3),
        body=GroupNode("conditional", branches={"x": "book", "y": "soft"}, selector="bonus > 0 and item"),
    )
    play = Play(graph, orders=["y", "x", "y", "y", "y"], bonus=1)
    play.run("soft", item=0).run("soft", item=2).fail("book", item=1)
    for step in (None, "body"):
        play.retry(step, bonus="none")
        numbers = [record.number for record in play.last.executions]
        assert len(numbers) == len(set(numbers))
        assert not play.work
    play.retry(bonus=1).enter_all()
    play.run("book", item=1).enter_all().run("soft", item=3).enter_all().run("soft", item=4).enter_all().gather("outer")
    assert play.at == "end"


@pytest.mark.parametrize("join", ["auto", "all", 2])
def test_a_branch_that_waits_at_a_join_goes_on_waiting_when_another_branch_is_retried(join: str | int) -> None:
    play = Play(meeting(join)).run("left").fail("right").retry("right")
    assert play.at == "(both) group right"
    play.run("right").run("both")
    assert play.at == "end"


def test_a_group_whose_join_can_never_run_goes_on_from_any_of_its_steps() -> None:
    play = Play(meeting("all")).run("left").run("right").fail("both").retry("left").run("left")
    assert play.status is WorkflowStatus.FAILED, "the join wants both branches, and one has passed it before"
    play.retry("both").run("both")
    assert play.at == "end"


def test_a_retry_after_the_deadline_may_go_on_from_a_step_inside_a_group() -> None:
    play = Play(replace(CHAIN, deadline_s=5)).run("first").meet_deadline().retry("first")
    assert play.at == "first group"


def test_a_retry_goes_on_from_a_step_of_any_group_around_what_failed() -> None:
    graph = flow(
        "outer -> end",
        "one -> inner",
        "two -> three",
        scopes={"outer": "one inner", "inner": "two three"},
        outer=GroupNode("sequential", ("one",)),
        inner=GroupNode("sequential", ("two",)),
    )
    for step, at in (
        ("two", "inner outer two"),
        ("inner", "inner outer two"),
        ("one", "one outer"),
        ("outer", "one outer"),
    ):
        assert Play(graph).run("one").run("two").fail("three").retry(step).at == at


@pytest.mark.parametrize("join", ["auto", "all", 2])
def test_a_token_that_was_stopped_on_its_way_to_a_join_stays_on_it_when_another_branch_is_retried(
    join: str | int,
) -> None:
    graph = flow(
        "start -> group",
        "left right -> both",
        joins={"both": join},
        scopes={"group": "left right both", "left": "l", "right": "r"},
        group=GroupNode("parallel", ("left", "right"), callback="both"),
        left=ForEachNode("l", "nothing"),
        right=ForEachNode("r", "orders"),
    )
    play = (
        Play(graph, nothing=[], orders=0).run("start").retry("right", orders=[1]).enter_all().run("r").gather("right")
    )
    assert play.at == "both group"


def test_a_retry_from_a_branch_keeps_what_another_branch_does_behind_both() -> None:
    assert Play(meeting("each")).run("right").fail("left").retry("left").at == "both group left"


def test_the_time_of_a_group_is_no_longer_watched_when_it_has_failed() -> None:
    graph = flow(
        "start -> group", scopes={"group": "inner"}, timeouts={"group": 60}, group=GroupNode("sequential", ("inner",))
    )
    play = Play(graph).run("start").fail("inner")
    assert not play.work
    assert [item.step for item in play.retry("start").work.values()] == ["start"]


def test_an_item_that_is_over_counts_also_when_another_one_fails_the_instance_in_the_same_decision() -> None:
    graph = flow(
        "loop -> end",
        "one two -> join",
        joins={"join": "all"},
        scopes={"loop": "body", "body": "one two join"},
        loop=ForEachNode("body", "orders", concurrency=2),
        body=GroupNode("conditional", branches={"a": "join"}, selector="item"),
    )
    play = Play(graph, orders=["a", "b"])
    assert play.status is WorkflowStatus.FAILED, "the join of the first item can never run, and the second is over"
    play.retry("join").enter_all().run("join", item=0).enter_all().gather("loop")
    assert play.at == "end"


def test_what_is_not_parked_is_neither_retried_nor_discarded() -> None:
    play = Play(flow("a -> b"))
    with pytest.raises(NotParkedError):
        play.retry()
    play.run("a").run("b")
    with pytest.raises(NotParkedError):
        play.discard()


def test_a_failed_instance_takes_no_other_command() -> None:
    play = branches().fail("work")
    with pytest.raises(InstanceFinishedError):
        play.cancel()


def test_a_discarded_instance_stays_failed_and_is_no_longer_parked() -> None:
    play = branches().fail("work", "no").discard()
    assert play.status is WorkflowStatus.FAILED
    assert play.state.parked is None
    assert play.state.error is not None
    assert play.state.error.message == "no"
    assert play.places() == []
    assert isinstance(play.events[-1], WorkflowDiscarded)
    with pytest.raises(NotParkedError):
        play.retry("start")


def test_tokens_that_were_on_their_way_when_the_instance_failed_arrive_after_a_retry() -> None:
    graph = flow("start -> bad good", "bad -> a: if wanted > 0", "bad -> b: if wanted > 1", "good -> end", bad=CHOICE)
    play = Play(graph, wanted=0).run("start")
    assert play.status is WorkflowStatus.FAILED
    assert play.history == ["start", "bad"]
    play.retry(wanted=1)
    assert play.at == "bad good", "the gateway chooses again, and the other branch has arrived"
    play.route("bad")
    assert play.at == "a good"


def test_items_of_a_loop_go_on_after_a_retry() -> None:
    graph = flow("loop -> end", scopes={"loop": "work"}, loop=ForEachNode("work", "orders", concurrency=2, into="done"))
    play = Play(graph, orders=[1, 2, 3, 4]).run("work", item=0, result="a").enter_all()
    play.fail("work", item=1)
    assert play.status is WorkflowStatus.FAILED
    play.retry().enter_all()
    assert play.at == "loop work.1 work.2"
    play.run("work", item=1, result="b").enter_all().run("work", item=2, result="c").enter_all()
    play.run("work", item=3, result="d").gather("loop")
    assert play.data["done"] == ["a", "b", "c", "d"]


def test_a_loop_whose_items_are_all_done_gathers_them_after_a_retry() -> None:
    graph = flow(
        "start -> loop other", "loop other -> end", scopes={"loop": "work"}, loop=ForEachNode("work", "orders")
    )
    play = Play(graph, orders=[1]).run("start").run("work", item=0).fail("other").retry()
    assert play.at == "loop other"
    assert play.work[play.place("loop").token].kind is WorkKind.GATHER


def test_the_time_of_a_step_is_limited_from_its_entry_over_all_attempts() -> None:
    play = Play(flow("a -> b", timeouts={"a": 30}))
    first = play.work[play.place("a").token]
    assert (first.timeout_s, first.keeps_timeout) == (30, False)
    play.fail("a", retry_s=1.0)
    second = play.work[play.place("a").token]
    assert (second.timeout_s, second.keeps_timeout) == (30, True), "the limit stays as it was"
    play.run("a")
    assert play.work[play.place("b").token].timeout_s is None


def test_a_step_whose_time_is_over_takes_its_timeout_edges() -> None:
    play = Play(flow("a -> b", "a -> late: on timeout", timeouts={"a": 30})).expire("a")
    assert play.at == "late"
    assert play.history == ["a!failed"]
    assert play.executions[0].error is not None
    assert play.executions[0].error.type == "StepTimeoutError"


def test_a_step_whose_time_is_over_fails_the_instance_without_an_edge() -> None:
    play = Play(flow("a -> b", timeouts={"a": 30})).expire("a")
    assert play.status is WorkflowStatus.FAILED
    play.retry()
    item = play.work[play.place("a").token]
    assert (item.timeout_s, item.keeps_timeout) == (30, False), "a retry gives it its whole time again"


@pytest.mark.parametrize(
    "kind", [HumanNode(), WebhookNode(), TimerNode(delay_s=60), GroupNode("sequential", ("inner",))], ids=repr
)
def test_waiting_steps_of_every_kind_have_a_time_too(kind: HumanNode | WebhookNode | TimerNode | GroupNode) -> None:
    scopes = {"a": "inner"} if isinstance(kind, GroupNode) else {}
    graph = flow("a -> b", "a -> late: on timeout", timeouts={"a": 30}, scopes=scopes, a=kind)
    play = Play(graph)
    assert play.work[play.place("a").token].timeout_s == 30
    play.expire("a")
    assert play.at == "late"
    assert not play.tasks


def test_a_human_step_that_is_done_in_time_leaves_no_limit_behind() -> None:
    play = Play(flow("a -> b", timeouts={"a": 30}, a=HumanNode())).complete("a")
    assert [item.step for item in play.work.values()] == ["b"]


def test_a_loop_whose_time_is_over_is_cancelled_with_its_items() -> None:
    graph = flow(
        "loop -> end", "loop -> late: on timeout", timeouts={"loop": 30}, scopes={"loop": "work"},
        loop=ForEachNode("work", "orders"),
    )  # fmt: skip
    play = Play(graph, orders=[1, 2, 3]).expire("loop")
    assert play.at == "late"
    assert not play.rows


def test_an_instance_fails_at_its_deadline_wherever_it_is() -> None:
    play = Play(flow("a -> b", deadline_s=3600, a=HumanNode()))
    assert play.work[0].kind is WorkKind.DEADLINE
    assert play.work[0].delay_s == 3600
    play.meet_deadline()
    assert play.status is WorkflowStatus.FAILED
    assert play.state.error is not None
    assert play.state.error.type == "InstanceTimeoutError"
    play.retry()
    assert play.work[0].delay_s == 3600, "a retry gives it its whole time again"
    assert play.complete("a").run("b").status is WorkflowStatus.COMPLETED
    assert not play.work, "nothing waits for the deadline any more"


def test_a_deadline_that_is_met_by_the_end_says_nothing_any_more() -> None:
    play = Play(flow("a -> b"))
    with pytest.raises(StaleExecutionError):
        play.meet_deadline()


def test_a_retry_without_anything_to_open_again_asks_for_a_step() -> None:
    play = Play(flow("a -> b c", "b c -> d", "d -> e", joins={"d": 3})).run("a").run("b").run("c")
    assert play.status is WorkflowStatus.FAILED, "three are wanted, two can come"
    with pytest.raises(NothingToReopenError):
        play.retry()
    assert play.retry("e").at == "e"
