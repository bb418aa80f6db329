"""The expense of the quickstart while things go wrong: lost answers, crashes, frozen workers."""

from __future__ import annotations

import asyncio

from quickstart import Expense

from workflows_core import (
    BaseMachineStep,
    InMemoryWorkflowQueries,
    InMemoryWorkflowStore,
    InProcessEngine,
    MemoryState,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowRegistry,
    WorkflowStatus,
)
from workflows_testing.faults import CommitThenFail, FailBefore, FaultPlan, FaultyStore
from workflows_testing.simulation import (
    Client,
    Effects,
    Scenario,
    Seeds,
    Simulation,
    crash_at_every_write,
    explore,
)


async def test_an_answer_of_the_database_that_is_lost_costs_nothing() -> None:
    plan = (
        FaultPlan(seed=7).on("commit", nth=2, fault=CommitThenFail()).randomly("load", rate=0.2, faults=[FailBefore()])
    )
    memory = MemoryState()
    store = FaultyStore(InMemoryWorkflowStore(memory), plan)
    async with InProcessEngine(WorkflowRegistry(), store=store, queries=InMemoryWorkflowQueries(memory)) as engine:
        started = await engine.start_workflow(Expense, {"amount": 42, "purpose": "a train"})
        while not await engine.get_pending_tasks(instance_id=started.id):
            await asyncio.sleep(0.01)
    assert plan.injected[0].fault == CommitThenFail()


async def approve_one_decline_one(client: Client) -> None:
    """What the world outside does. It is begun anew when its process dies, so it uses nothing but the client."""
    first = await client.start(Expense, {"amount": 42, "purpose": "a train", "receipt": "scan.pdf"})
    second = await client.start(Expense, {"amount": 99, "purpose": "a plane"})
    await client.complete(first, "approve", "bob", {"approved": True}, groups=["managers"])
    await client.complete(second, "approve", "eve", {"approved": False}, groups=["managers"])
    await client.end_of(first)
    await client.end_of(second)


EXPENSES = Scenario(name="expenses", workflows=lambda _: [Expense], drive=approve_one_decline_one)


def test_a_crash_at_any_write_changes_nothing() -> None:
    assert crash_at_every_write(EXPENSES, workers=2) > 10


def test_faults_crashes_and_chance_change_nothing(simulation_seeds: Seeds) -> None:
    explore(EXPENSES, simulation_seeds)


class Transfer(BaseMachineStep):
    """Moves money at a bank, which knows a transfer by its key."""

    name = "transfer"

    def __init__(self, bank: Effects) -> None:
        super().__init__()
        self.bank = bank

    async def execute(self, context: WorkflowContext) -> None:
        await asyncio.sleep(2)
        self.bank.note(context)
        await asyncio.sleep(2)


def refund(bank: Effects) -> list[WorkflowDefinition]:
    return [WorkflowDefinition("refund", steps=[Transfer(bank)])]


async def refund_once(client: Client) -> None:
    await client.end_of(await client.start("refund"))


def test_the_bank_is_asked_at_least_once_and_once_in_each_attempt_at_most(simulation_seeds: Seeds) -> None:
    explore(Scenario(name="refund", workflows=refund, drive=refund_once), simulation_seeds)


def test_a_frozen_worker_is_replaced_and_its_late_result_refused() -> None:
    bank = Effects()
    with Simulation(1, refund(bank)) as simulation:

        async def story() -> WorkflowStatus:
            simulation.start("worker-1")
            web = simulation.start("web", worker=False)
            started = await web.engine.start_workflow("refund")
            await asyncio.sleep(3)
            simulation.freeze("worker-1", 60)
            simulation.start("worker-2")
            finished = await web.engine.wait(started.id, until=lambda found: found.status.is_final)
            await asyncio.sleep(120)
            return finished.status

        assert simulation.run(story) is WorkflowStatus.COMPLETED
    assert bank.total == 2
