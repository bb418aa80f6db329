"""Named signals: who gets one, what is kept for later, and what is never taken twice."""

from __future__ import annotations

import math

import pytest
from msgspec.structs import replace
from tests.unit.core.kernel.flows import flow
from tests.unit.core.kernel.play import Play, kinds_of

from workflows_core.domain.events import SignalReceived
from workflows_core.domain.graph import ForEachNode, GroupNode, SignalNode
from workflows_core.domain.kernel.signals import KEPT_KEYS, TAKEN_AT_ONCE
from workflows_core.domain.types import WorkflowStatus
from workflows_core.errors import (
    InputValidationError,
    InstanceEndingError,
    InstanceFinishedError,
    SignalAlreadyReceivedError,
    UnknownSignalError,
)

GO = flow("start -> wait", "wait -> end", wait=SignalNode("go"))
NUMBER = {"type": "integer"}
EACH = flow("each -> end", each=ForEachNode("wait", "orders", concurrency=2), wait=SignalNode("go"),
            scopes={"each": "wait"})  # fmt: skip


def received(play: Play) -> list[tuple[str, bool, str | None]]:
    return [(event.name, event.early, event.dedup_key) for event in play.events if isinstance(event, SignalReceived)]


def test_a_step_that_waits_for_a_signal_is_watched_by_a_work_item_that_is_never_due() -> None:
    play = Play(GO).run("start")
    (item,) = play.work.values()
    assert (item.kind, item.delay_s) == ("await", math.inf)
    assert play.status is WorkflowStatus.WAITING


def test_a_signal_stores_its_payload_and_moves_the_step_that_waits() -> None:
    play = Play(GO).run("start").signal("go", {"sum": 3}, key="k")
    assert play.at == "end"
    assert play.data == {"signals": {"wait": {"sum": 3}}}
    assert play.executions[-1].result == b'{"sum":3}'
    assert received(play) == [("go", False, "k")]
    assert not play.state.signals


def test_a_payload_goes_into_one_key_if_the_step_says_so() -> None:
    assert Play(flow("wait", wait=SignalNode("go", into="sum"))).signal("go", 5).data == {"sum": 5}


def test_a_signal_before_its_step_is_kept_and_taken_at_once() -> None:
    play = Play(GO).signal("go", 1)
    assert play.at == "start"
    assert play.state.signals == {"go": (b"1",)}
    assert received(play) == [("go", True, None)]
    play.run("start")
    assert play.at == "end"
    assert play.data == {"signals": {"wait": 1}}
    assert not play.state.signals


def test_a_signal_of_another_name_moves_nothing() -> None:
    play = Play(flow("wait -> later", wait=SignalNode("go"), later=SignalNode("stop"))).signal("stop", 1)
    assert play.at == "wait"
    assert play.state.signals == {"stop": (b"1",)}


def test_a_signal_that_no_step_ever_waits_for_is_refused() -> None:
    play = Play(GO)
    with pytest.raises(UnknownSignalError, match="takes no signal 'Go'; its steps wait for 'go'"):
        play.signal("Go", 1)
    assert not play.state.signals
    with pytest.raises(UnknownSignalError, match="none of its steps waits for a signal"):
        Play(flow("start -> end")).signal("go", 1)


def test_kept_signals_are_taken_in_their_order_one_by_each_visit() -> None:
    loop = flow("start -> wait", "wait -> work", "work -> wait", wait=SignalNode("go", into="got"))
    play = Play(loop).signal("go", "first").signal("go", "second").run("start")
    assert play.data["got"] == "first"
    assert play.run("work").data["got"] == "second"
    assert play.run("work").at == "wait"
    assert not play.state.signals


def test_the_step_that_was_entered_first_gets_the_signal() -> None:
    graph = flow("start -> one two", "one -> a", "two -> b", a=SignalNode("go"), b=SignalNode("go"))
    play = Play(graph).run("start").run("two").run("one")
    assert play.signal("go", 1).at == "a"
    assert play.signal("go", 2).data == {"signals": {"a": 2, "b": 1}}


def test_a_step_in_a_group_gets_a_signal_and_writes_inside_the_group() -> None:
    graph = flow("group -> end", "wait -> work", group=GroupNode("sequential", ("wait",)), wait=SignalNode("go"),
                 scopes={"group": "wait work"})  # fmt: skip
    play = Play(graph).signal("go", 1)
    assert play.at == "group work"
    assert play.seen("work")["signals"] == {"wait": 1}
    assert play.data == {}


def test_items_get_signals_in_the_order_of_their_entry() -> None:
    play = Play(EACH, orders=["a", "b", "c"]).signal("go", 1)
    assert play.reloads == 1, "the items must be looked at"
    assert play.at == "each wait.1 wait.2"
    play.signal("go", 2).signal("go", 3).work_off()
    assert play.executions[3].result == b"[1,2,3]"


