"""Rules for every `LeaseKeeper`: it renews what the store leased, from wherever it is asked."""

from __future__ import annotations

import asyncio
import threading

from workflows_core.ports.store import WorkflowStore
from workflows_testing.builders import an_instance
from workflows_testing.conformance.contract import (
    MovableClock,
    StoreContract,
    claim,
    claim_one,
    commit,
    held_by,
    seconds,
    start,
)

__all__ = ["KeeperRules", "LeaseKeeperConformance"]


class KeeperRules(StoreContract):
    """The keepers that a store makes."""

    async def test_a_keeper_tells_what_the_worker_holds(self, store: WorkflowStore) -> None:
        await store.commit([an_instance().start() for _ in range(3)])
        held = {claimed.lease for claimed in await claim(store, limit=2)}
        keeper = store.lease_keeper()
        assert await keeper.renew("worker-1", 30) == held
        assert await keeper.renew("worker-2", 30) == set()
        await keeper.close()

    async def test_a_keeper_extends_the_leases_of_its_worker_alone(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await store.commit([an_instance().start() for _ in range(2)])
        kept = (await claim(store, "worker-1", limit=1, lease_s=10))[0]
        other = (await claim(store, "worker-2", limit=1, lease_s=10))[0]
        clock.advance(seconds(9))
        keeper = store.lease_keeper()
        await keeper.renew("worker-1", 10)
        await keeper.close()
        clock.advance(seconds(9))
        assert [found.ref for found in await claim(store, "worker-3")] == [other.ref]
        clock.advance(seconds(2))
        assert [found.ref for found in await claim(store, "worker-4")] == [kept.ref]

    async def test_a_keeper_does_not_revive_a_lease_that_has_ended(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await start(store, an_instance())
        await claim_one(store, lease_s=10)
        clock.advance(seconds(11))
        keeper = store.lease_keeper()
        assert await keeper.renew("worker-1", 10) == set()
        await keeper.close()
        assert len(await claim(store, "worker-2")) == 1

    async def test_a_keeper_keeps_the_fence(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        claimed = await claim_one(store)
        keeper = store.lease_keeper()
        await keeper.renew("worker-1", 30)
        await keeper.close()
        await commit(store, run.complete("first", held=held_by("worker-1", claimed)))

    async def test_a_keeper_works_in_another_thread_and_event_loop(self, store: WorkflowStore) -> None:
        await start(store, an_instance())
        claimed = await claim_one(store)
        answers: list[object] = []

        async def renew() -> None:
            keeper = store.lease_keeper()
            answers.append(await keeper.renew("worker-1", 30))
            answers.append(await keeper.renew("worker-1", 30))
            await keeper.close()

        def elsewhere() -> None:
            try:
                asyncio.run(renew())
            except Exception as error:  # noqa: BLE001 - shown by the assertion below
                answers.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        await asyncio.to_thread(thread.join)
        assert answers == [{claimed.lease}, {claimed.lease}]

    async def test_a_keeper_that_was_cancelled_can_be_used_again(self, store: WorkflowStore) -> None:
        await start(store, an_instance())
        claimed = await claim_one(store)
        keeper = store.lease_keeper()
        for _ in range(3):
            renewal = asyncio.ensure_future(keeper.renew("worker-1", 30))
            await asyncio.sleep(0)
            renewal.cancel()
            await asyncio.gather(renewal, return_exceptions=True)
        assert await keeper.renew("worker-1", 30) == {claimed.lease}
        await keeper.close()

    async def test_a_keeper_can_be_closed_twice_and_unused(self, store: WorkflowStore) -> None:
        keeper = store.lease_keeper()
        await keeper.close()
        await keeper.close()
        await start(store, an_instance())
        assert len(await claim(store)) == 1, "the store goes on"


class LeaseKeeperConformance(KeeperRules):
    """The suite; override the fixtures as for `WorkflowStoreConformance`."""
