"""What people and programs ask of the engine: start, complete, reassign, cancel, webhooks, timers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest

from workflows_core import (
    Actor,
    AmbiguousTaskError,
    BaseHumanStep,
    BaseMachineStep,
    DefinitionNotFoundError,
    DelayStep,
    EngineSettings,
    FormValidationError,
    IdempotencyConflictError,
    InputValidationError,
    InstanceFinishedError,
    InstanceNotFoundError,
    LocalExecutionEngine,
    PayloadError,
    PayloadTooLargeError,
    PermissionDeniedError,
    SecretMissingError,
    StaleExecutionError,
    SyncWorkflowEngine,
    TaskAlreadyCompletedError,
    TaskNotFoundError,
    TaskNotOpenError,
    TaskStatus,
    TimerStep,
    WebhookAlreadyUsedError,
    WebhookNotFoundError,
    WebhookStep,
    WorkflowCompleted,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowInstance,
    WorkflowStatus,
)
from workflows_core.adapters.event_bus import EventBus

BOB = Actor("bob", groups=frozenset({"managers"}))
EVE = Actor("eve")


class Approve(BaseHumanStep):
    """A decision of a manager."""

    title = "Approve {amount}"
    candidate_groups = ("managers",)
    form_schema = {
        "type": "object",
        "properties": {"approved": {"type": "boolean"}},
        "required": ["approved"],
    }


class Done(BaseMachineStep):
    """Marks the end."""

    async def execute(self, context: WorkflowContext) -> None:
        context.set("done", True)


def define(*steps: Any, name: str = "sample", **options: Any) -> WorkflowDefinition:
    names = [step.name for step in steps]
    return WorkflowDefinition(
        name=name,
        steps={step.name: step for step in steps},
        edges=list(pairwise(names)),
        initial_step=names[0],
        **options,
    )


async def start(
    engine: LocalExecutionEngine, definition: WorkflowDefinition, data: dict[str, Any] | None = None, **options: Any
) -> WorkflowInstance:
    instance = await engine.start_workflow(definition, data, **options)
    return await engine.wait(instance.id, timeout=5)


async def test_an_unknown_workflow_is_refused_with_near_names(engine: LocalExecutionEngine) -> None:
    engine.registry.register_definition(define(Done(), name="expense"))

    with pytest.raises(DefinitionNotFoundError, match="did you mean expense"):
        await engine.start_workflow("expenses")
    with pytest.raises(DefinitionNotFoundError, match=r"no version '9.0'"):
        await engine.start_workflow("expense", version="9.0")


async def test_initial_data_are_checked_against_the_schema(engine: LocalExecutionEngine) -> None:
    schema = {"type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]}
    definition = define(Done(), input_schema=schema)

    with pytest.raises(InputValidationError) as caught:
        await engine.start_workflow(definition, {"amount": "many"})

    assert [problem.pointer for problem in caught.value.problems] == ["/amount"]


async def test_a_start_with_data_that_cannot_be_stored_starts_nothing(engine: LocalExecutionEngine) -> None:
    definition = define(Done())

    with pytest.raises(PayloadError, match="'thing'"):
        await engine.start_workflow(definition, {"thing": object()})
    with pytest.raises(PayloadTooLargeError):
        await engine.start_workflow(definition, {"blob": "x" * 20_000})

    assert await engine.queries.find_stalled() == []


async def test_the_same_key_finds_the_first_instance_and_other_data_are_a_conflict(
    engine: LocalExecutionEngine,
) -> None:
    definition = define(Approve())

    first = await engine.start_workflow(definition, {"amount": 1}, idempotency_key="k")
    again = await engine.start_workflow(definition, {"amount": 1}, idempotency_key="k")
    other_tenant = await engine.start_workflow(
        definition, {"amount": 1}, idempotency_key="k", actor=Actor("bob", tenant="acme")
    )

    assert (again.id, again.is_duplicate, first.is_duplicate) == (first.id, True, False)
    assert other_tenant.id != first.id
    with pytest.raises(IdempotencyConflictError):
        await engine.start_workflow(definition, {"amount": 2}, idempotency_key="k")


async def test_a_task_is_completed_once_and_the_second_learns_who_was_first(engine: LocalExecutionEngine) -> None:
    instance = await start(engine, define(Approve(), Done()), {"amount": 5})
    [task] = await engine.get_pending_tasks("bob", groups=["managers"])
    assert task.opening.title == "Approve 5"

    answers = await asyncio.gather(
        *(
            engine.complete_task(
                task.id, {"approved": True}, actor=Actor(f"bob{number}", groups=frozenset({"managers"}))
            )
            for number in range(5)
        ),
        return_exceptions=True,
    )

    winners = [answer for answer in answers if isinstance(answer, WorkflowInstance)]
    losers = [answer for answer in answers if isinstance(answer, TaskAlreadyCompletedError)]
    assert (len(winners), len(losers)) == (1, 4)
    assert all(loser.completed_by == losers[0].completed_by and loser.completed_at for loser in losers)
    finished = await engine.wait(instance.id, timeout=5)
    assert finished.data == {
        "amount": 5,
        "approved": True,
        "forms": {"approve": {"approved": True}},
        "done": True,
    }


async def test_a_task_is_refused_to_others_and_to_other_tenants(engine: LocalExecutionEngine) -> None:
    await start(engine, define(Approve()), {"amount": 5}, actor=Actor("alice", tenant="acme"))
    [task] = await engine.get_pending_tasks(tenant="acme")
    bob = Actor("bob", groups=frozenset({"managers"}), tenant="acme")

    with pytest.raises(PermissionDeniedError, match="eve may not complete"):
        await engine.complete_task(task.id, {"approved": True}, actor=Actor("eve", tenant="acme"))
    with pytest.raises(TaskNotFoundError):
        await engine.complete_task(task.id, {"approved": True}, actor=BOB)

    reassigned = await engine.reassign_task(task.id, "dan", actor=bob, reason="on holiday")
    assert reassigned.assignee_id == "dan"
    with pytest.raises(PermissionDeniedError, match="assigned to dan"):
        await engine.complete_task(task.id, {"approved": True}, actor=bob)
    admin = Actor("root", roles=frozenset({"admin"}), tenant="acme")
    finished = await engine.complete_task(task.id, {"approved": True}, actor=admin)
    assert finished.status is WorkflowStatus.COMPLETED


async def test_form_errors_name_every_field_and_leave_the_task_open(engine: LocalExecutionEngine) -> None:
    class Checked(Approve):
        def validate_submission(self, context: WorkflowContext, data: Mapping[str, Any]) -> dict[str, str]:
            return {"approved": "not above 3"} if context.data["amount"] > 3 and data["approved"] else {}

    await start(engine, define(Checked(name="checked")), {"amount": 5})
    [task] = await engine.get_pending_tasks()

    with pytest.raises(FormValidationError) as missing:
        await engine.complete_task(task.id, {"other": 1}, actor=BOB)
    with pytest.raises(FormValidationError, match="not above 3"):
        await engine.complete_task(task.id, {"approved": True}, actor=BOB)

    assert sorted(problem.pointer for problem in missing.value.problems) == ["/approved", "/other"]
    await engine.complete_task(task.id, {"approved": False}, actor=BOB)


async def test_completing_by_step_name_needs_a_single_open_task(engine: LocalExecutionEngine) -> None:
    definition = WorkflowDefinition(
        name="twice",
        steps={"fork": Done(name="fork"), "a": Done(name="a"), "b": Done(name="b"), "approve": Approve(join="each")},
        edges=[("fork", "a"), ("fork", "b"), ("a", "approve"), ("b", "approve")],
        initial_step="fork",
    )
    instance = await start(engine, definition, {"amount": 1})

    with pytest.raises(AmbiguousTaskError) as caught:
        await engine.complete_human_task(instance.id, "approve", "bob", {"approved": True})
    with pytest.raises(TaskNotFoundError):
        await engine.complete_human_task(instance.id, "other", "bob", {})

    for task_id in caught.value.task_ids:
        await engine.complete_task(task_id, {"approved": True}, actor=BOB)
    assert (await engine.get_instance(instance.id)).status is WorkflowStatus.COMPLETED


async def test_a_handler_of_a_human_step_runs_after_the_completion(engine: LocalExecutionEngine) -> None:
    class Handled(Approve):
        async def execute(self, context: WorkflowContext) -> str:
            context.set("decided_by", context.user_id)
            return "handled"

    instance = await start(engine, define(Handled(name="handled")), {"amount": 1})
    [task] = await engine.get_pending_tasks()

    await engine.complete_task(task.id, {"approved": True}, actor=BOB)
    finished = await engine.wait(instance.id, timeout=5)

    [record] = await engine.queries.list_executions(instance.id)
    assert finished.data["decided_by"] == "bob"
    assert record.execution.completed_by == "bob"


async def test_hooks_compute_the_assignment_of_a_task(engine: LocalExecutionEngine) -> None:
    class Assigned(BaseHumanStep):
        def get_assignee(self, context: WorkflowContext) -> str:
            return f"boss of {context.get('department')}"

        async def get_due_date(self, context: WorkflowContext) -> datetime | None:
            return context.started_at + timedelta(days=2) if context.started_at else None

        async def get_description(self, context: WorkflowContext) -> str:
            return "please"

    instance = await start(engine, define(Assigned()), {"department": "it"})

    [task] = await engine.get_pending_tasks()
    assert task.assignee_id == "boss of it"
    assert task.opening.description == "please"
    assert task.due_at == instance.started_at + timedelta(days=2)


async def test_cancel_closes_tasks_and_is_refused_when_all_is_over(engine: LocalExecutionEngine) -> None:
    instance = await start(engine, define(Approve()), {"amount": 1})
    [task] = await engine.get_pending_tasks()

    with pytest.raises(InstanceNotFoundError):
        await engine.cancel_workflow(instance.id, actor=Actor("bob", tenant="other"))
    cancelled = await engine.cancel_workflow(instance.id, "changed my mind", actor=BOB)

    assert cancelled.status is WorkflowStatus.CANCELED
    assert (await engine.get_task(task.id)).status is TaskStatus.CANCELED
    with pytest.raises(TaskNotOpenError):
        await engine.complete_task(task.id, {"approved": True}, actor=BOB)
    with pytest.raises(InstanceFinishedError):
        await engine.cancel_workflow(instance.id)
    with pytest.raises(InstanceNotFoundError):
        await engine.cancel_workflow(uuid4())


async def test_cancel_drops_the_result_of_a_step_under_way(engine: LocalExecutionEngine) -> None:
    entered, may_leave = asyncio.Event(), asyncio.Event()

    class Slow(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None:
            entered.set()
            await may_leave.wait()
            context.set("late", True)

    instance = await engine.start_workflow(define(Slow()))
    await asyncio.wait_for(entered.wait(), 5)
    await engine.cancel_workflow(instance.id)
    may_leave.set()
    await asyncio.sleep(0.05)

    after = await engine.get_instance(instance.id)
    assert after.status is WorkflowStatus.CANCELED
    assert after.data == {}


async def test_a_webhook_takes_one_call_also_an_early_one(engine: LocalExecutionEngine) -> None:
    schema = {"type": "object", "required": ["ok"]}
    definition = define(Approve(), WebhookStep(name="paid", payload_schema=schema), Done())
    instance = await start(engine, definition, {"amount": 1})
    token = engine.webhook_token(instance.id, "paid")

    with pytest.raises(InputValidationError):
        await engine.receive_webhook(token, {"bad": 1})
    early = await engine.receive_webhook(token, {"ok": True})
    with pytest.raises(WebhookAlreadyUsedError):
        await engine.receive_webhook(token, {"ok": False})
    with pytest.raises(WebhookNotFoundError):
        await engine.receive_webhook(token[:-2] + "AA", {"ok": True})
    with pytest.raises(WebhookNotFoundError):
        await engine.receive_webhook("nonsense!", {})

    assert early.status is WorkflowStatus.WAITING
    [task] = await engine.get_pending_tasks()
    await engine.complete_task(task.id, {"approved": True}, actor=BOB)
    finished = await engine.wait(instance.id, timeout=5)
    assert finished.status is WorkflowStatus.COMPLETED
    assert finished.data["webhooks"] == {"paid": {"ok": True}}
    with pytest.raises(WebhookAlreadyUsedError):
        await engine.receive_webhook(token, {"ok": True})


async def test_a_step_can_give_away_the_address_of_a_later_webhook(engine: LocalExecutionEngine) -> None:
    class Ask(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None:
            context.set("url", context.webhook_url("answer"))

    instance = await start(engine, define(Ask(), WebhookStep(name="answer", into="answer")))
    url = (await engine.get_instance(instance.id)).data["url"]

    assert url == engine.webhook_url(instance.id, "answer")
    assert url.startswith("https://example.org/workflows/api/webhooks/")
    await engine.receive_webhook(url.rpartition("/")[2], [1, 2])
    assert (await engine.wait(instance.id, timeout=5)).data["answer"] == [1, 2]


async def test_webhook_addresses_need_a_secret() -> None:
    engine = LocalExecutionEngine()
    without = EngineSettings()
    engine.settings = without

    with pytest.raises(SecretMissingError, match="secret"):
        engine.webhook_token(uuid4(), "step")


async def test_timers_wait_and_can_be_moved(engine: LocalExecutionEngine) -> None:
    short = await engine.start_workflow(define(DelayStep(name="nap", duration=timedelta(milliseconds=30)), Done()))
    long = await start(engine, define(TimerStep("sleep", timedelta(hours=1)), Done(), name="long"))

    assert long.status is WorkflowStatus.WAITING
    with pytest.raises(StaleExecutionError):
        await engine.schedule_step(long.id, "done")
    await engine.schedule_step(long.id, "sleep", timedelta(milliseconds=20))

    async with asyncio.timeout(5):
        for instance in (short, long):
            while (await engine.get_instance(instance.id)).status is not WorkflowStatus.COMPLETED:
                await asyncio.sleep(0.01)


async def test_listeners_hear_of_events_and_their_errors_harm_nobody(engine: LocalExecutionEngine) -> None:
    bus = EventBus()
    heard: list[WorkflowCompleted] = []

    @bus.on(WorkflowCompleted)
    def fail(event: WorkflowCompleted) -> None:
        raise RuntimeError

    bus.subscribe(WorkflowCompleted, heard.append)
    async with LocalExecutionEngine(event_bus=bus) as listening:
        instance = await start(listening, define(Done()))

    assert [event.instance_id for event in heard] == [instance.id]
    assert engine is not listening


async def test_a_single_step_runs_without_an_instance(engine: LocalExecutionEngine) -> None:
    context = WorkflowContext.for_testing(data={"a": 1})

    await engine.execute_step(Done(), context)

    assert context.data == {"a": 1, "done": True}


def test_the_synchronous_engine_serves_scripts() -> None:
    with SyncWorkflowEngine(LocalExecutionEngine()) as engine:
        started = engine.start_workflow(define(Approve(), Done()), {"amount": 1})
        engine.wait(started.id, timeout=5)
        [task] = engine.get_pending_tasks()
        engine.complete_task(task.id, {"approved": True}, actor=BOB)
        finished = engine.wait(started.id, timeout=5)

    assert finished.status is WorkflowStatus.COMPLETED
