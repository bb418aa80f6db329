"""Tokens, and how they leave a step: which edges are taken, what is left to a worker, and when an instance is over."""

from __future__ import annotations

import pytest
from tests.unit.core.kernel.flows import CHOICE, FORK, SOME, flow
from tests.unit.core.kernel.play import Play, kinds_of

from workflows_core.domain.events import StepCompleted, StepFailed, StepSkipped, WorkflowCompleted, WorkflowStarted
from workflows_core.domain.graph import GatewayNode, GroupNode, HumanNode, TimerNode
from workflows_core.domain.types import Outcome, StepStatus, WorkflowStatus


def test_a_start_puts_one_token_at_the_initial_step() -> None:
    play = Play(flow("first -> second"), amount=3)
    assert play.at == "first"
    assert kinds_of(list(play.work.values())) == ["run first"]
    assert play.state.revision == 1
    assert play.data == {"amount": 3}
    assert play.last.data_changed, "the data of a new instance are to be written"
    assert (play.state.created_by, play.state.tenant, play.state.metadata) == ("ann", "acme", b'{"source":"test"}')
    assert isinstance(play.events[0], WorkflowStarted)


def test_a_step_without_outgoing_edges_ends_its_token_and_the_last_one_ends_the_instance() -> None:
    play = Play(flow("start -> a b")).run("start")
    assert play.run("a").status is WorkflowStatus.RUNNING
    assert play.run("b").status is WorkflowStatus.COMPLETED
    assert isinstance(play.events[-1], WorkflowCompleted)
    assert [type(event) for event in play.events].count(WorkflowCompleted) == 1


def test_a_terminal_step_ends_its_token_whatever_its_edges_say() -> None:
    play = Play(flow("start -> a b", "a -> never", "b -> c", terminal={"a": "branch"})).run("start")
    assert play.run("a").at == "b"
    assert play.run("b").at == "c"


def test_a_step_that_is_terminal_for_the_instance_cancels_all_others() -> None:
    graph = flow("start -> stop work ask", terminal={"stop": "instance"}, ask=HumanNode())
    play = Play(graph).run("start").run("stop")
    assert play.status is WorkflowStatus.COMPLETED
    assert play.history == ["start", "stop", "work!canceled", "ask!canceled"]


def test_a_terminal_step_that_fails_takes_its_failure_edge() -> None:
    graph = flow("start", "start -> mend: on failure", terminal={"start": "instance"})
    assert Play(graph).fail("start").at == "mend"
    assert Play(graph).run("start").status is WorkflowStatus.COMPLETED


def test_an_ordinary_step_follows_every_edge_that_holds() -> None:
    graph = flow("start -> a: if x > 1", "start -> b: if x > 2", "start -> c: if x > 3", "start -> d")
    assert Play(graph, x=3).run("start").at == "a b d"


def test_the_first_of_several_ways_keeps_the_token_and_the_others_get_new_ones() -> None:
    play = Play(flow("start -> a b"))
    (_, before), *_ = play.places()
    play.run("start")
    ids = {token.node: token.id for _, token in play.places()}
    assert ids["a"] == before.id
    assert ids["b"] > before.id


def test_an_exclusive_gateway_takes_the_first_edge_that_holds() -> None:
    graph = flow("start -> a: if x > 1", "start -> b: if x > 0", "start -> c", start=CHOICE)
    assert Play(graph, x=2).at == "a"
    assert Play(graph, x=1).at == "b"
    assert Play(graph, x=0).at == "c"


def test_an_exclusive_gateway_takes_one_default_edge_if_nothing_holds_wherever_it_stands() -> None:
    graph = flow("start -> c: default", "start -> d: default", "start -> a: if x", start=CHOICE)
    assert Play(graph, x=True).at == "a"
    assert Play(graph, x=False).at == "c"


def test_an_inclusive_gateway_takes_every_edge_that_holds() -> None:
    graph = flow("start -> a: if x > 1", "start -> b: if x > 0", "start -> c: default", start=SOME)
    assert Play(graph, x=2).at == "a b"
    assert Play(graph, x=0).at == "c"


def test_a_parallel_gateway_takes_all_edges_without_asking() -> None:
    assert Play(flow("start -> a: if false_name", "start -> b", start=FORK)).at == "a b"


def test_a_default_edge_is_taken_when_no_conditional_edge_holds_beside_what_is_unconditional() -> None:
    graph = flow("start -> always", "start -> some: if x", "start -> else_: default")
    assert Play(graph, x=True).run("start").at == "always some"
    assert Play(graph, x=False).run("start").at == "always else_"


def test_an_instance_fails_if_edges_exist_and_none_is_taken_and_names_the_step_and_the_values() -> None:
    play = Play(flow("start -> a: if amount > 10", "start -> b: if country == 'DE'"), amount=3, country="FR").run(
        "start"
    )
    assert play.status is WorkflowStatus.FAILED
    error = play.state.error
    assert error is not None
    assert (error.type, error.step) == ("InvalidTransitionError", "start")
    assert error.message.startswith("step 'start': none of its edges could be taken")
    assert "amount=3" in error.message
    assert "country='FR'" in error.message
    assert play.history == ["start"], "the step itself has succeeded"


