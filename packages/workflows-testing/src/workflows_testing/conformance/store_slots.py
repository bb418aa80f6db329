"""Rules of the store: work that needs a slot, which is the lease of the work."""

from __future__ import annotations

import asyncio
from typing import Any

from workflows_core.domain.transition import Slot, WorkKind
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.store import Claim, WorkflowStore
from workflows_testing.builders import Run, a_graph, an_instance, with_work
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

__all__ = ["SlotRules"]

ONE, TWO, OTHER = Slot("api", 1), Slot("api", 2), Slot("printer", 1)


async def begin(store: WorkflowStore, slot: Slot | None = ONE, run: Run | None = None, **changes: Any) -> Run:
    """Start an instance whose first work needs a slot."""
    started = run or an_instance()
    await store.publish([started.graph])
    await commit(store, with_work(started.start(), slot=slot, **changes))
    return started


def finish(run: Run, claimed: Claim, worker: str = "worker-1") -> Any:
    """The write that ends the step of a claim and frees its slot; what follows is ordinary work."""
    return run.complete(claimed.item.step, held=held_by(worker, claimed))


class SlotRules(StoreContract):
    """`WorkItem.slot`, in `WorkflowStore.commit`, `claim`, `release` and `next_due`."""

    async def test_no_more_work_is_given_than_there_are_slots(self, store: WorkflowStore) -> None:
        for _ in range(4):
            await begin(store, TWO)
        assert len(await claim(store)) == 2
        assert await claim(store) == []

    async def test_slots_are_shared_by_all_workers(self, store: WorkflowStore, peer: WorkflowStore) -> None:
        for _ in range(3):
            await begin(store, TWO)
        assert len(await claim(store, "worker-1", limit=1)) == 1
        assert len(await claim(peer, "worker-2")) == 1
        assert await claim(store, "worker-3") == []

    async def test_workers_that_ask_at_once_share_the_slots(self, store: WorkflowStore, peer: WorkflowStore) -> None:
        for _ in range(12):
            await begin(store, Slot("api", 3))
        answers = await asyncio.gather(
            *(claim((store, peer)[number % 2], f"worker-{number}", limit=2) for number in range(8))
        )
        given = [claimed.ref for claims in answers for claimed in claims]
        assert len(given) == len(set(given)) <= 3
        assert len(given) + len(await claim(store)) == 3

    async def test_what_is_given_says_which_slot_it_has(self, store: WorkflowStore) -> None:
        await begin(store, TWO)
        assert (await claim_one(store)).item.slot == TWO

    async def test_the_end_of_a_step_frees_its_slot(self, store: WorkflowStore) -> None:
        runs = {run.id: run for run in [await begin(store) for _ in range(2)]}
        first = await claim_one(store)
        await commit(store, finish(runs.pop(first.state.id), first))
        names = sorted(claimed.item.step for claimed in await claim(store))
        assert names == ["first", "second"]

    async def test_work_that_is_written_anew_without_a_slot_needs_none(self, store: WorkflowStore) -> None:
        run = await begin(store)
        await commit(store, run.rewrite(run.item("first"), slot=None))
        await begin(store)
        assert len(await claim(store)) == 2

    async def test_a_release_frees_a_slot(self, store: WorkflowStore) -> None:
        await begin(store)
        await begin(store)
        first = await claim_one(store)
        await store.release("worker-1", [first.lease], delay_s=60.0)
        assert (await claim_one(store)).ref != first.ref

    async def test_a_slot_ends_with_its_lease(self, store: WorkflowStore, clock: MovableClock) -> None:
        for _ in range(3):
            await begin(store, TWO)
        given = await claim(store, lease_s=30)
        clock.advance(seconds(29.999999))
        assert await claim(store, "worker-2") == []
        clock.advance(seconds(0.000001))
        assert [claimed.ref for claimed in await claim(store, "worker-2")] == [claimed.ref for claimed in given]
        assert await claim(store, "worker-3") == []

    async def test_a_renewed_lease_keeps_its_slot(self, store: WorkflowStore, clock: MovableClock) -> None:
        await begin(store)
        await begin(store)
        await claim_one(store)
        clock.advance(seconds(29))
        await store.renew("worker-1", 30)
        clock.advance(seconds(29))
        assert await claim(store, "worker-2") == []

    async def test_what_waits_for_a_slot_is_in_nobodys_way(self, store: WorkflowStore) -> None:
        for _ in range(20):
            await begin(store, ONE, priority=9)
        others = {(await begin(store, OTHER)).id, (await begin(store, None)).id}
        given = await claim(store, limit=3)
        assert len(given) == 3
        assert others < {claimed.state.id for claimed in given}

    async def test_each_key_has_slots_of_its_own(self, store: WorkflowStore) -> None:
        for number in range(6):
            await begin(store, Slot(f"customer {number % 3}", 1))
        given = await claim(store)
        assert sorted(claimed.item.slot.key for claimed in given if claimed.item.slot) == [
            f"customer {number}" for number in range(3)
        ]

    async def test_the_most_urgent_is_given_first_then_what_is_due_longest(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        wanted: dict[str, Run] = {}
        for name, priority in (("late", 0), ("usual", 0), ("urgent", 5)):
            delay_s = 2.0 if name == "late" else 1.0
            wanted[name] = await begin(store, ONE, priority=priority, delay_s=delay_s)
        clock.advance(seconds(3))
        for name in ("urgent", "usual", "late"):
            claimed = await claim_one(store)
            assert claimed.state.id == wanted[name].id
            await store.release("worker-1", [claimed.lease], delay_s=3600.0)

    async def test_ordinary_work_leaves_room_for_work_that_needs_a_slot(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await begin(store)
        clock.advance(seconds(1))
        for _ in range(10):
            await begin(store, None)
        given = [claimed.state.id for _ in range(3) for claimed in await claim(store, limit=2)]
        assert run.id in given

    async def test_work_that_needs_a_slot_leaves_room_for_ordinary_work(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await begin(store, None)
        clock.advance(seconds(1))
        for _ in range(10):
            await begin(store, Slot("api", 100))
        given = [claimed.state.id for _ in range(3) for claimed in await claim(store, limit=2)]
        assert run.id in given

    async def test_work_before_its_moment_needs_no_slot(self, store: WorkflowStore, clock: MovableClock) -> None:
        await begin(store, delay_s=60.0)
        assert await claim(store) == []
        assert await store.next_due() == 60.0
        clock.advance(seconds(60))
        await claim_one(store)

    async def test_time_may_be_over_while_work_waits_for_a_slot(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await begin(store)
        await claim_one(store, lease_s=3600)
        run = await begin(store, timeout_s=60.0)
        clock.advance(seconds(60))
        claimed = await claim_one(store, "worker-2")
        assert (claimed.state.id, claimed.item.kind) == (run.id, WorkKind.EXPIRE)

    async def test_who_asks_for_a_work_item_gets_it_only_with_a_slot(self, store: WorkflowStore) -> None:
        runs = [await begin(store) for _ in range(2)]
        refs = [WorkRef(run.id, run.number("first")) for run in runs]
        (claimed,) = await claim(store, items=(refs[1],))
        assert claimed.ref == refs[1]
        assert await claim(store, items=(refs[0],)) == []
        await store.release("worker-1", [claimed.lease], delay_s=60.0)
        assert [claimed.ref for claimed in await claim(store, items=(refs[0],))] == [refs[0]]

    async def test_who_asks_for_several_gets_as_many_as_there_are_slots(self, store: WorkflowStore) -> None:
        runs = [await begin(store, TWO) for _ in range(4)]
        refs = tuple(WorkRef(run.id, run.number("first")) for run in runs)
        assert len(await claim(store, items=refs)) == 2

    async def test_queues_codes_and_steps_choose_among_work_that_needs_a_slot(self, store: WorkflowStore) -> None:
        await begin(store, Slot("a", 1), an_instance(a_graph(name="order", queue="heavy")))
        await begin(store, Slot("b", 1), an_instance(a_graph(name="refund", queue="light")))
        choices: tuple[dict[str, Any], ...] = (
            {"queues": frozenset({"other"})},
            {"codes": frozenset({"order@9"})},
            {"without": frozenset({"order@1.0.0/first", "refund@1.0.0/first"})},
        )
        for nothing in choices:
            assert await claim(store, **nothing) == []
            assert await store.next_due(**nothing) is None
        (heavy,) = await claim(store, queues=frozenset({"heavy"}))
        (refund,) = await claim(store, codes=frozenset({"refund@1.0.0"}))
        assert (heavy.state.workflow, refund.state.workflow) == ("order", "refund")

    async def test_work_that_waits_for_a_slot_is_not_due_before_a_lease_ends(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await begin(store)
        await begin(store)
        assert await has_due(store)
        await claim_one(store, lease_s=30)
        assert await store.next_due() == 30.0
        clock.advance(seconds(10))
        assert await store.next_due() == 20.0

    async def test_a_free_slot_makes_work_due_again(self, store: WorkflowStore) -> None:
        await begin(store)
        await begin(store)
        first = await claim_one(store)
        assert not await has_due(store)
        await store.release("worker-1", [first.lease], delay_s=3600.0)
        assert await has_due(store)

    async def test_a_free_slot_is_found_among_many_that_are_taken(self, store: WorkflowStore) -> None:
        for number in range(150):
            await begin(store, Slot(f"customer {number:03}", 1))
            await begin(store, Slot(f"customer {number:03}", 1))
        given = 0
        for _ in range(30):
            if await has_due(store):
                given += len(await claim(store, limit=20))
        assert given == 150
