"""Joining: a step with several incoming edges runs once with all tokens that can still come; and what overrides that."""

from __future__ import annotations

import pytest
from tests.unit.core.kernel.flows import CHOICE, FORK, flow
from tests.unit.core.kernel.play import Play

from workflows_core.domain.graph import GroupNode, HumanNode, TimerNode, WebhookNode
from workflows_core.domain.transition import WorkKind
from workflows_core.domain.types import StepStatus, WorkflowStatus

DIAMOND = flow("start -> left right", "left right -> end")


def test_a_parallel_join_waits_for_all_live_branches_and_runs_once() -> None:
    play = Play(DIAMOND).run("start")
    assert play.at == "left right"
    assert play.run("right").at == "(end) left"
    assert play.run("left").at == "end"
    assert play.run("end").history == ["start", "right", "left", "end"]
    assert play.status is WorkflowStatus.COMPLETED


def test_a_branch_that_ends_elsewhere_does_not_hold_up_the_join() -> None:
    play = Play(flow("start -> left right", "left -> end: if ok", "left -> drop: default", "right -> end"), ok=False)
    play.run("start").run("right")
    assert play.at == "(end) left"
    assert play.run("left").at == "drop end"


def test_an_exclusive_merge_is_not_held_up() -> None:
    graph = flow("start -> big: if amount > 10", "start -> small: default", "big small -> pay", "pay -> done")
    assert Play(graph, amount=50).run("start").run("big").at == "pay"
    assert Play(graph, amount=5).run("start").run("small").at == "pay"


def test_an_exclusive_merge_inside_a_parallel_branch_is_not_held_up_by_the_other_branch() -> None:
    graph = flow(
        "start -> choice other",
        "choice -> a: if x",
        "choice -> b: default",
        "a b -> merge",
        "merge other -> end",
        choice=CHOICE,
    )
    play = Play(graph, x=True).run("start")
    assert play.run("a").at == "merge other"
    assert play.run("merge").at == "(end) other"
    assert play.run("other").at == "end"


def test_a_loop_back_into_a_fork_starts_a_new_round() -> None:
    graph = flow("fork -> a b", "a b -> check", "check -> fork: if again", "check -> done: default")
    play = Play(graph, again=True).run("fork").run("a").run("b")
    assert play.at == "check"
    play.run("check")
    assert play.at == "fork"
    play.run("fork").run("b").run("a").run("check", again=False).run("done")
    assert play.history == ["fork", "a", "b", "check", "fork", "b", "a", "check", "done"]


def test_a_loop_out_of_one_branch_back_into_the_fork_does_not_hold_up_the_merge_behind_the_other() -> None:
    """The poll goes round for ever and forks off an event each time; each event is handled, not gathered."""
    graph = flow(
        "poll -> event wait", "wait -> poll", "event -> plain: if x", "event -> rich: default", "plain rich -> handle"
    )
    play = Play(graph, x=True).run("poll").run("event").run("plain")
    assert play.at == "handle wait"
    play.run("wait")
    assert play.run("poll").run("event").run("plain").at == "handle handle wait"


@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_a_parallel_branch_with_a_loop_of_its_own_is_waited_for_wherever_in_the_loop_it_is(rounds: int) -> None:
    graph = flow(
        "start -> left review", "left -> end", "review -> end: if ok", "review -> mend: default", "mend -> review"
    )
    play = Play(graph, ok=False).run("start").run("left")
    for _ in range(rounds):
        play.run("review")
        assert play.at == "(end) mend", "whoever mends will review again"
        play.run("mend")
        assert play.at == "(end) review"
    play.run("review", ok=True).run("end")
    assert play.history.count("end") == 1


def test_a_branch_whose_loop_is_on_its_way_round_is_waited_for_inside_an_outer_loop_too() -> None:
    graph = flow(
        "start -> left review", "left -> both", "review -> both: if ok", "review -> mend: default", "mend -> review",
        "both -> start: if again", "both -> done: default",
    )  # fmt: skip
    play = Play(graph, ok=False, again=True).run("start")
    for again in (True, False):
        play.run("left").run("review", ok=False)
        assert play.at == "(both) mend"
        play.run("mend").run("review", ok=True)
        assert play.at == "both"
        play.run("both", again=again)
        if again:
            play.run("start")
    assert play.run("done").history.count("both") == 2


def test_two_branches_with_a_loop_each_wait_for_each_other_at_their_join_only() -> None:
    graph = flow(
        "start -> a b",
        "a -> fix_a: if bad",
        "fix_a -> a",
        "a -> end: default",
        "b -> fix_b: if bad",
        "fix_b -> b",
        "b -> end: default",
    )
    play = Play(graph, bad=True).run("start").run("a").run("b")
    assert play.at == "fix_a fix_b"
    play.run("fix_a", bad=False).run("a")
    assert play.at == "(end) fix_b"
    assert play.run("fix_b").run("b").run("end").history.count("end") == 1