def test_a_condition_that_fails_on_the_data_fails_the_instance_and_names_them() -> None:
    play = Play(flow("start -> a: if amount > 10", "start -> b: default"), amount="many").run("start")
    assert play.status is WorkflowStatus.FAILED
    assert play.state.error is not None
    assert play.state.error.type == "ConditionError"
    assert "amount='many'" in play.state.error.message


def test_conditions_see_what_the_step_has_just_written() -> None:
    assert Play(flow("start -> a: if ok", "start -> b: default"), ok=False).run("start", ok=True).at == "a"


# Outcomes


def test_a_failure_takes_the_failure_edges_and_nothing_else() -> None:
    play = Play(flow("start -> next", "start -> mend: on failure")).fail("start")
    assert play.at == "mend"
    assert play.executions[0].status is StepStatus.FAILED
    assert play.executions[0].error is not None
    assert isinstance(play.events[-1], StepFailed)
    assert play.run("mend").status is WorkflowStatus.COMPLETED


def test_a_failure_without_failure_edge_fails_the_instance_and_cancels_its_siblings() -> None:
    play = Play(flow("start -> a b ask", ask=HumanNode())).run("start").fail("b", "no money")
    assert play.status is WorkflowStatus.FAILED
    assert play.history == ["start", "b!failed", "a!canceled", "ask!canceled"]
    assert play.state.error is not None
    assert (play.state.error.message, play.state.error.step) == ("no money", "b")


def test_a_timeout_takes_the_timeout_edge() -> None:
    graph = flow("start -> mend: on failure", "start -> hurry: on timeout")
    assert Play(graph).fail("start", outcome=Outcome.TIMEOUT).at == "hurry"


def test_a_timeout_without_edge_of_its_own_takes_the_failure_edge() -> None:
    graph = flow("start -> next", "start -> mend: on failure")
    assert Play(graph).fail("start", outcome=Outcome.TIMEOUT).at == "mend"


def test_a_failure_does_not_take_a_timeout_edge() -> None:
    graph = flow("start -> hurry: on timeout")
    assert Play(graph).fail("start").status is WorkflowStatus.FAILED


def test_failure_edges_may_have_conditions_and_a_default() -> None:
    graph = flow("start -> refund: on failure if paid", "start -> drop: on failure default")
    assert Play(graph, paid=True).fail("start").at == "refund"
    assert Play(graph, paid=False).fail("start").at == "drop"


def test_a_skipped_step_follows_its_skipped_edges() -> None:
    play = Play(flow("start -> next", "start -> other: on skipped")).skip("start")
    assert play.at == "other"
    assert play.executions[0].status is StepStatus.SKIPPED
    assert isinstance(play.events[-1], StepSkipped)


def test_a_skipped_step_without_skipped_edges_follows_its_success_edges() -> None:
    graph = flow("start -> a: if x", "start -> b: default")
    assert Play(graph, x=True).skip("start").at == "a"


def test_a_step_may_be_merged_with_its_own_failure_handler() -> None:
    graph = flow("start -> end", "start -> mend: on failure", "mend -> end")
    assert Play(graph).run("start").at == "end"
    assert Play(graph).fail("start").run("mend").at == "end"


# Named successors


def test_the_result_of_a_step_names_its_successors() -> None:
    graph = flow("start -> a b c: named")
    assert Play(graph).finish("start", route=("b",)).at == "b"
    assert Play(graph).finish("start", route=("a", "c")).at == "a c"


def test_a_result_that_names_no_successor_takes_the_default() -> None:
    graph = flow("start -> a b: named", "start -> c: default")
    assert Play(graph).finish("start", route=()).at == "c"


def test_a_result_that_names_a_step_that_is_no_successor_fails_the_instance() -> None:
    play = Play(flow("start -> a b: named", start=GatewayNode("exclusive", computed=True)))
    play.finish("start", route=("a", "z"))
    assert play.status is WorkflowStatus.FAILED
    assert play.state.error is not None
    assert play.state.error.message == "step 'start': its result names z, but its successors are a, b"


def test_a_result_that_names_nothing_without_a_default_fails_the_instance_and_shows_the_result() -> None:
    play = Play(flow("start -> a b: named")).finish("start", route=())
    assert play.state.error is not None
    assert "result=[]" in play.state.error.message


def test_a_step_with_edges_of_its_own_does_not_route_by_its_result() -> None:
    assert Play(flow("start -> a: if x", "start -> b: default"), x=True).finish("start", route=("b",)).at == "a"


# Work that is left to a worker


