"""``ForEach``: one token and a counter in its scope, a row and a scope for each item, bounded concurrency, one gathering."""

from __future__ import annotations

import pytest
from tests.unit.core.kernel.flows import CHOICE, flow
from tests.unit.core.kernel.play import Play, kinds_of

from workflows_core.domain.actor import Actor
from workflows_core.domain.commands import Cancel, CompleteStep, EnterStep, Writes
from workflows_core.domain.graph import ForEachNode, GroupNode, HumanNode, TimerNode, WebhookNode, WorkflowGraph
from workflows_core.domain.kernel import decide
from workflows_core.domain.state import Items
from workflows_core.domain.types import StepStatus, WorkflowStatus
from workflows_core.errors import ItemsNotLoadedError, StaleExecutionError


def simple(concurrency: int = 2) -> WorkflowGraph:
    """``loop`` over ``orders`` with body ``work``, then ``end``."""
    kind = ForEachNode("work", "orders", concurrency=concurrency, into="done")
    return flow("loop -> end", scopes={"loop": "work"}, loop=kind)


def items_of(play: Play, step: str = "loop") -> Items:
    """The counters of a running ``ForEach``."""
    ((_, token),) = play.places(step)
    assert token.items is not None
    return token.items


def test_as_many_items_are_active_as_the_concurrency_allows() -> None:
    play = Play(simple(2), orders=[1, 2, 3, 4, 5])
    assert play.at == "loop work.0 work.1"
    assert len(play.rows) == 5, "each item has its row from the start"
    play.run("work", item=1)
    assert play.at == "loop work.0 work.2"
    play.run("work", item=0).run("work", item=2)
    assert play.at == "loop work.3 work.4"
    assert (items_of(play).total, items_of(play).started, items_of(play).done) == (5, 5, 3)


def test_results_are_gathered_once_in_the_order_of_the_items() -> None:
    play = Play(simple(3), orders=["a", "b", "c"])
    play.run("work", item=2, result="C").run("work", item=0, result="A")
    assert play.at == "loop work.1"
    play.run("work", item=1)
    assert kinds_of(play.now_due) == ["gather loop"]
    assert play.status is WorkflowStatus.RUNNING
    play.gather("loop")
    assert play.at == "end"
    assert play.data["done"] == ["A", None, "C"]
    assert not play.rows
    assert play.history == ["work", "work", "work", "loop"]
    assert [run.item for run in play.executions] == [2, 0, 1, -1]


def test_an_item_knows_its_data_when_it_is_activated_without_the_others_being_read() -> None:
    play = Play(simple(1), orders=["a", "b"])
    play.run("work", item=0)
    assert play.last.items[-1].data is None, "the stored data of the next item are kept"
    assert play.seen("work", 1)["item"] == "b"


def test_finishing_one_item_writes_that_item_and_the_next_and_no_other() -> None:
    play = Play(simple(3), orders=list(range(10))).run("work", item=1)
    assert [scope.index for scope in play.last.items] == [1, 3]
    assert play.reloads == 0


def test_an_empty_collection_is_finished_at_once() -> None:
    play = Play(simple(), orders=[])
    assert play.at == "end"
    assert play.data["done"] == []
    assert play.history == ["loop"]


def test_less_concurrency_than_one_is_one() -> None:
    assert Play(simple(0), orders=[1, 2]).at == "loop work.0"


@pytest.mark.parametrize("orders", ["text", 5, None, {"a": 1}])
def test_a_source_that_is_no_list_fails_the_step(orders: object) -> None:
    play = Play(simple(), orders=orders)
    assert play.status is WorkflowStatus.FAILED
    assert play.state.error is not None
    assert "the source 'orders' must give a list" in play.state.error.message


def test_a_source_that_cannot_be_evaluated_takes_the_failure_edge() -> None:
    graph = flow(
        "loop -> end", "loop -> mend: on failure", scopes={"loop": "work"}, loop=ForEachNode("work", "orders + 1")
    )
    assert Play(graph, orders=[1]).at == "mend"


def test_items_may_come_from_code() -> None:
    graph = flow("loop -> end", scopes={"loop": "work"}, loop=ForEachNode("work", computed=True, into="done"))
    play = Play(graph)
    assert kinds_of(play.now_due) == ["prepare loop"]
    play.prepare("loop", items=(b'"a"', b'"b"'))
    assert play.at == "loop work.0 work.1"
    assert play.seen("work", 1)["item"] == "b"
    with pytest.raises(StaleExecutionError):
        play.prepare("loop", items=(b"1",))
    assert Play(graph).prepare("loop", items=()).at == "end"