def test_nested_forks_join_inside_out() -> None:
    graph = flow("start -> a b", "a -> a1 a2", "a1 a2 -> a_end", "b -> b1 b2", "b1 b2 -> b_end", "a_end b_end -> end")
    play = Play(graph).run("start").run("a").run("b").run("a1").run("b2")
    assert play.at == "a2 (a_end) b1 (b_end)"
    play.run("a2").run("a_end")
    assert play.at == "b1 (b_end) (end)"
    play.run("b1").run("b_end").run("end")
    assert play.status is WorkflowStatus.COMPLETED


def test_joins_that_share_their_branches_run_in_the_order_of_the_graph() -> None:
    graph = flow("start -> a b", "a b -> first", "first b -> second")
    play = Play(graph).run("start").run("a")
    assert play.at == "b (first)"
    play.run("b")
    assert play.at == "first (second)"
    assert play.run("first").at == "second"


def test_a_loop_that_is_entered_at_two_places_goes_on() -> None:
    graph = flow("start -> a: if first", "start -> b: default", "a -> b", "b -> a: if more", "b -> end: default")
    play = Play(graph, first=False, more=True).run("start").run("b").run("a").run("b", more=False).run("end")
    assert play.status is WorkflowStatus.COMPLETED


def test_both_tokens_in_a_loop_that_is_entered_at_two_places_get_out() -> None:
    graph = flow("start -> a b", "a -> b: if more", "b -> a: if more", "a b -> end: default")
    play = Play(graph, more=True).run("start")
    assert play.at == "a (b)", "only the walk's own way round counts as a loop"
    play.run("a")
    assert play.at == "b"
    play.run("b").run("a", more=False).run("end")
    assert play.status is WorkflowStatus.COMPLETED


def test_a_token_that_has_gone_round_is_waited_for_again() -> None:
    graph = flow("head -> a b", "a -> tail", "b -> tail: if ok", "b -> head: default", "tail -> end")
    play = Play(graph, ok=False).run("head").run("a").run("b")
    assert play.at == "head (tail)"
    play.run("head").run("a").run("b", ok=True)
    assert play.at == "tail"


def test_the_join_at_the_head_of_a_loop_takes_the_token_that_comes_round() -> None:
    play = Play(flow("start -> work", "work -> start: if again", "work -> end: default"), again=True)
    play.run("start").run("work").run("start").run("work", again=False).run("end")
    assert play.history == ["start", "work", "start", "work", "end"]
    assert play.executions[2].visit == 2


def test_parallel_edges_to_one_target_give_one_execution() -> None:
    play = Play(flow("a -> b", "a -> b: if x"), x=True)
    assert play.run("a").at == "b"


# Overrides


def test_any_takes_the_first_token_and_cancels_what_could_still_come() -> None:
    graph = flow(
        "start -> work ask wait hook other", "work ask wait hook -> end", "other -> rest",
        ask=HumanNode(), wait=TimerNode(60), hook=WebhookNode(), joins={"end": "any"},
    )  # fmt: skip
    play = Play(graph).run("start")
    assert len(play.tasks) == 1
    play.run("work")
    assert play.at == "end other"
    assert not play.tasks
    assert {item.step for item in play.work.values()} == {"end", "other"}
    cancelled = {run.step_name for run in play.executions if run.status is StepStatus.CANCELED}
    assert cancelled == {"ask", "wait", "hook"}


def test_any_in_a_race_with_a_timer_lets_the_timer_win() -> None:
    graph = flow("start -> work wait", "work wait -> end", wait=TimerNode(60), joins={"end": "any"})
    play = Play(graph).run("start").fire("wait")
    assert play.at == "end"
    assert play.history == ["start", "wait", "work!canceled"]


def test_any_cancels_a_token_on_its_way_round_a_loop_of_its_branch() -> None:
    graph = flow(
        "start -> quick review",
        "quick -> end",
        "review -> end: if ok",
        "review -> mend: default",
        "mend -> review",
        joins={"end": "any"},
    )
    play = Play(graph, ok=False).run("start").run("review")
    assert play.run("quick").at == "end"


def test_any_cancels_what_waits_at_a_join_before_it() -> None:
    graph = flow("start -> a b c", "a b -> ab", "ab c -> end", joins={"end": "any"})
    play = Play(graph).run("start").run("a")
    assert play.at == "(ab) b c"
    assert play.run("c").at == "end"
    assert play.history == ["start", "a", "c", "b!canceled"], "what only waited at a join was never executed"


