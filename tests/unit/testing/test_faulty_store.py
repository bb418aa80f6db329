"""What each fault does to a sound store, and what the engine makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from workflows_core import (
    BaseMachineStep,
    EngineSettings,
    InMemoryWorkflowQueries,
    InMemoryWorkflowStore,
    InProcessEngine,
    MemoryState,
    RevisionConflictError,
    StoreUnavailableError,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowRegistry,
    WorkflowStatus,
)
from workflows_core.ports.store import ClaimRequest, Committed, Conflict, Held, LeaseLost
from workflows_testing.builders import a_graph, an_instance
from workflows_testing.clock import ManualClock
from workflows_testing.faults import (
    AnswerConflict,
    CommitThenFail,
    FailBefore,
    FaultPlan,
    FaultyStore,
    LoseLease,
    Slow,
    StoreFault,
)

CLAIM = ClaimRequest(worker="worker-1", limit=10, lease_s=30)


def faulty(plan: FaultPlan) -> tuple[FaultyStore, InMemoryWorkflowStore]:
    sound = InMemoryWorkflowStore(MemoryState(ManualClock()))
    return FaultyStore(sound, plan), sound


async def test_a_call_that_fails_before_does_nothing() -> None:
    store, sound = faulty(FaultPlan().on("commit", nth=1, fault=FailBefore()))
    run = an_instance(a_graph("only"))
    write = run.start()
    with pytest.raises(StoreUnavailableError, match="did not reach the store"):
        await store.commit([write])
    assert await sound.load(run.id) is None
    assert isinstance((await store.commit([write]))[0], Committed)


async def test_a_call_whose_answer_is_lost_was_done() -> None:
    store, sound = faulty(FaultPlan().on("commit", nth=1, fault=CommitThenFail()))
    run = an_instance(a_graph("only"))
    write = run.start()
    with pytest.raises(StoreUnavailableError, match="the answer to 'commit' was lost"):
        await store.commit([write])
    assert await sound.committed(write)


async def test_a_claim_whose_answer_is_lost_holds_the_work() -> None:
    store, sound = faulty(FaultPlan().on("claim", nth=1, fault=CommitThenFail()))
    await sound.commit([an_instance(a_graph("only")).start()])
    with pytest.raises(StoreUnavailableError):
        await store.claim(CLAIM)
    assert await store.claim(CLAIM) == []
    assert len(await sound.renew("worker-1", 30)) == 1


async def test_a_slow_call_is_done_between_its_two_waits() -> None:
    store, sound = faulty(FaultPlan().on("commit", fault=Slow(before_s=0.02, after_s=0.05)))
    run = an_instance(a_graph("only"))
    commit = asyncio.create_task(store.commit([run.start()]))
    await asyncio.sleep(0)
    assert await sound.load(run.id) is None
    while await sound.load(run.id) is None:
        await asyncio.sleep(0.001)
    assert not commit.done()
    assert isinstance((await commit)[0], Committed)


async def test_a_conflict_is_answered_although_nothing_was_tried() -> None:
    store, sound = faulty(FaultPlan().on("commit", nth=1, fault=AnswerConflict()))
    run = an_instance(a_graph("only"))
    assert await store.commit([run.start()]) == [Conflict()]
    assert await sound.load(run.id) is None


async def test_a_lost_lease_is_lost_indeed() -> None:
    store, sound = faulty(FaultPlan().on("commit", nth=1, fault=LoseLease()))
    run = an_instance(a_graph("only"))
    await sound.commit([run.start()])
    (claim,) = await sound.claim(CLAIM)
    held = Held(claim.item.number, claim.fence, "worker-1")
    assert await store.commit([run.complete("only", held=held)]) == [LeaseLost()]
    assert len(await sound.claim(CLAIM)) == 1


async def test_a_renewal_that_loses_the_leases_leaves_nothing_held() -> None:
    store, sound = faulty(FaultPlan().on("renew", nth=1, fault=LoseLease()))
    await sound.commit([an_instance(a_graph("only")).start()])
    assert len(await sound.claim(CLAIM)) == 1
    assert await store.renew("worker-1", 30) == set()
    assert await sound.renew("worker-1", 30) == set()


class Count(BaseMachineStep):
    def __init__(self, name: str, **attributes: Any) -> None:
        super().__init__(name=name, **attributes)
        self.runs = 0

    async def execute(self, context: WorkflowContext) -> None:
        self.runs += 1


@pytest.fixture
def steps() -> list[Count]:
    return [Count("first", next="second"), Count("second")]


@pytest.fixture
def plan() -> FaultPlan:
    return FaultPlan()


@pytest.fixture
async def engine(plan: FaultPlan, steps: list[Count]) -> AsyncIterator[InProcessEngine]:
    memory = MemoryState()
    registry = WorkflowRegistry()
    registry.register_definition(WorkflowDefinition("two", steps=list(steps)))
    async with InProcessEngine(
        registry,
        store=FaultyStore(InMemoryWorkflowStore(memory), plan),
        queries=InMemoryWorkflowQueries(memory),
        settings=EngineSettings(lease_s=0.3, poll_s=0.02),
    ) as opened:
        yield opened


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize(
    "fault", [FailBefore(), CommitThenFail(), Slow(0.01, 0.01), AnswerConflict(), LoseLease()], ids=repr
)
async def test_a_workflow_ends_well_whichever_commit_goes_wrong_and_however(
    engine: InProcessEngine, plan: FaultPlan, steps: list[Count], nth: int, fault: StoreFault
) -> None:
    plan.on("commit", nth=nth, fault=fault)
    try:
        started = await engine.start_workflow("two", idempotency_key="once")
    except (StoreUnavailableError, RevisionConflictError):
        assert plan.injected[0].nth == 1
        started = await engine.start_workflow("two", idempotency_key="once")
    finished = await engine.wait(started.id, timeout=5, until=lambda instance: instance.status.is_final)
    assert finished.status is WorkflowStatus.COMPLETED
    assert [injected.fault for injected in plan.injected] == [fault]
    assert sum(step.runs for step in steps) <= 3