def test_a_signal_to_a_step_at_the_top_reads_no_items() -> None:
    graph = flow("start -> each wait", "each wait -> end", each=ForEachNode("work", "orders"), wait=SignalNode("go"),
                 scopes={"each": "work"})  # fmt: skip
    play = Play(graph, orders=["a", "b"]).run("start").signal("go", 1)
    assert play.reloads == 0
    assert play.at == "each (end) work.0 work.1"


def test_a_kept_signal_waits_until_the_data_of_the_item_that_takes_it_are_read() -> None:
    graph = flow(
        "each -> end", "wait -> work", each=ForEachNode("body", "orders", concurrency=1),
        body=GroupNode("sequential", ("wait",)), wait=SignalNode("go"), scopes={"each": "body", "body": "wait work"},
    )  # fmt: skip
    play = Play(graph, orders=["a", "b"]).signal("go", 1).signal("go", 2)
    play.run("work")
    assert kinds_of(play.now_due) == ["enter wait"]
    assert play.state.signals == {"go": (b"2",)}
    play.enter("wait")
    assert play.seen("work")["signals"] == {"wait": 2}


def test_a_loop_takes_many_kept_signals_in_several_decisions() -> None:
    loop = flow(
        "start -> wait", "wait -> wait: if got < 250", "wait -> end: default", wait=SignalNode("go", into="got")
    )
    play = Play(loop)
    for number in range(251):
        play.signal("go", number)
    play.run("start")
    assert len(play.last.executions) == TAKEN_AT_ONCE + 1
    play.enter_all()
    assert play.at == "end"
    assert (play.data["got"], play.state.signals) == (250, {})


def test_a_second_signal_with_the_same_key_is_refused_also_when_the_instance_is_over() -> None:
    play = Play(GO).signal("go", 1, key="a").signal("go", 2, key="b")
    for _ in range(2):
        with pytest.raises(SignalAlreadyReceivedError, match="'a'"):
            play.signal("go", 3, key="a")
        if play.at == "start":
            play.run("start").run("end")
    assert play.status is WorkflowStatus.COMPLETED
    assert play.data == {"signals": {"wait": 1}}


def test_as_many_keys_are_remembered_as_the_state_can_bear() -> None:
    play = Play(GO)
    play.state = replace(play.state, signal_keys=tuple(f"key {number}" for number in range(KEPT_KEYS)))
    play.signal("go", 1, key="last")
    assert len(play.state.signal_keys) == KEPT_KEYS
    assert play.state.signal_keys[-1] == "last"
    assert "key 0" not in play.state.signal_keys


def test_a_payload_that_the_waiting_step_cannot_take_is_refused_and_its_key_may_be_used_again() -> None:
    play = Play(flow("wait", wait=SignalNode("go", NUMBER)))
    with pytest.raises(InputValidationError, match="payload of signal 'go'"):
        play.signal("go", "x", key="k")
    assert play.at == "wait"
    assert play.signal("go", 1, key="k").status is WorkflowStatus.COMPLETED


def test_a_kept_payload_that_its_step_cannot_take_fails_the_step() -> None:
    graph = flow("start -> wait", "wait -> mend: on failure", "wait -> end", wait=SignalNode("go", NUMBER))
    play = Play(graph).signal("go", "x").run("start")
    assert play.at == "mend"
    error = play.executions[-1].error
    assert error is not None
    assert (error.type, error.step) == ("InputValidationError", "wait")
    assert "payload of signal 'go'" in error.message


def test_a_retry_of_a_step_that_could_not_take_a_signal_waits_for_the_next() -> None:
    play = Play(flow("start -> wait", wait=SignalNode("go", NUMBER))).signal("go", "x").run("start")
    assert play.status is WorkflowStatus.FAILED
    assert play.retry().status is WorkflowStatus.WAITING
    assert play.signal("go", 7).data == {"signals": {"wait": 7}}


def test_an_instance_that_is_over_takes_no_signal() -> None:
    play = Play(GO).cancel()
    with pytest.raises(InstanceFinishedError):
        play.signal("go")


def test_an_instance_that_is_being_ended_takes_no_signal() -> None:
    play = Play(flow("start -> wait", wait=SignalNode("go"), undo="start")).run("start").cancel()
    with pytest.raises(InstanceEndingError):
        play.signal("go")


def test_a_step_that_has_waited_too_long_takes_no_signal() -> None:
    graph = flow("wait -> late: on timeout", "wait -> end", wait=SignalNode("go"), timeouts={"wait": 60})
    play = Play(graph)
    assert [item.timeout_s for item in play.work.values()] == [60]
    play.expire("wait").signal("go", 1)
    assert play.at == "late"
    assert play.state.signals == {"go": (b"1",)}


def test_a_signal_step_that_lost_a_race_takes_no_signal() -> None:
    graph = flow("start -> wait work", "wait work -> end", wait=SignalNode("go"), joins={"end": "any"})
    play = Play(graph).run("start").run("work").signal("go", 1)
    assert play.history == ["start", "work", "wait!canceled"]
    assert play.state.signals == {"go": (b"1",)}