def test_an_item_that_fails_fails_the_step_and_cancels_the_others() -> None:
    graph = flow(
        "loop -> end",
        "loop -> mend: on failure",
        scopes={"loop": "work"},
        loop=ForEachNode("work", "orders", concurrency=2),
    )
    play = Play(graph, orders=[1, 2, 3, 4]).run("work", item=0).fail("work", item=2)
    assert play.at == "mend"
    assert play.history == ["work", "work!failed", "work!canceled", "loop!failed"]
    assert [run.item for run in play.executions] == [0, 2, 1, -1]
    assert not play.rows
    assert play.reloads == 1, "to cancel the others it has to know them"


def test_an_item_that_fails_without_a_failure_edge_fails_the_instance() -> None:
    play = Play(simple(), orders=[1, 2, 3]).fail("work", "no", item=1)
    assert play.status is WorkflowStatus.FAILED
    assert len(play.rows) == 3, "kept for a retry"
    assert play.history == ["work!failed", "loop!failed", "work!canceled"]
    assert play.state.error is not None
    assert play.state.error.message == "no"


def test_a_failure_that_is_caught_inside_an_item_is_no_failure_of_the_step() -> None:
    graph = flow(
        "loop -> end",
        "work -> mend: on failure",
        scopes={"loop": "work mend"},
        loop=ForEachNode("work", "orders", into="done"),
    )
    play = Play(graph, orders=[1, 2]).fail("work", item=0).run("mend").run("work", item=1, result="ok")
    assert play.gather("loop").data["done"] == [None, "ok"]


def test_the_only_item_that_fails_leaves_nothing_to_cancel() -> None:
    play = Play(simple(1), orders=[1]).fail("work")
    assert play.status is WorkflowStatus.FAILED
    assert play.reloads == 0


def test_cancelling_needs_all_active_items() -> None:
    play = Play(simple(3), orders=[1, 2, 3])
    command = Cancel(actor=Actor("ann"), now=play.now)
    with pytest.raises(ItemsNotLoadedError):
        decide(play.program, play.state, command)
    play.cancel()
    assert play.reloads == 1
    assert play.status is WorkflowStatus.CANCELED
    assert play.history == ["work!canceled", "work!canceled", "work!canceled", "loop!canceled"]
    assert not play.rows


def test_cancelling_while_the_results_are_to_be_gathered_needs_no_item() -> None:
    play = Play(simple(3), orders=[1]).run("work").cancel()
    assert play.reloads == 0
    assert play.history == ["work", "loop!canceled"]
    assert not play.rows


def test_gathering_that_fails_fails_the_step_once() -> None:
    play = Play(simple(3), orders=[1]).run("work").fail("loop", "too large")
    assert play.status is WorkflowStatus.FAILED
    assert play.history == ["work", "loop!failed"]


def test_a_step_that_waits_for_its_items_is_not_completed_by_a_worker() -> None:
    play = Play(simple(3), orders=[1])
    for command in (play.run, play.gather, play.enter):
        with pytest.raises((StaleExecutionError, KeyError)):
            command("loop")
    play.run("work")
    with pytest.raises(StaleExecutionError):
        play.run("loop")


def test_any_cancels_a_for_each_with_its_items() -> None:
    graph = flow(
        "start -> loop quick",
        "loop quick -> end",
        scopes={"loop": "work"},
        joins={"end": "any"},
        loop=ForEachNode("work", "orders", concurrency=2),
    )
    play = Play(graph, orders=[1, 2, 3]).run("start").run("work", item=0).run("quick")
    assert play.at == "end"
    assert play.history == ["start", "work", "quick", "work!canceled", "work!canceled", "loop!canceled"]
    assert not play.rows
    assert {item.step for item in play.work.values()} == {"end"}


def test_an_instance_waits_if_all_items_wait_and_the_counter_of_busy_items_says_so() -> None:
    graph = flow(
        "loop -> end",
        "work -> ask",
        scopes={"loop": "work ask"},
        loop=ForEachNode("work", "orders", concurrency=2),
        ask=HumanNode(),
    )
    play = Play(graph, orders=[1, 2, 3])
    assert items_of(play).busy == 2
    assert play.run("work", item=0).status is WorkflowStatus.RUNNING
    assert items_of(play).busy == 1
    assert play.run("work", item=1).status is WorkflowStatus.WAITING
    assert items_of(play).busy == 0
    assert play.complete("ask", item=1).status is WorkflowStatus.RUNNING
    assert play.at == "ask.0 loop work.2"


