"""Rules of the store: work of which only so much may be begun in a time."""

from __future__ import annotations

import asyncio
from typing import Any

from workflows_core.domain.transition import Rate, Slot, WorkKind
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.store import WorkflowStore
from workflows_testing.builders import Run, an_instance, with_work
from workflows_testing.conformance.contract import (
    MovableClock,
    StoreContract,
    claim,
    claim_one,
    commit,
    has_due,
    seconds,
)

__all__ = ["RateRules"]

THREE = Rate("api", 3, 30.0)


async def begin(store: WorkflowStore, rate: Rate | None = THREE, **changes: Any) -> Run:
    """Start an instance whose first work counts to a rate."""
    run = an_instance()
    await store.publish([run.graph])
    await commit(store, with_work(run.start(), rate=rate, **changes))
    return run


class RateRules(StoreContract):
    """`WorkItem.rate`, in `WorkflowStore.commit`, `claim` and `next_due`."""

    async def test_after_a_pause_as_much_is_given_at_once_as_in_the_whole_time(self, store: WorkflowStore) -> None:
        for _ in range(5):
            await begin(store)
        assert len(await claim(store)) == 3
        assert await claim(store, "worker-2") == []

    async def test_then_one_is_given_each_time_that_its_part_has_passed(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        for _ in range(6):
            await begin(store)
        assert len(await claim(store, lease_s=3600)) == 3
        for _ in range(2):
            clock.advance(seconds(9.999999))
            assert await claim(store) == []
            clock.advance(seconds(0.000001))
            assert len(await claim(store, lease_s=3600)) == 1

    async def test_a_long_pause_saves_up_no_more_than_the_whole(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        for _ in range(9):
            await begin(store)
        assert len(await claim(store, lease_s=1e6)) == 3
        clock.advance(seconds(86400))
        assert len(await claim(store, lease_s=1e6)) == 3
        assert await claim(store) == []

    async def test_the_end_of_a_step_gives_nothing_back(self, store: WorkflowStore) -> None:
        await begin(store, Rate("api", 1, 60.0))
        await begin(store, Rate("api", 1, 60.0))
        first = await claim_one(store)
        await store.release("worker-1", [first.lease], delay_s=3600.0)
        assert await claim(store) == []

    async def test_each_key_has_a_rate_of_its_own(self, store: WorkflowStore) -> None:
        for number in range(6):
            await begin(store, Rate(f"customer {number % 3}", 1, 60.0))
        assert len(await claim(store)) == 3

    async def test_a_rate_is_shared_by_all_workers_also_by_those_that_ask_at_once(
        self, store: WorkflowStore, peer: WorkflowStore
    ) -> None:
        for _ in range(12):
            await begin(store)
        answers = await asyncio.gather(
            *(claim((store, peer)[number % 2], f"worker-{number}", limit=2) for number in range(8))
        )
        given = [claimed.ref for claims in answers for claimed in claims]
        assert len(given) == len(set(given)) <= 3
        assert len(given) + len(await claim(store)) == 3

    async def test_what_is_given_says_to_which_rate_it_counts(self, store: WorkflowStore) -> None:
        await begin(store)
        assert (await claim_one(store)).item.rate == THREE

    async def test_what_has_to_wait_is_in_nobodys_way(self, store: WorkflowStore) -> None:
        for _ in range(20):
            await begin(store, Rate("api", 1, 60.0), priority=9)
        others = {(await begin(store, Rate("printer", 1, 60.0))).id, (await begin(store, None)).id}
        given = await claim(store, limit=3)
        assert others < {claimed.state.id for claimed in given}

    async def test_work_may_need_a_slot_and_count_to_a_rate(self, store: WorkflowStore, clock: MovableClock) -> None:
        for _ in range(5):
            await begin(store, slot=Slot("api", 2))
        given = await claim(store)
        assert len(given) == 2
        await store.release("worker-1", [claimed.lease for claimed in given], delay_s=3600.0)
        last = await claim_one(store)
        await store.release("worker-1", [last.lease], delay_s=3600.0)
        assert await claim(store) == []
        clock.advance(seconds(10))
        await claim_one(store)

    async def test_who_asks_for_a_work_item_gets_it_only_within_its_rate(self, store: WorkflowStore) -> None:
        runs = [await begin(store, Rate("api", 1, 60.0)) for _ in range(2)]
        refs = tuple(WorkRef(run.id, run.number("first")) for run in runs)
        assert len(await claim(store, items=refs)) == 1
        assert await claim(store, items=refs) == []

    async def test_time_may_be_over_while_work_waits_for_its_rate(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await begin(store, Rate("api", 1, 3600.0))
        await claim_one(store, lease_s=3600)
        run = await begin(store, Rate("api", 1, 3600.0), timeout_s=60.0)
        clock.advance(seconds(60))
        claimed = await claim_one(store, "worker-2")
        assert (claimed.state.id, claimed.item.kind) == (run.id, WorkKind.EXPIRE)

    async def test_work_that_has_to_wait_is_due_when_its_rate_allows_it(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        for _ in range(4):
            await begin(store)
        assert await has_due(store)
        await claim(store, lease_s=3600)
        assert await store.next_due() == 10.0
        clock.advance(seconds(4))
        assert await store.next_due() == 6.0
        clock.advance(seconds(6))
        assert await has_due(store)
