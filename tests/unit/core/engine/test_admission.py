"""What a worker takes, in a claim and in place: nothing that it cannot run, and nothing while it or the instance has stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from msgspec.structs import replace
from tests.unit.core.engine.test_leases import Step, make_engine, running

from workflows_core import (
    BaseMachineStep,
    InMemoryWorkflowStore,
    MemoryState,
    SystemClock,
    WorkflowContext,
    WorkflowEngine,
    WorkflowStatus,
)
from workflows_core.domain.transition import WorkItem
from workflows_core.engine.admission import Admission
from workflows_core.engine.pace import Pace
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.leases import Lease
from workflows_testing.builders import an_instance


@pytest.fixture
def store() -> InMemoryWorkflowStore:
    return InMemoryWorkflowStore(MemoryState(SystemClock()))


class Noting(InMemoryWorkflowStore):
    """Notes what is given back."""

    def __init__(self, memory: MemoryState) -> None:
        super().__init__(memory)
        self.released: list[tuple[str, WorkRef, float, bool]] = []

    async def release(
        self, worker: str, leases: Sequence[Lease], *, delay_s: float = 0.0, untouched: bool = False
    ) -> None:
        self.released += [(worker, lease.ref, delay_s, untouched) for lease in leases]
        await super().release(worker, leases, delay_s=delay_s, untouched=untouched)


async def test_a_step_whose_code_is_missing_is_left_untouched_for_others(store: InMemoryWorkflowStore) -> None:
    noting = Noting(store.memory)
    first, second = Step("first"), Step("second")
    capable = make_engine(store, first, second)
    # The same name and version, deployed without the second step.
    lacking = make_engine(noting, Step("first"))
    instance = await capable.start_workflow("chain")

    async with running(lacking) as unable:
        await until_waiting_for(capable, instance.id, "second")
        await asyncio.sleep(0.1)
        [work] = await capable.queries.list_work(instance.id)
        assert (work.worker, work.attempt) == (None, 0)
        assert len(noting.released) <= 1, "the step is left alone from then on"
        assert all(released[0] == unable.id and released[2:] == (0.0, True) for released in noting.released)
        async with running(capable):
            finished = await capable.wait(instance.id, timeout=5)

    assert finished.status is WorkflowStatus.COMPLETED
    assert second.attempts == [1], "nothing was counted against it"
    assert finished.error is None


async def test_work_that_one_worker_lacks_the_code_for_can_be_claimed_by_others_at_once(
    store: InMemoryWorkflowStore,
) -> None:
    step = Step("first")
    capable, lacking = make_engine(store, step), make_engine(store, Step("other"))
    instance = await capable.start_workflow("chain")
    [work] = await capable.queries.list_work(instance.id)
    ref = WorkRef(instance.id, work.item.number)

    assert not await lacking.run(ref, worker="unable")
    [left] = await capable.queries.list_work(instance.id)
    assert (left.worker, left.attempt) == (None, 0)
    assert await capable.run(ref, worker="able")
    assert step.attempts == [1]


async def until_waiting_for(engine: WorkflowEngine, instance_id: object, step: str) -> None:
    async with asyncio.timeout(5):
        while True:
            work = await engine.queries.list_work(instance_id)  # type: ignore[arg-type]
            if [item.item.step for item in work] == [step] and work[0].worker is None:
                return
            await asyncio.sleep(0.005)


async def test_a_worker_that_stops_does_not_go_on_in_place(store: InMemoryWorkflowStore) -> None:
    reached, gate = asyncio.Event(), asyncio.Event()

    class Slow(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None:
            reached.set()
            await gate.wait()

    second = Step("second")
    engine = make_engine(store, Slow(name="first"), second, lease_s=30)
    instance = await engine.start_workflow("chain")
    async with running(engine) as worker:
        await reached.wait()
        await worker.stop()
        gate.set()
    [work] = await engine.queries.list_work(instance.id)
    assert (work.item.step, work.worker) == ("second", None)
    assert second.attempts == []


def item(queue: str) -> WorkItem:
    run = an_instance()
    run.start()
    return replace(run.item("first"), queue=queue)


def test_queues_and_a_stop_count_for_claims_and_in_place() -> None:
    admission = Admission(slots=2, queues=frozenset({"mail"}), codes=lambda: frozenset({"order@1"}))
    assert admission.admits(item("mail"))
    assert not admission.admits(item("default"))
    wanted = admission.request("worker", 10, taken=1)
    assert wanted is not None
    assert (wanted.limit, wanted.queues, wanted.codes) == (1, frozenset({"mail"}), frozenset({"order@1"}))
    assert admission.request("worker", 10, taken=2) is None, "no slot is free"
    admission.close()
    assert not admission.admits(item("mail"))
    assert admission.request("worker", 10, taken=0) is None


def test_a_claim_is_bounded_however_many_slots_are_free() -> None:
    admission = Admission(slots=10_000, queues=None, codes=frozenset)
    wanted = admission.request("worker", 10, taken=0)
    assert wanted is not None
    assert wanted.limit == 100


def test_a_step_that_was_lacking_is_tried_again_after_a_minute() -> None:
    now = 0.0
    admission = Admission(slots=1, queues=None, codes=frozenset, clock=lambda: now)
    run = an_instance()
    run.start()
    admission.note_lack(run.state, run.item("first"))
    wanted = admission.request("worker", 10, taken=0)
    assert wanted is not None
    assert len(wanted.without) == 1
    now = 61.0
    wanted = admission.request("worker", 10, taken=0)
    assert wanted is not None
    assert wanted.without == frozenset()


@pytest.mark.parametrize(("proven", "expected"), [(True, True), (False, True), (False, False)])
def test_pauses_are_short_after_work_grow_and_are_never_longer_than_allowed(proven: bool, expected: bool) -> None:
    pace = Pace(1.0)
    pauses = [pace.pause_s(proven=proven, expected=expected) for _ in range(20)]
    assert max(pauses) <= 1.0
    assert pauses[0] <= 0.25
    pace.found()
    assert pace.pause_s(proven=proven, expected=expected) <= 0.25


def test_pauses_stay_short_while_hints_are_expected_and_do_not_arrive() -> None:
    pace = Pace(60.0)
    pauses = [pace.pause_s(proven=False, expected=True) for _ in range(30)]
    assert max(pauses) <= 0.25


def test_workers_that_were_started_together_do_not_look_together() -> None:
    assert len({Pace(1.0).pause_s(proven=True, expected=True) for _ in range(10)}) > 1
