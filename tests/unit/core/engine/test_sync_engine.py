"""What operators do, in code without an event loop."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from workflows_core import (
    Actor,
    BaseHumanStep,
    BaseMachineStep,
    InMemoryWorkflowQueries,
    InMemoryWorkflowStore,
    InProcessEngine,
    InstanceFinishedError,
    LocalExecutionEngine,
    MemoryState,
    NotParkedError,
    StoreUnavailableError,
    SyncWorkflowEngine,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowRegistry,
    WorkflowStatus,
)

OLGA = Actor("olga")


class Weld(BaseMachineStep):
    name = "weld"

    def execute(self, context: WorkflowContext) -> None:
        if not context.get("gas"):
            raise RuntimeError("no gas")


WORKSHOP = WorkflowDefinition("workshop", "1.0.0", steps=[Weld()])
REVIEW = WorkflowDefinition("review", "1.0.0", steps=[BaseHumanStep(name="look", title="Look")])


def test_dead_letters_are_listed_retried_and_discarded() -> None:
    with SyncWorkflowEngine(LocalExecutionEngine()) as engine:
        first, second = engine.start_workflow(WORKSHOP), engine.start_workflow(WORKSHOP)
        for started in (first, second):
            engine.wait(started.id, timeout=5)
        assert {letter.id for letter in engine.list_dead_letters(workflow_name="workshop").items} == {
            first.id,
            second.id,
        }
        engine.retry(first.id, data={"gas": True}, actor=OLGA)
        assert engine.wait(first.id, timeout=5).status is WorkflowStatus.COMPLETED
        assert engine.discard(second.id, "scrap", actor=OLGA).parked is None
        assert engine.list_dead_letters().items == ()
        with pytest.raises(NotParkedError):
            engine.retry(second.id, "weld")


def test_an_instance_is_ended_at_once_or_by_its_deadline() -> None:
    with SyncWorkflowEngine(LocalExecutionEngine()) as engine:
        waiting = engine.start_workflow(REVIEW, deadline=timedelta(hours=1))
        assert engine.terminate_workflow(waiting.id, "enough", actor=OLGA).status is WorkflowStatus.CANCELED
        with pytest.raises(InstanceFinishedError):
            engine.terminate_workflow(waiting.id)


def test_an_engine_that_cannot_be_opened_leaves_no_thread() -> None:
    class Away(InMemoryWorkflowStore):
        async def check(self) -> None:
            raise StoreUnavailableError("it is away")

    memory = MemoryState()
    engine = InProcessEngine(WorkflowRegistry(), store=Away(memory), queries=InMemoryWorkflowQueries(memory))
    with pytest.raises(StoreUnavailableError), SyncWorkflowEngine(engine):
        pass
    assert "workflows-engine" not in {thread.name for thread in threading.enumerate()}


def test_an_engine_that_is_not_open_says_how_it_is_used() -> None:
    with pytest.raises(RuntimeError, match="context manager"):
        SyncWorkflowEngine(LocalExecutionEngine()).start_workflow(WORKSHOP)
