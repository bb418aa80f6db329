"""The answer to a commit is lost, and others have gone on before it is asked for: it happened, and it happened once."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.unit.core.engine.engines import an_engine
from tests.unit.core.engine.test_operators import LosesTheAnswer

from workflows_core import (
    Actor,
    BaseHumanStep,
    BaseMachineStep,
    EngineSettings,
    InMemoryWorkflowStore,
    MemoryState,
    WaitForSignal,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowRegistry,
    WorkflowStatus,
)
from workflows_core.domain.events import SignalReceived
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.queries import InstanceFilter, InstanceRecord, PageRequest, TaskFilter
from workflows_testing.faults import FaultPlan, FaultyStore

ANN = Actor("ann")


class Note(BaseMachineStep):
    name = "note"

    async def execute(self, context: WorkflowContext) -> None:
        context.set("noted", True)


class World:
    """Two processes over one store; the answers to one of them get lost."""

    def __init__(self) -> None:
        registry = WorkflowRegistry()
        for first in (
            WaitForSignal(name="first", signal="go"),
            BaseHumanStep(name="first", assignee="ann"),
            Note(name="first"),
        ):
            name = type(first).__name__
            steps = [first, Note(), BaseHumanStep(name="last")]
            registry.register(WorkflowDefinition(name, steps=steps, edges=[("first", "note"), ("note", "last")]))
        memory, self.plan = MemoryState(), FaultPlan()
        stores = FaultyStore(InMemoryWorkflowStore(memory), self.plan), InMemoryWorkflowStore(memory)
        settings = EngineSettings(poll_s=0.02)
        self.engine, self.elsewhere = (an_engine(registry, store, memory, settings) for store in stores)

    async def go_on(self) -> None:
        """What the other process does meanwhile: all there is to do."""
        for record in await self.instances():
            for work in await self.elsewhere.queries.list_work(record.id):
                await self.elsewhere.run(WorkRef(record.id, work.item.number), worker="elsewhere")

    async def instances(self) -> Sequence[InstanceRecord]:
        """All that there are."""
        return (await self.elsewhere.queries.list_instances(InstanceFilter(), PageRequest())).items

    def lose(self, nth: int) -> None:
        """Lose the answer to a commit, after the other process has gone on."""
        self.plan.on("commit", nth=nth, fault=LosesTheAnswer(self.go_on))


@pytest.fixture
def world() -> World:
    return World()


async def test_a_start_is_known(world: World) -> None:
    world.lose(1)
    started = await world.engine.start_workflow("Note")
    found = await world.engine.get_instance(started.id)
    assert found.data["noted"]
    assert len(await world.instances()) == 1


async def test_a_signal_is_taken_once(world: World) -> None:
    started = await world.engine.start_workflow("WaitForSignal")
    world.lose(2)
    await world.engine.signal(started.id, "go", 1)
    events = [found.event for found in await world.engine.queries.list_events(started.id)]
    assert [type(event) for event in events].count(SignalReceived) == 1
    assert (await world.engine.get_instance(started.id)).data["noted"]


async def test_a_decision_is_that_of_the_one_who_made_it(world: World) -> None:
    started = await world.engine.start_workflow("BaseHumanStep")
    (task,) = (await world.engine.queries.list_tasks(TaskFilter(), PageRequest())).items
    world.lose(2)
    await world.engine.complete_task(task.id, {}, actor=ANN)
    assert (await world.engine.get_instance(started.id)).status is WorkflowStatus.WAITING
