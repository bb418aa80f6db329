"""Groups: sequential, parallel with a callback, conditional, race; what ends, fails and is cancelled with them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.core.kernel.flows import CHOICE, FORK, flow
from tests.unit.core.kernel.play import Play, decode, kinds_of

from workflows_core.domain.graph import GatewayNode, GroupNode, HumanNode, NodeKind, TimerNode
from workflows_core.domain.types import StepStatus, WorkflowStatus
from workflows_core.errors import StaleExecutionError


def result_of(play: Play, step: str) -> Any:
    """The result of the last execution of a step."""
    raw = next(run.result for run in reversed(play.executions) if run.step_name == step)
    return None if raw is None else decode(raw)


def test_a_sequential_group_runs_its_steps_in_order_and_has_the_last_result() -> None:
    graph = flow("group -> end", "a -> b", group=GroupNode("sequential", ("a",)), scopes={"group": "a b"})
    play = Play(graph)
    assert play.at == "a group"
    play.run("a", result=1)
    assert play.at == "b group"
    play.run("b", result=2)
    assert play.at == "end"
    assert play.history == ["a", "b", "group"]
    assert result_of(play, "group") == 2
    assert list(play.state.scopes) == [0]


def test_the_last_result_is_that_of_the_last_step_even_if_it_has_none() -> None:
    graph = flow("group -> end", "a -> b", group=GroupNode("sequential", ("a",)), scopes={"group": "a b"})
    assert result_of(Play(graph).run("a", result=1).run("b"), "group") is None


def test_the_last_result_is_that_of_the_step_that_ran_last_when_a_loop_goes_back() -> None:
    graph = flow(
        "group", "a -> b: if more", "a -> end: default", "b -> a", end=CHOICE, group=GroupNode("sequential", ("a",)),
        scopes={"group": "a b end"},
    )  # fmt: skip
    play = Play(graph, more=True).run("a", result="a1").run("b", result="b", more=False).run("a", result="a2")
    assert result_of(play, "group") == "a2", "a gateway has no result of its own"


def test_a_parallel_group_runs_all_and_has_their_results_in_order() -> None:
    graph = flow("group -> end", group=GroupNode("parallel", ("a", "b", "c"), into="all"), scopes={"group": "a b c"})
    play = Play(graph)
    assert play.at == "a b c group"
    play.run("c", result=3).run("a", result=1).skip("b")
    assert play.at == "end"
    assert play.data == {"all": [1, None, 3]}


def test_the_callback_of_a_parallel_group_runs_once_after_all_and_gives_the_result() -> None:
    graph = flow(
        "group -> end",
        "a b -> sum",
        group=GroupNode("parallel", ("a", "b"), callback="sum", into="sum"),
        scopes={"group": "a b sum"},
    )
    play = Play(graph).run("b", result=2)
    assert play.at == "a group (sum)"
    play.run("a", result=1)
    inner = play.state.scopes[play.place("sum").scope]
    assert {name: decode(raw) for name, raw in inner.results.items()} == {"a": 1, "b": 2}, "for the callback to read"
    assert play.run("sum", result=3).data == {"sum": 3}


CONDITIONAL: dict[str, NodeKind] = {
    "group": GroupNode("conditional", branches={"x": "a", "y": "b"}, selector="kind", into="found")
}


def test_a_conditional_group_runs_the_chosen_branch_alone() -> None:
    graph = flow("group -> end", scopes={"group": "a b"}, group=CONDITIONAL["group"])
    play = Play(graph, kind="y")
    assert play.at == "b group"
    play.run("b", result="done")
    assert play.data == {"kind": "y", "found": "done"}
    assert play.at == "end"


@pytest.mark.parametrize("kind", [None, "z", 5])
def test_a_conditional_group_without_a_match_has_no_result_and_goes_on(kind: object) -> None:
    graph = flow("group -> end", scopes={"group": "a b"}, group=CONDITIONAL["group"])
    play = Play(graph, kind=kind, found="old")
    assert play.at == "end"
    assert play.history == ["group"]
    assert play.data["found"] is None
    assert list(play.state.scopes) == [0]


def test_a_branch_may_be_chosen_by_code() -> None:
    kind = GroupNode("conditional", branches={"x": "a", "y": "b"}, computed=True)
    play = Play(flow("group -> end", scopes={"group": "a b"}, group=kind))
    assert kinds_of(play.now_due) == ["prepare group"]
    assert play.prepare("group", branch="x").at == "a group"
    assert Play(flow("group -> end", scopes={"group": "a b"}, group=kind)).prepare("group").at == "end"


def test_an_echo_of_a_choice_is_refused() -> None:
    kind = GroupNode("conditional", branches={"x": "a"}, computed=True)
    play = Play(flow("group", scopes={"group": "a"}, group=kind)).prepare("group", branch="x")
    with pytest.raises(StaleExecutionError):
        play.prepare("group", branch="x")


def test_a_selector_that_cannot_be_evaluated_fails_the_group() -> None:
    graph = flow(
        "group -> end", "group -> mend: on failure", scopes={"group": "a"},
        group=GroupNode("conditional", branches={"x": "a"}, selector="kind + 1"),
    )  # fmt: skip
    play = Play(graph, kind="x")
    assert play.at == "mend"
    assert play.executions[0].error is not None
    assert play.executions[0].error.type == "ConditionError"


def test_the_first_to_finish_decides_a_race() -> None:
    graph = flow("race -> end", scopes={"race": "a ask wait"}, race=GroupNode("race", ("a", "ask", "wait"), into="won"),
                 ask=HumanNode(), wait=TimerNode(60))  # fmt: skip
    play = Play(graph).complete("ask", {"ok": 1})
    assert play.at == "end"
    assert play.data == {"won": {"ok": 1}}, "the form went no further than the race"
    assert play.history == ["ask", "a!canceled", "wait!canceled", "race"]
    assert not play.tasks


def test_a_timer_may_win_a_race_and_its_result_is_none() -> None:
    graph = flow(
        "race -> end", scopes={"race": "a wait"}, race=GroupNode("race", ("a", "wait"), into="won"), wait=TimerNode(60)
    )
    play = Play(graph).fire("wait")
    assert play.at == "end"
    assert play.data == {"won": None}


def test_a_race_is_decided_by_the_first_failure_too() -> None:
    graph = flow("race -> end", "race -> mend: on failure", scopes={"race": "a b"}, race=GroupNode("race", ("a", "b")))
    play = Play(graph).fail("b")
    assert play.at == "mend"
    assert play.history == ["b!failed", "a!canceled", "race!failed"]


def test_a_failure_that_is_caught_inside_a_race_does_not_decide_it() -> None:
    graph = flow(
        "race -> end", "a -> mend: on failure", scopes={"race": "a b mend"}, race=GroupNode("race", ("a", "b"))
    )
    play = Play(graph).fail("a")
    assert play.at == "b mend race"
    assert play.run("mend").at == "end"


def test_a_race_is_decided_by_the_first_end_also_when_a_branch_has_split() -> None:
    graph = flow(
        "race -> end",
        "a -> x y",
        scopes={"race": "a wait x y"},
        race=GroupNode("race", ("a", "wait")),
        wait=TimerNode(60),
    )
    play = Play(graph).run("a")
    assert play.at == "race wait x y"
    assert play.fire("wait").at == "end"


def test_a_race_is_not_decided_by_branches_that_are_joined() -> None:
    graph = flow("race -> end", "a b -> both", scopes={"race": "a b both"}, race=GroupNode("race", ("a", "b")))
    play = Play(graph).run("a").run("b")
    assert play.at == "both race"
    assert play.run("both").at == "end"


def test_groups_nest() -> None:
    graph = flow(
        "outer -> end", "a -> inner", "inner -> d", "b c -> sum", scopes={"outer": "a inner d", "inner": "b c sum"},
        outer=GroupNode("sequential", ("a",)), inner=GroupNode("parallel", ("b", "c"), callback="sum", into="inner_result"),
    )  # fmt: skip
    play = Play(graph).run("a").run("b").run("c")
    assert play.at == "inner outer sum"
    play.run("sum", result=6)
    assert play.seen("d") == {"inner_result": 6}
    assert play.run("d", result=7).at == "end"
    assert result_of(play, "outer") == 7


def test_a_failure_inside_fails_the_group_and_cancels_only_inside() -> None:
    graph = flow(
        "start -> group other", "group -> end", "group -> mend: on failure", "other -> end", scopes={"group": "a b c"},
        group=GroupNode("parallel", ("a", "b", "c")), b=HumanNode(),
    )  # fmt: skip
    play = Play(graph).run("start").fail("a", "broken")
    assert play.at == "mend other"
    assert play.history == ["start", "a!failed", "b!canceled", "c!canceled", "group!failed"]
    assert play.executions[-1].error is not None
    assert (play.executions[-1].error.message, play.executions[-1].error.step) == ("broken", "a")


def test_a_failure_goes_outwards_until_an_edge_takes_it() -> None:
    graph = flow(
        "outer -> end", "outer -> mend: on failure", scopes={"outer": "inner", "inner": "a b"},
        outer=GroupNode("sequential", ("inner",)), inner=GroupNode("parallel", ("a", "b")),
    )  # fmt: skip
    play = Play(graph).fail("b")
    assert play.at == "mend"
    assert play.history == ["b!failed", "a!canceled", "inner!failed", "outer!failed"]


def test_a_failure_that_nobody_takes_fails_the_instance_from_the_innermost_scope() -> None:
    graph = flow(
        "outer -> end",
        scopes={"outer": "inner", "inner": "a"},
        outer=GroupNode("sequential", ("inner",)),
        inner=GroupNode("sequential", ("a",)),
    )
    play = Play(graph).fail("a")
    assert play.status is WorkflowStatus.FAILED
    assert play.history == ["a!failed", "inner!failed", "outer!failed"]
    assert play.discard().status is WorkflowStatus.FAILED
    assert list(play.state.scopes) == [0]


def test_a_step_that_is_terminal_for_the_instance_ends_it_from_inside_nested_scopes() -> None:
    graph = flow(
        "start -> outer other", scopes={"outer": "inner side", "inner": "a b"}, terminal={"a": "instance"},
        outer=GroupNode("parallel", ("inner", "side")), inner=GroupNode("parallel", ("a", "b")),
    )  # fmt: skip
    play = Play(graph).run("start").run("a")
    assert play.status is WorkflowStatus.COMPLETED
    assert {run.step_name for run in play.executions if run.status is StepStatus.CANCELED} == {
        "b",
        "inner",
        "outer",
        "side",
        "other",
    }


def test_a_group_in_a_loop_begins_afresh_each_time() -> None:
    graph = flow(
        "group -> check", "check -> group: if again", "check -> end: default", "a -> b", scopes={"group": "a b"},
        group=GroupNode("sequential", ("a",)),
    )  # fmt: skip
    play = Play(graph, again=True).run("a", mine=1).run("b").run("check")
    first = play.executions[0]
    assert play.at == "a group"
    assert play.seen("a") == {"again": True}
    play.run("a")
    assert play.executions[-1].scope != first.scope
    assert play.executions[-1].visit == 1, "visits are counted in the scope"
    play.run("b").run("check", again=False)
    assert [run.visit for run in play.executions if run.step_name == "group"] == [1, 2]


def test_an_empty_group_is_finished_at_once() -> None:
    assert Play(flow("group -> end", group=GroupNode("sequential"))).at == "end"


def test_a_group_of_gateways_is_passed_in_one_decision() -> None:
    graph = flow(
        "group -> end",
        "a -> b c",
        scopes={"group": "a b c"},
        group=GroupNode("sequential", ("a",)),
        a=FORK,
        b=CHOICE,
        c=GatewayNode("inclusive"),
    )
    play = Play(graph)
    assert play.at == "end"
    assert play.state.revision == 1


def test_a_join_behind_groups_waits_for_what_is_inside_them() -> None:
    graph = flow(
        "start -> group other", "group other -> end", scopes={"group": "a"}, group=GroupNode("sequential", ("a",))
    )
    play = Play(graph).run("start").run("other")
    assert play.at == "a (end) group"
    assert play.run("a").at == "end"


def test_a_group_that_ends_at_once_has_ended_before_a_join_around_it_is_looked_at() -> None:
    graph = flow(
        "start -> quick group", "quick group -> end", scopes={"group": "go"}, joins={"end": "any"}, quick=CHOICE,
        group=GroupNode("sequential", ("go",)), go=CHOICE,
    )  # fmt: skip
    assert Play(graph).run("start").history == ["start", "quick", "go", "group"]


def test_a_group_that_fails_at_once_lets_nothing_more_into_it() -> None:
    graph = flow(
        "group -> end", "group -> mend: on failure", scopes={"group": "bad work", "bad": "x"},
        group=GroupNode("parallel", ("bad", "work")), bad=GroupNode("conditional", branches={"x": "x"}, selector="1 / 0"),
    )  # fmt: skip
    play = Play(graph)
    assert play.at == "mend"
    assert play.history == ["bad!failed", "group!failed"]
