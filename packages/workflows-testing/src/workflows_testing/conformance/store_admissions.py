"""Rules of the store: instances that need a slot of their own, which they keep until they are over."""

from __future__ import annotations

import asyncio
from typing import Any

from workflows_core.domain.transition import Slot, WorkKind
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.store import WorkflowStore
from workflows_testing.builders import Run, a_parallel_graph, an_instance, with_work
from workflows_testing.conformance.contract import (
    MovableClock,
    StoreContract,
    claim,
    claim_one,
    commit,
    has_due,
    held_by,
    seconds,
)

__all__ = ["AdmissionRules"]

ONE, TWO = Slot("order", 1), Slot("order", 2)


async def begin(store: WorkflowStore, admission: Slot | None = ONE, run: Run | None = None, **changes: Any) -> Run:
    """Start an instance that needs a slot."""
    started = run or an_instance()
    await store.publish([started.graph])
    await commit(store, with_work(started.start(), admission=admission, **changes))
    return started


class AdmissionRules(StoreContract):
    """`WorkItem.admission`, in `WorkflowStore.commit`, `claim` and `next_due`."""

    async def test_no_more_instances_are_admitted_than_there_are_slots(self, store: WorkflowStore) -> None:
        for _ in range(4):
            await begin(store, TWO)
        given = await claim(store)
        assert len(given) == 2
        assert given[0].item.admission == TWO
        assert await claim(store) == []

    async def test_workers_that_ask_at_once_share_the_slots(self, store: WorkflowStore, peer: WorkflowStore) -> None:
        for _ in range(12):
            await begin(store, Slot("order", 3))
        answers = await asyncio.gather(
            *(claim((store, peer)[number % 2], f"worker-{number}", limit=2) for number in range(8))
        )
        given = [claimed.ref for claims in answers for claimed in claims]
        assert len(given) == len(set(given)) <= 3
        assert len(given) + len(await claim(store)) == 3

    async def test_an_instance_keeps_its_slot_between_its_steps(self, store: WorkflowStore) -> None:
        runs = {run.id: run for run in [await begin(store) for _ in range(2)]}
        first = await claim_one(store)
        run = runs[first.state.id]
        await commit(store, run.complete("first", held=held_by("worker-1", first)))
        assert [claimed.state.id for claimed in await claim(store)] == [run.id]

    async def test_an_instance_keeps_its_slot_when_its_worker_dies(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await begin(store)
        await begin(store)
        first = await claim_one(store, lease_s=30)
        clock.advance(seconds(31))
        assert (await claim_one(store, "worker-2")).ref == first.ref

    async def test_all_work_of_an_admitted_instance_is_given_whoever_waits_before_it(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await begin(store, run=an_instance(a_parallel_graph("left", "right")))
        (left,) = await claim(store, limit=1)
        for _ in range(30):
            await begin(store, priority=9)
        clock.advance(seconds(1))
        given = [claimed for _ in range(4) for claimed in await claim(store, limit=1)]
        assert [(claimed.state.id, claimed.item.step) for claimed in (left, *given)] == [
            (run.id, "left"),
            (run.id, "right"),
        ]

    async def test_the_end_of_an_instance_frees_its_slot(self, store: WorkflowStore) -> None:
        runs = {run.id: run for run in [await begin(store) for _ in range(2)]}
        first = await claim_one(store)
        assert not await has_due(store)
        await commit(store, runs.pop(first.state.id).cancel())
        assert await has_due(store)
        assert [claimed.state.id for claimed in await claim(store)] == list(runs)

    async def test_each_key_has_slots_of_its_own(self, store: WorkflowStore) -> None:
        for number in range(6):
            await begin(store, Slot(f"customer {number % 3}", 1))
        assert len(await claim(store)) == 3

    async def test_instances_are_admitted_in_the_order_of_claims(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        wanted: dict[str, Run] = {}
        for name, priority in (("usual", 0), ("late", 0), ("urgent", 5)):
            wanted[name] = await begin(store, ONE, priority=priority)
            clock.advance(seconds(1))
        for name in ("urgent", "usual", "late"):
            claimed = await claim_one(store)
            assert claimed.state.id == wanted[name].id
            await commit(store, wanted[name].cancel())

    async def test_an_instance_that_was_over_needs_a_slot_anew(self, store: WorkflowStore) -> None:
        runs = {run.id: run for run in [await begin(store) for _ in range(2)]}
        first = await claim_one(store)
        failed = runs.pop(first.state.id)
        await commit(store, failed.fail("first", held=held_by("worker-1", first)))
        other = await claim_one(store)
        (run,) = runs.values()
        assert other.state.id == run.id
        await commit(store, with_work(failed.retry(), admission=ONE))
        assert await claim(store) == []
        await commit(store, run.cancel())
        assert (await claim_one(store)).state.id == failed.id

    async def test_who_asks_for_a_work_item_gets_it_only_if_its_instance_is_admitted(
        self, store: WorkflowStore
    ) -> None:
        runs = [await begin(store) for _ in range(2)]
        refs = [WorkRef(run.id, run.number("first")) for run in runs]
        assert len(await claim(store, items=(refs[1],))) == 1
        assert await claim(store, items=(refs[0],)) == []

    async def test_time_may_be_over_while_an_instance_waits(self, store: WorkflowStore, clock: MovableClock) -> None:
        await begin(store)
        await claim_one(store, lease_s=3600)
        run = await begin(store, timeout_s=60.0)
        clock.advance(seconds(60))
        claimed = await claim_one(store, "worker-2")
        assert (claimed.state.id, claimed.item.kind) == (run.id, WorkKind.EXPIRE)
