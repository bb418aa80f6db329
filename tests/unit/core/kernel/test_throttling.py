"""What limits the concurrency and the rate of a step: written into its work items when they are written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.core.kernel.flows import flow
from tests.unit.core.kernel.play import EPOCH, Play

from workflows_core.domain.actor import Actor
from workflows_core.domain.commands import Retry
from workflows_core.domain.graph import ForEachNode, HumanNode, WorkflowGraph
from workflows_core.domain.throttles import ConcurrencyLimit, RateLimit
from workflows_core.domain.transition import Rate, Slot, WorkItem
from workflows_core.domain.types import WorkflowStatus


def limited(graph: WorkflowGraph, step: str = "call", **limits: Any) -> WorkflowGraph:
    return replace(graph, name="sync", nodes={**graph.nodes, step: replace(graph.nodes[step], **limits)})


def only(play: Play) -> WorkItem:
    (item,) = play.work.values()
    return item


def test_a_limit_is_that_of_the_step_of_the_workflow_unless_it_has_a_name() -> None:
    graph = flow("call")
    assert only(Play(limited(graph, concurrency=ConcurrencyLimit(3)))).slot == Slot("sync/call", 3)
    assert only(Play(limited(graph, concurrency=ConcurrencyLimit(3, name="api")))).slot == Slot("api", 3)
    rate = RateLimit(2, timedelta(minutes=1))
    assert only(Play(limited(graph, rate=rate))).rate == Rate("sync/call", 2, 60.0)


def test_a_key_divides_a_limit_by_its_value_as_it_is_encoded() -> None:
    graph = limited(flow("call"), concurrency=ConcurrencyLimit(1, key="customer"))

    def key(**data: Any) -> str:
        slot = only(Play(graph, {}, **data)).slot
        assert slot is not None
        return slot.key

    assert key(customer="ada") == 'sync/call\x1f"ada"'
    assert key(customer=7) == "sync/call\x1f7"
    assert key() == key(customer=None) == "sync/call\x1fnull"
    long, other = key(customer="x" * 1000), key(customer="x" * 1001)
    assert long != other
    assert len(long) < 100
    assert key(customer="\x1f") != key(customer="\x1e")


def test_a_key_is_read_when_the_step_is_entered_and_again_for_another_attempt() -> None:
    graph = limited(flow("first -> call"), concurrency=ConcurrencyLimit(1, key="customer"))
    play = Play(graph, {}, customer="ada").run("first", customer="bob")
    assert only(play).slot == Slot('sync/call\x1f"bob"', 1)
    play.fail("call", retry_s=5.0)
    assert (only(play).slot, only(play).delay_s) == (Slot('sync/call\x1f"bob"', 1), 5.0)


def test_what_follows_and_what_only_routes_is_not_limited() -> None:
    graph = limited(flow("call -> next : if x > 1", "call -> other : computed"), concurrency=ConcurrencyLimit(1))
    play = Play(graph, {}, x=0).finish("call")
    assert (only(play).kind, only(play).is_throttled) == ("route", False)
    play = Play(limited(flow("call -> next"), concurrency=ConcurrencyLimit(1))).run("call")
    assert not only(play).is_throttled


def test_a_compensation_needs_a_slot_too() -> None:
    graph = limited(flow("call -> pay", undo="call"), concurrency=ConcurrencyLimit(1))
    play = Play(graph).run("call").fail("pay")
    assert (only(play).kind, only(play).slot) == ("undo", Slot("sync/call", 1))


def test_the_key_is_one_of_the_instance_also_inside_an_item() -> None:
    graph = flow("each", "call", scopes={"each": "call"}, each=ForEachNode("call", source="customers", item="customer"))
    play = Play(
        limited(graph, concurrency=ConcurrencyLimit(1, key="customer")), {}, customer="us", customers=["a", "b"]
    )
    assert {item.slot for item in play.work.values()} == {Slot('sync/call\x1f"us"', 1)}


@pytest.mark.parametrize("delay", [{}, {"delay_s": 9.0}])
def test_an_instance_that_begins_later_needs_its_slot_when_it_begins(delay: dict[str, Any]) -> None:
    play = Play(limited(flow("call"), concurrency=ConcurrencyLimit(1)), delay)
    if delay:
        assert not only(play).is_throttled
        play.enter("call")
    assert only(play).is_throttled


ONE_EACH = ConcurrencyLimit(1, key="customer")


@pytest.mark.parametrize("first", [None, HumanNode()])
def test_an_instance_that_needs_a_slot_is_pending_until_it_has_one(first: Any) -> None:
    graph = replace(flow("first -> second", **({} if first is None else {"first": first})), concurrency=ONE_EACH)
    play = Play(graph, {}, customer="ada")
    assert str(play.status) == "pending"
    assert (only(play).kind, only(play).admission) == ("enter", Slot('flow\x1f"ada"', 1))
    assert not play.tasks
    play.enter("first")
    assert play.status is not WorkflowStatus.PENDING
    assert not play.state.awaits_slot
    assert not any(item.is_throttled for item in play.work.values())


def test_an_instance_may_need_a_slot_and_begin_later() -> None:
    play = Play(replace(flow("first"), concurrency=ConcurrencyLimit(2)), {"delay_s": 9.0})
    assert (only(play).delay_s, only(play).admission) == (9.0, Slot("flow", 2))


def test_an_instance_that_failed_needs_a_slot_anew() -> None:
    graph = replace(flow("first -> left right"), concurrency=ConcurrencyLimit(1))
    play = Play(graph).enter("first").run("first").fail("left")
    play.apply(Retry(actor=Actor("ann"), now=EPOCH))
    assert {item.step: item.admission for item in play.work.values()} == {
        "left": Slot("flow", 1),
        "right": Slot("flow", 1),
    }
    play.run("left")
    assert not play.state.awaits_slot


def test_the_deadline_of_an_instance_needs_no_slot() -> None:
    play = Play(replace(flow("first", deadline_s=9.0), concurrency=ConcurrencyLimit(1)))
    assert not play.work[0].is_throttled


def test_a_step_whose_time_is_over_while_its_instance_waits_leaves_it_waiting() -> None:
    graph = flow("first -> left right", "left -> late: on timeout", timeouts={"left": 5.0})
    play = Play(replace(graph, concurrency=ConcurrencyLimit(1))).enter("first").run("first").fail("right")
    play.apply(Retry(actor=Actor("ann"), now=EPOCH)).expire("left")
    assert play.state.awaits_slot
    assert all(item.admission for item in play.work.values())
