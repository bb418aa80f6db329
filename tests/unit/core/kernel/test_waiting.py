"""Steps that wait: for a person, for time, for a call; and those that need code before they can be entered."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.core.kernel.flows import flow
from tests.unit.core.kernel.play import Play, assignment, kinds_of

from workflows_core.domain.actor import Actor
from workflows_core.domain.commands import CompleteTask
from workflows_core.domain.events import (
    HumanTaskCanceled,
    HumanTaskCompleted,
    HumanTaskCreated,
    HumanTaskReassigned,
    WebhookReceived,
)
from workflows_core.domain.graph import GroupNode, HumanNode, TimerNode, WebhookNode
from workflows_core.domain.identity import task_id
from workflows_core.domain.types import StepStatus, WorkflowStatus
from workflows_core.errors import StaleExecutionError, WebhookAlreadyUsedError

HOOK = flow("start -> paid", "paid -> ship", paid=WebhookNode())


# People


def test_a_human_step_opens_a_task_and_waits() -> None:
    kind = HumanNode(
        title="Approve {amount} for {customer.name}",
        description="by {customer.name}",
        form_schema={"type": "object"},
        assignee="{manager}",
        candidate_users=("eve",),
        candidate_groups=("sales",),
        due_s=60.0,
        reminder_s=30.0,
        priority=80,
    )
    play = Play(flow("ask", ask=kind), amount=7, customer={"name": "Ada"}, manager="bob")
    task = play.task_of("ask")
    assert (task.title, task.description, task.assignee_id) == ("Approve 7 for Ada", "by Ada", "bob")
    assert (task.candidate_users, task.candidate_groups, task.priority) == (("eve",), ("sales",), 80)
    assert (task.form_schema, task.due_s, task.reminder_s) == ({"type": "object"}, 60.0, 30.0)
    assert task.id == task_id(play.state.id, task.execution)
    assert play.status is WorkflowStatus.WAITING
    assert not play.work
    assert isinstance(play.events[-1], HumanTaskCreated)


def test_a_task_without_title_is_called_like_its_step_and_an_empty_assignee_is_nobody() -> None:
    task = Play(flow("ask", ask=HumanNode(assignee="{nobody}"))).task_of("ask")
    assert (task.title, task.assignee_id) == ("ask", None)


def test_a_form_is_stored_under_its_step_and_its_fields_are_merged() -> None:
    graph = flow("first -> second", first=HumanNode(), second=HumanNode())
    play = Play(graph, approved=False).complete("first", {"approved": True, "note": "fine"})
    assert play.data == {"approved": True, "note": "fine", "forms": {"first": {"approved": True, "note": "fine"}}}
    play.complete("second", {"note": "yes"})
    assert play.data["forms"] == {"first": {"approved": True, "note": "fine"}, "second": {"note": "yes"}}
    assert play.data["note"] == "yes"
    assert isinstance(play.events[-3], HumanTaskCompleted)


def test_a_form_goes_into_one_key_if_the_step_says_so() -> None:
    play = Play(flow("ask", ask=HumanNode(into="answer")), approved=False).complete("ask", {"approved": True})
    assert play.data == {"approved": False, "answer": {"approved": True}, "forms": {"ask": {"approved": True}}}


def test_a_field_called_forms_does_not_hide_the_forms() -> None:
    play = Play(flow("ask", ask=HumanNode())).complete("ask", {"forms": "mine"})
    assert play.data == {"forms": {"ask": {"forms": "mine"}}}


def test_the_record_of_a_human_step_names_who_completed_it_and_keeps_the_form() -> None:
    play = Play(flow("ask", ask=HumanNode())).complete("ask", {"ok": True}, actor="carl")
    assert play.executions[0].completed_by == "carl"
    assert play.executions[0].result == b'{"ok":true}'
    (change,) = play.last.tasks
    assert (change.completed_by, change.comment) == ("carl", "seen")


def test_a_task_is_completed_once() -> None:
    play = Play(flow("start -> ask work", ask=HumanNode())).run("start")
    task, place = play.task_of("ask"), play.place("ask")
    play.complete("ask")
    again = CompleteTask(place=place, now=play.now, task_id=task.id, actor=Actor("eve"), form={}, form_document=b"{}")
    with pytest.raises(StaleExecutionError):
        play.apply(again)


def test_a_task_whose_handler_is_still_to_run_is_completed_once() -> None:
    play = Play(flow("ask -> end", ask=HumanNode(handler=True)))
    task, place = play.task_of("ask"), play.place("ask")
    play.complete("ask", {"ok": True})
    assert play.place("ask") == place, "the execution goes on"
    again = CompleteTask(place=place, now=play.now, task_id=task.id, actor=Actor("eve"), form={}, form_document=b"{}")
    with pytest.raises(StaleExecutionError):
        play.apply(again)


def test_a_step_with_a_handler_is_run_by_a_worker_after_the_completion() -> None:
    play = Play(flow("ask -> end", ask=HumanNode(handler=True))).complete("ask", {"ok": True}, actor="carl")
    assert play.at == "ask"
    assert kinds_of(play.now_due) == ["run ask"]
    assert play.data["ok"] is True
    assert not play.executions
    play.run("ask", result="handled", stamp=1)
    assert play.at == "end"
    assert (play.executions[0].result, play.executions[0].completed_by) == (b'"handled"', "carl")


def test_a_handler_that_fails_fails_the_step() -> None:
    graph = flow("ask -> end", "ask -> mend: on failure", ask=HumanNode(handler=True))
    assert Play(graph).complete("ask").fail("ask").at == "mend"


def test_an_echo_of_a_completion_does_not_disturb_the_handler() -> None:
    play = Play(flow("ask -> end", ask=HumanNode(handler=True)))
    task, place = play.task_of("ask"), play.place("ask")
    play.complete("ask")
    with pytest.raises(StaleExecutionError):
        play.apply(
            CompleteTask(place=place, now=play.now, task_id=task.id, actor=Actor("x"), form={}, form_document=b"1")
        )


def test_a_computed_assignment_is_asked_of_a_worker_first() -> None:
    due = datetime(2026, 2, 1, tzinfo=UTC)
    play = Play(
        flow("ask", ask=HumanNode(title="Default", assignee="nobody", candidate_groups=("all",), computed=True))
    )
    assert kinds_of(play.now_due) == ["prepare ask"]
    assert not play.tasks
    play.prepare("ask", assignment=assignment(assignee="bob", due_at=due, candidate_groups=(), title="For Bob"))
    task = play.task_of("ask")
    assert (task.assignee_id, task.due_at, task.candidate_groups, task.title) == ("bob", due, (), "For Bob")
    assert not play.work


def test_what_an_assignment_leaves_open_comes_from_the_definition() -> None:
    kind = HumanNode(title="Default", description="Why", assignee="nobody", candidate_users=("eve",), computed=True)
    task = Play(flow("ask", ask=kind)).prepare("ask").task_of("ask")
    assert (task.title, task.description, task.assignee_id, task.candidate_users) == (
        "Default",
        "Why",
        "nobody",
        ("eve",),
    )


def test_a_task_can_be_given_to_somebody_else() -> None:
    play = Play(flow("ask", ask=HumanNode())).reassign("ask", "dora")
    (change,) = play.last.tasks
    assert (change.assignee_id, change.status) == ("dora", None)
    assert isinstance(play.events[-1], HumanTaskReassigned)
    assert play.at == "ask"


def test_the_task_of_a_cancelled_step_is_withdrawn() -> None:
    play = Play(flow("start -> ask work", ask=HumanNode())).run("start").fail("work")
    assert not play.tasks
    assert any(isinstance(event, HumanTaskCanceled) for event in play.events)


def test_a_task_that_is_opened_and_withdrawn_in_one_decision_never_existed() -> None:
    graph = flow("start -> ask stop", ask=HumanNode(), stop=GroupNode("conditional", selector="1 / 0"))
    play = Play(graph).run("start")
    assert play.status is WorkflowStatus.FAILED
    assert not play.last.opened
    assert not play.last.tasks
    assert not any(isinstance(event, HumanTaskCreated | HumanTaskCanceled) for event in play.events)


# Time


def test_a_timer_gives_a_delay_and_not_a_moment() -> None:
    play = Play(flow("wait -> go", wait=TimerNode(90.0)))
    (item,) = play.work.values()
    assert (item.kind, item.delay_s, item.due_at) == ("timer", 90.0, None)
    assert play.status is WorkflowStatus.WAITING
    assert play.fire("wait").at == "go"
    assert play.history == ["wait"]


def test_a_timer_until_a_moment_names_it() -> None:
    play = Play(flow("wait", wait=TimerNode(until="2026-05-01T12:00:00+02:00")))
    (item,) = play.work.values()
    assert item.due_at == datetime(2026, 5, 1, 10, tzinfo=UTC)


def test_a_computed_duration_is_asked_of_a_worker_first() -> None:
    play = Play(flow("wait -> go", wait=TimerNode(computed=True)))
    assert kinds_of(play.now_due) == ["prepare wait"]
    play.prepare("wait", delay_s=5.0)
    assert play.work[next(iter(play.work))].delay_s == 5.0
    assert play.fire("wait").at == "go"


def test_a_negative_delay_is_none() -> None:
    play = Play(flow("wait", wait=TimerNode(computed=True))).prepare("wait", delay_s=-3.0)
    (item,) = play.work.values()
    assert item.delay_s == 0.0


def test_a_timer_can_be_rescheduled() -> None:
    play = Play(flow("start -> wait work", wait=TimerNode(90.0))).run("start").reschedule("wait", 5.0)
    assert {item.delay_s for item in play.work.values() if item.step == "wait"} == {5.0}
    assert play.at == "wait work"


def test_only_a_timer_that_waits_can_be_rescheduled() -> None:
    play = Play(flow("start -> wait ask", wait=TimerNode(90.0), ask=HumanNode()))
    for step in ("wait", "start", "ask", "nothing"):
        with pytest.raises(StaleExecutionError):
            play.reschedule(step, 5.0)


def test_a_cancelled_timer_leaves_nothing_behind() -> None:
    play = Play(flow("start -> wait work", wait=TimerNode(90.0))).run("start").fail("work")
    assert not play.work
    assert play.history[-1] == "wait!canceled"


# Calls


def test_a_webhook_step_waits_with_a_row_that_is_never_due() -> None:
    play = Play(HOOK).run("start")
    (item,) = play.work.values()
    assert (item.kind, item.delay_s) == ("await", math.inf)
    assert play.status is WorkflowStatus.WAITING


def test_a_call_stores_its_payload_and_moves_the_token() -> None:
    play = Play(HOOK).run("start").call("paid", {"sum": 3})
    assert play.at == "ship"
    assert play.data == {"webhooks": {"paid": {"sum": 3}}}
    assert play.executions[-1].result == b'{"sum":3}'


def test_a_payload_goes_into_one_key_if_the_step_says_so() -> None:
    play = Play(flow("paid", paid=WebhookNode(into="payment"))).call("paid", 5)
    assert play.data == {"payment": 5}


def test_a_call_before_its_step_is_buffered_and_taken_at_once() -> None:
    play = Play(HOOK).call("paid", 1)
    assert play.at == "start"
    assert play.state.buffered == {"0/paid/1": b"1"}
    assert play.events[-1] == WebhookReceived(
        instance_id=play.state.id, workflow_name="flow", tenant_id="acme", step_name="paid", early=True
    )
    play.run("start")
    assert play.at == "ship"
    assert play.data == {"webhooks": {"paid": 1}}
    assert not play.state.buffered
    assert play.history == ["start", "paid"]


def test_an_address_is_used_once() -> None:
    early = Play(HOOK).call("paid", 1)
    with pytest.raises(WebhookAlreadyUsedError):
        early.call("paid", 2)
    late = Play(HOOK).run("start").call("paid", 1)
    with pytest.raises(WebhookAlreadyUsedError):
        late.call("paid", 2)
    assert late.data == {"webhooks": {"paid": 1}}


def test_each_visit_has_an_address_of_its_own() -> None:
    play = Play(flow("paid -> work", "work -> paid: if more", "work -> end: default", paid=WebhookNode()), more=True)
    play.call("paid", "second", visit=2).call("paid", "first", visit=1)
    assert play.run("work").at == "work"
    assert play.data["webhooks"] == {"paid": "second"}


def test_a_call_for_what_is_no_webhook_step_or_no_open_scope_is_refused() -> None:
    play = Play(HOOK)
    for step, scope in (("start", 0), ("nothing", 0), ("paid", 99)):
        with pytest.raises(WebhookAlreadyUsedError):
            play.call(step, 1, scope=scope)


def test_a_call_to_a_cancelled_step_is_refused() -> None:
    graph = flow(
        "start -> paid work", "work -> mend: on failure", "paid work -> end", paid=WebhookNode(), joins={"end": "any"}
    )
    play = Play(graph).run("start").run("work")
    assert play.at == "end"
    with pytest.raises(WebhookAlreadyUsedError):
        play.call("paid", 1)


def test_an_early_call_into_a_group_is_forgotten_with_the_group() -> None:
    graph = flow(
        "group -> end", "work -> paid: if never", "work -> rest: default", group=GroupNode("sequential", ("work",)),
        paid=WebhookNode(), scopes={"group": "work paid rest"},
    )  # fmt: skip
    play = Play(graph, never=False)
    inner = play.place("work").scope
    play.call("paid", 1, scope=inner)
    assert play.state.buffered
    play.run("work").run("rest")
    assert play.at == "end"
    assert not play.state.buffered


def test_a_waiting_step_is_not_moved_by_a_worker() -> None:
    play = Play(flow("start -> ask paid", ask=HumanNode(), paid=WebhookNode())).run("start")
    for step in ("ask", "paid"):
        with pytest.raises(StaleExecutionError):
            play.run(step)
        with pytest.raises(StaleExecutionError):
            play.fire(step)


def test_since_is_when_the_step_was_entered() -> None:
    play = Play(HOOK).run("start")
    play.now += timedelta(hours=1)
    entered = play.places("paid")[0][1].since
    play.call("paid", 1)
    assert play.executions[-1].started_at == entered
    assert play.executions[-1].status is StepStatus.SUCCEEDED