def test_computed_conditions_that_nobody_has_evaluated_are_left_to_a_worker() -> None:
    graph = flow("ask -> a: computed", "ask -> b: default", ask=HumanNode())
    play = Play(graph).complete("ask")
    assert play.at == "ask"
    assert kinds_of(play.now_due) == ["route ask"]
    assert play.history == ["ask"], "the step is finished, only its way out is not yet known"
    assert play.status is WorkflowStatus.RUNNING
    play.route("ask", conditions={0: True})
    assert play.at == "a"
    assert play.history == ["ask"]


def test_a_worker_that_evaluates_conditions_right_after_the_step_saves_the_second_claim() -> None:
    graph = flow("start -> a: computed", "start -> b: default")
    assert Play(graph).finish("start", conditions={0: True}).at == "a"
    assert Play(graph).finish("start", conditions={0: False}).at == "b"
    assert Play(graph).finish("start").now_due[0].kind == "route"


def test_a_worker_that_routes_without_a_single_truth_ends_the_matter() -> None:
    play = Play(flow("start -> a: computed", "start -> b: named", "start -> c: default")).finish("start")
    assert play.route("start").at == "c"


def test_routing_after_a_failure_goes_over_the_failure_edges() -> None:
    graph = flow("start -> next", "start -> a: on failure computed", "start -> b: on failure default")
    play = Play(graph).fail("start")
    assert kinds_of(play.now_due) == ["route start"]
    assert play.route("start", conditions={1: True}).at == "a"


def test_an_error_while_routing_fails_the_instance_and_does_not_record_the_step_again() -> None:
    play = Play(flow("start -> a: computed", "start -> b")).finish("start").fail("start", "condition broke")
    assert play.status is WorkflowStatus.FAILED
    assert play.history == ["start"]


def test_a_token_that_is_being_routed_still_counts_for_a_join() -> None:
    graph = flow("start -> a b", "a -> end: computed", "b -> end")
    play = Play(graph).run("start").finish("a").run("b")
    assert play.at == "a (end)"
    assert play.route("a", conditions={2: True}).at == "end"


def test_a_token_that_is_being_routed_is_cancelled_without_a_second_record() -> None:
    play = Play(flow("start -> a b", "a -> c: computed", "b")).run("start").finish("a").fail("b")
    assert play.history == ["start", "a", "b!failed"]


def test_a_computed_gateway_is_run_by_a_worker_and_named_successors_follow() -> None:
    graph = flow("start -> a b: named", start=GatewayNode("exclusive", computed=True))
    play = Play(graph)
    assert kinds_of(play.now_due) == ["run start"]
    assert play.finish("start", route=("b",)).at == "b"


# Loops


def test_a_loop_in_which_nothing_waits_fails_the_instance() -> None:
    play = Play(flow("start -> turn", "turn -> back", "back -> turn", turn=CHOICE, back=CHOICE)).run("start")
    assert play.status is WorkflowStatus.FAILED
    assert play.state.error is not None
    assert "without a pause" in play.state.error.message
    assert play.state.error.step == "turn"


def test_a_forking_loop_in_which_nothing_waits_fails_the_instance_soon() -> None:
    play = Play(flow("start -> fork", "fork -> fork a", "a -> fork", fork=FORK, a=FORK, joins={"fork": "each"})).run(
        "start"
    )
    assert play.status is WorkflowStatus.FAILED
    assert len(play.executions) < 5000


def test_a_loop_with_a_step_that_runs_may_go_round_as_often_as_it_likes() -> None:
    play = Play(flow("turn -> turn: if n < 1200", "turn -> end: default"), n=0)
    for n in range(1, 1200):
        play.run("turn", n=n)
    assert play.run("turn", n=1200).at == "end"


@pytest.mark.parametrize("kind", [TimerNode(5), HumanNode()])
def test_an_instance_waits_if_all_its_tokens_wait(kind: TimerNode | HumanNode) -> None:
    play = Play(flow("start -> wait work", wait=kind)).run("start")
    assert play.status is WorkflowStatus.RUNNING
    assert play.run("work").status is WorkflowStatus.WAITING


def test_an_instance_waits_if_what_is_inside_its_groups_waits() -> None:
    graph = flow("outer", outer=GroupNode("sequential", ("inner",)), inner=GroupNode("sequential", ("wait",)),
                 wait=TimerNode(5), scopes={"outer": "inner", "inner": "wait"})  # fmt: skip
    assert Play(graph).status is WorkflowStatus.WAITING


def test_records_tell_visit_attempts_and_times() -> None:
    play = Play(flow("turn -> turn: if again", "turn -> end: default"), again=True)
    play.finish("turn", attempts=3, started_at=play.now).run("turn", again=False)
    first, second = play.executions
    assert (first.visit, first.attempts, second.visit, second.attempts) == (1, 3, 2, 1)
    assert first.number < second.number
    assert play.state.last["turn"].visit == 2
    assert play.state.last["turn"].number == second.number
    assert second.started_at == first.started_at, "entered when the first was completed"
    assert [type(event) for event in play.events[1:]] == [StepCompleted, StepCompleted]
