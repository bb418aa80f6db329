"""Rules of the store: how often a work item was lost with its worker."""

from __future__ import annotations

from workflows_core.domain.transition import WorkKind
from workflows_core.ports.store import WorkflowStore
from workflows_testing.builders import an_instance
from workflows_testing.conformance.contract import (
    MovableClock,
    StoreContract,
    claim_one,
    commit,
    held_by,
    seconds,
    start,
    start_limited,
)

__all__ = ["CrashRules"]


async def lose(store: WorkflowStore, clock: MovableClock, *, times: int) -> None:
    """Claim the only work item that is due, so many times, and let each lease end."""
    for number in range(times):
        await claim_one(store, f"lost-{number}", lease_s=10)
        clock.advance(seconds(11))


class CrashRules(StoreContract):
    """`Claim.crashes`."""

    async def test_a_first_claim_follows_no_crash(self, store: WorkflowStore) -> None:
        await start(store, an_instance())
        assert (await claim_one(store)).crashes == 0

    async def test_every_lease_that_ended_before_a_claim_is_a_crash(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await start(store, an_instance())
        for crashes in (0, 1, 2):
            assert (await claim_one(store, f"worker-{crashes}", lease_s=10)).crashes == crashes
            clock.advance(seconds(11))

    async def test_a_worker_that_claims_again_what_it_lost_has_crashed_too(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await start(store, an_instance())
        await claim_one(store, "worker-1", lease_s=10)
        clock.advance(seconds(11))
        assert (await claim_one(store, "worker-1")).crashes == 1

    async def test_a_release_is_no_crash(self, store: WorkflowStore) -> None:
        await start(store, an_instance())
        for untouched in (False, True):
            claimed = await claim_one(store)
            assert claimed.crashes == 0
            await store.release("worker-1", [claimed.lease], untouched=untouched)
        assert (await claim_one(store)).crashes == 0

    async def test_a_release_does_not_make_up_for_crashes(self, store: WorkflowStore, clock: MovableClock) -> None:
        await start(store, an_instance())
        await lose(store, clock, times=2)
        claimed = await claim_one(store)
        await store.release("worker-1", [claimed.lease], untouched=True)
        assert (await claim_one(store)).crashes == 2

    async def test_a_renewal_is_no_crash(self, store: WorkflowStore, clock: MovableClock) -> None:
        await start(store, an_instance())
        await claim_one(store, lease_s=10)
        await store.renew("worker-1", 30)
        clock.advance(seconds(31))
        assert (await claim_one(store)).crashes == 1

    async def test_work_that_is_taken_from_its_holder_counts_as_a_crash(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await start_limited(store)
        await claim_one(store, "worker-1", lease_s=3600)
        clock.advance(seconds(60))
        claimed = await claim_one(store, "worker-2")
        assert (claimed.item.kind, claimed.crashes) == (WorkKind.EXPIRE, 1)

    async def test_time_that_is_over_while_nobody_holds_the_work_is_no_crash(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await start_limited(store)
        claimed = await claim_one(store)
        await store.release("worker-1", [claimed.lease])
        clock.advance(seconds(60))
        claimed = await claim_one(store)
        assert (claimed.item.kind, claimed.crashes) == (WorkKind.EXPIRE, 0)

    async def test_work_that_is_written_anew_has_not_crashed(self, store: WorkflowStore, clock: MovableClock) -> None:
        run = await start(store, an_instance())
        await lose(store, clock, times=2)
        claimed = await claim_one(store)
        await commit(store, run.complete("first", held=held_by("worker-1", claimed)))
        assert (await claim_one(store)).crashes == 0

    async def test_work_that_is_written_anew_by_somebody_else_has_not_crashed(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start(store, an_instance())
        await lose(store, clock, times=2)
        await commit(store, run.rewrite(run.item("first")))
        assert (await claim_one(store)).crashes == 0

    async def test_work_that_is_taken_has_not_crashed_before(self, store: WorkflowStore, clock: MovableClock) -> None:
        run = await start(store, an_instance())
        await lose(store, clock, times=2)
        held = held_by("worker-1", await claim_one(store))
        await commit(store, run.complete("first", held=held, take="second", lease_s=10))
        clock.advance(seconds(11))
        assert (await claim_one(store, "worker-2")).crashes == 1