def test_any_runs_again_for_the_next_round() -> None:
    graph = flow("fork -> a b", "a b -> end", "end -> fork: if again", "end -> done: default", joins={"end": "any"})
    play = (
        Play(graph, again=True).run("fork").run("a").run("end").run("fork").run("b").run("end", again=False).run("done")
    )
    assert play.history.count("end") == 2


def test_n_fires_at_the_nth_token_and_cancels_the_rest() -> None:
    graph = flow("start -> a b c", "a b c -> end", joins={"end": 2})
    play = Play(graph).run("start").run("b")
    assert play.at == "a c (end)"
    assert play.run("a").at == "end"
    assert play.history[-1] == "c!canceled"


def test_an_n_that_can_no_longer_be_reached_fails_the_instance_and_names_the_missing_edges() -> None:
    graph = flow("start -> a b", "a -> end", "b -> end: if ok", "b -> other: default", joins={"end": 2})
    play = Play(graph, ok=False).run("start").run("a").run("b")
    assert play.status is WorkflowStatus.FAILED
    assert play.state.error is not None
    assert play.state.error.type == "InvalidTransitionError"
    assert "wants 2 tokens, has 1" in play.state.error.message
    assert "from b any more" in play.state.error.message


def test_all_waits_for_a_token_on_each_forward_edge() -> None:
    graph = flow(
        "start -> a b", "a -> end", "b -> end: if ok", "b -> again: default", "again -> b", joins={"end": "all"}
    )
    play = Play(graph, ok=False).run("start").run("a").run("b")
    assert play.at == "again (end)", "who goes round a loop of one branch can still come"
    assert play.run("again").run("b", ok=True).at == "end"


def test_an_all_that_can_no_longer_be_satisfied_fails_the_instance_and_names_the_missing_edges() -> None:
    graph = flow("start -> a b c", "a c -> end", "b -> end: if ok", "b -> other: default", joins={"end": "all"})
    play = Play(graph, ok=False).run("start").run("a").run("b")
    assert play.status is WorkflowStatus.FAILED
    assert play.state.error is not None
    assert play.state.error.step == "end"
    assert "nothing can come from b any more" in play.state.error.message
    assert sorted(play.history[-2:]) == ["c!canceled", "other!canceled"]


def test_all_takes_both_tokens_that_came_over_the_same_edge() -> None:
    graph = flow("start -> x y", "x y -> a", "start -> b", "a b -> end", joins={"a": "each", "end": "all"})
    play = Play(graph).run("start").run("x").run("y")
    assert play.at == "a a b"
    for item in [item for item in play.now_due if item.step == "a"]:
        play.do(item)
    assert play.at == "b (end) (end)"
    assert play.run("b").at == "end"


def test_each_runs_once_for_every_token() -> None:
    graph = flow("start -> a b", "a b -> report", joins={"report": "each"})
    play = Play(graph).run("start").run("a")
    assert play.at == "b report"
    play.run("report").run("b").run("report")
    assert [run.visit for run in play.executions if run.step_name == "report"] == [1, 2]


def test_an_override_counts_on_a_step_with_one_incoming_edge_too() -> None:
    assert Play(flow("a -> b", joins={"b": "any"})).run("a").at == "b"
    play = Play(flow("a -> b", joins={"b": 2})).run("a")
    assert play.status is WorkflowStatus.FAILED


def test_what_waits_at_a_join_has_neither_execution_nor_work() -> None:
    play = Play(DIAMOND).run("start").run("left")
    token = next(token for _, token in play.places("end"))
    assert token.status is StepStatus.PENDING
    assert token.execution == 0
    assert [item.kind for item in play.work.values()] == [WorkKind.RUN]


def test_a_join_that_is_a_gateway_goes_straight_on() -> None:
    graph = flow("start -> a b", "a b -> sync", "sync -> c d", "c d -> end", sync=FORK)
    play = Play(graph).run("start").run("a").run("b")
    assert play.at == "c d"


def test_a_join_that_is_a_human_step_opens_one_task() -> None:
    play = Play(flow("start -> a b", "a b -> approve", approve=HumanNode())).run("start").run("a")
    assert not play.tasks
    assert len(play.run("b").tasks) == 1
    assert play.status is WorkflowStatus.WAITING


def test_joins_inside_a_scope_ignore_the_tokens_outside() -> None:
    graph = flow(
        "start -> group other", "group other -> end", "a b -> c",
        scopes={"group": "a b c"}, group=GroupNode("sequential", ("a", "b")),
    )  # fmt: skip
    play = Play(graph).run("start").run("a")
    assert play.at == "b (c) group other"
    play.run("b").run("c")
    assert play.at == "(end) other"


def test_the_token_that_came_last_goes_on_and_says_over_which_edge() -> None:
    play = Play(DIAMOND).run("start")
    left = play.place("left").token
    play.run("right").run("left")
    ((_, token),) = play.places()
    assert token.id == left
    assert DIAMOND.edges[token.via].source == "left"