def test_steps_that_read_data_are_entered_by_a_worker_when_the_item_was_not_read() -> None:
    graph = flow(
        "loop -> end", "choice -> big: if item > 1", "choice -> small: default", scopes={"loop": "choice big small"}, choice=CHOICE,
        loop=ForEachNode("choice", "orders", concurrency=1),
    )  # fmt: skip
    play = Play(graph, orders=[1, 2])
    assert play.at == "loop small.0", "the first item is at hand"
    play.run("small")
    assert kinds_of(play.now_due) == ["enter choice"]
    command = EnterStep(place=play.place("choice"), now=play.now)
    with pytest.raises(ItemsNotLoadedError):
        decide(play.program, play.last.state, command)
    play.apply(command)
    assert play.at == "big.1 loop"


@pytest.mark.parametrize("kind", [TimerNode(5), WebhookNode(), HumanNode(computed=True), GroupNode("race", ("a",))])
def test_steps_that_read_no_data_are_entered_at_once(kind: TimerNode | WebhookNode | HumanNode | GroupNode) -> None:
    inner = {"loop": "body", "body": "a"} if isinstance(kind, GroupNode) else {"loop": "body"}
    graph = flow("loop", scopes=inner, loop=ForEachNode("body", "orders", concurrency=1), body=kind)
    play = Play(graph, orders=[1, 2])
    first = play.last.work
    step = "a" if isinstance(kind, GroupNode) else "body"
    if isinstance(kind, TimerNode):
        play.fire("body")
    elif isinstance(kind, WebhookNode):
        play.call("body", 1, scope=play.place("body").scope)
    elif isinstance(kind, HumanNode):
        play.prepare("body").complete("body")
    else:
        play.run("a")
    written = [item.kind for item in play.last.work.values() if item is not None]
    assert written == [item.kind for item in first.values() if item is not None]
    assert step in play.at


def test_a_call_into_an_item_keeps_the_data_of_the_item() -> None:
    graph = flow(
        "loop",
        "hook -> work",
        scopes={"loop": "hook work"},
        loop=ForEachNode("hook", "orders", concurrency=1),
        hook=WebhookNode(into="paid"),
    )
    play = Play(graph, orders=["a", "b"]).call("hook", 1, scope=1 + 2)
    play.run("work").call("hook", 2, scope=play.place("hook").scope)
    assert play.seen("work") == {"orders": ["a", "b"], "item": "b", "index": 1, "paid": 2}


def test_a_late_result_of_an_item_that_is_over_is_stale() -> None:
    play = Play(simple(2), orders=[1, 2])
    place = play.place("work", 0)
    play.run("work", item=0)
    with pytest.raises(StaleExecutionError):
        play.apply(CompleteStep(place=place, now=play.now))


def test_more_items_than_any_limit_on_rounds_may_be_active_at_once() -> None:
    play = Play(simple(3000), orders=list(range(3000)))
    assert len(play.now_due) == 3000
    assert play.status is WorkflowStatus.RUNNING


def test_the_cost_of_an_item_does_not_grow_with_their_number() -> None:
    play = Play(simple(2), orders=list(range(2000))).run("work", item=0)
    assert len(play.last.items) == 2
    assert len(play.last.state.scopes) == 2 + 1 - 1


def test_cancelled_items_are_recorded_with_their_index() -> None:
    play = Play(simple(2), orders=[1, 2]).cancel()
    assert [(run.item, run.status) for run in play.executions] == [
        (0, StepStatus.CANCELED),
        (1, StepStatus.CANCELED),
        (-1, StepStatus.CANCELED),
    ]


def test_data_of_an_item_that_were_not_read_are_not_overwritten() -> None:
    """A worker that goes on in place with the next item has to read it first: the state of the transition has no data of it."""
    play = Play(simple(1), orders=["a", "b"]).run("work", item=0)
    command = CompleteStep(place=play.place("work", 1), now=play.now, writes=Writes({"x": b"1"}))
    with pytest.raises(ItemsNotLoadedError):
        decide(play.program, play.last.state, command)
    play.apply(command)
