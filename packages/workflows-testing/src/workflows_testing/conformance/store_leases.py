"""Rules of the store: keeping what was claimed, giving it back, and when the next is due."""

from __future__ import annotations

import math

from workflows_core.domain.types import WorkflowStatus
from workflows_core.ports.leases import Lease
from workflows_core.ports.store import LeaseLost, WorkflowStore, code_key, step_key
from workflows_testing.builders import a_graph, a_timer_graph, an_instance, with_work
from workflows_testing.conformance.contract import (
    MovableClock,
    StoreContract,
    claim,
    claim_one,
    commit,
    held_by,
    refused,
    seconds,
    start,
)

__all__ = ["LeaseRules"]


class LeaseRules(StoreContract):
    """`WorkflowStore.renew`, `release` and `next_due`."""

    async def test_renewing_tells_what_the_worker_holds(self, store: WorkflowStore) -> None:
        await store.commit([an_instance().start() for _ in range(3)])
        held = {claimed.lease for claimed in await claim(store, limit=2)}
        assert await store.renew("worker-1", 30) == held

    async def test_a_worker_that_holds_nothing_renews_nothing(self, store: WorkflowStore) -> None:
        await start(store, an_instance())
        assert await store.renew("worker-1", 30) == set()

    async def test_a_renewed_lease_ends_so_much_after_the_renewal(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await start(store, an_instance())
        await claim_one(store, lease_s=10)
        clock.advance(seconds(9))
        await store.renew("worker-1", 10)
        clock.advance(seconds(9.999999))
        assert await claim(store, "worker-2") == []
        clock.advance(seconds(0.000002))
        assert len(await claim(store, "worker-2")) == 1

    async def test_a_lease_that_has_ended_is_not_renewed(self, store: WorkflowStore, clock: MovableClock) -> None:
        await start(store, an_instance())
        await claim_one(store, lease_s=10)
        clock.advance(seconds(11))
        assert await store.renew("worker-1", 10) == set()
        assert len(await claim(store, "worker-2")) == 1

    async def test_only_the_leases_that_have_not_ended_are_renewed(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await start(store, an_instance())
        await claim_one(store, lease_s=10)
        await start(store, an_instance())
        longer = await claim_one(store, lease_s=20)
        clock.advance(seconds(11))
        assert await store.renew("worker-1", 10) == {longer.lease}

    async def test_the_leases_of_other_workers_are_not_renewed(self, store: WorkflowStore, clock: MovableClock) -> None:
        await start(store, an_instance())
        await claim_one(store, "worker-1", lease_s=10)
        clock.advance(seconds(9))
        assert await store.renew("worker-2", 10) == set()
        clock.advance(seconds(2))
        assert len(await claim(store, "worker-3")) == 1

    async def test_renewing_keeps_the_fence(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        claimed = await claim_one(store)
        await store.renew("worker-1", 30)
        await commit(store, run.complete("first", held=held_by("worker-1", claimed)))

    async def test_what_was_taken_is_renewed_too(self, store: WorkflowStore) -> None:
        run = an_instance()
        result = await commit(store, run.start(take="first", worker="worker-1"))
        assert await store.renew("worker-1", 30) == {Lease(run.id, *taken) for taken in result.fences.items()} != set()

    async def test_finished_work_is_not_held_any_more(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_graph("only")))
        claimed = await claim_one(store)
        await commit(store, run.complete("only", held=held_by("worker-1", claimed)))
        assert await store.renew("worker-1", 30) == set()

    async def test_released_work_can_be_claimed_at_once(self, store: WorkflowStore) -> None:
        await start(store, an_instance())
        claimed = await claim_one(store, lease_s=3600)
        await store.release("worker-1", [claimed.lease])
        assert (await claim_one(store, "worker-2")).ref == claimed.ref

    async def test_released_work_can_be_claimed_after_its_delay(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await start(store, an_instance())
        claimed = await claim_one(store, lease_s=1)
        await store.release("worker-1", [claimed.lease], delay_s=20)
        clock.advance(seconds(19.999999))
        assert await claim(store, "worker-2") == []
        clock.advance(seconds(0.000001))
        await claim_one(store, "worker-2")

    async def test_released_work_is_not_held_any_more(self, store: WorkflowStore) -> None:
        await start(store, an_instance())
        claimed = await claim_one(store)
        await store.release("worker-1", [claimed.lease])
        assert await store.renew("worker-1", 30) == set()

    async def test_a_claim_after_a_release_raises_the_fence_and_counts_an_attempt(self, store: WorkflowStore) -> None:
        await start(store, an_instance())
        first = await claim_one(store)
        await store.release("worker-1", [first.lease])
        second = await claim_one(store)
        assert (second.fence, second.attempt) == (first.fence + 1, 2)

    async def test_work_that_was_released_untouched_was_never_attempted(self, store: WorkflowStore) -> None:
        await start(store, an_instance())
        first = await claim_one(store)
        await store.release("worker-1", [first.lease], untouched=True)
        second = await claim_one(store)
        assert (second.fence, second.attempt) == (first.fence + 1, 1)
        await store.release("worker-1", [second.lease], untouched=True)
        assert (await claim_one(store)).attempt == 1

    async def test_a_fence_from_before_a_release_is_no_good_after_the_next_claim(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        first = await claim_one(store)
        await store.release("worker-1", [first.lease])
        await claim_one(store)
        late = run.complete("first", held=held_by("worker-1", first))
        assert isinstance(await refused(store, late), LeaseLost)

    async def test_only_the_holder_can_release(self, store: WorkflowStore) -> None:
        await start(store, an_instance())
        claimed = await claim_one(store, "worker-1")
        await store.release("worker-2", [claimed.lease])
        assert await claim(store, "worker-2") == []
        assert await store.renew("worker-1", 30) == {claimed.lease}

    async def test_a_former_holder_cannot_release(self, store: WorkflowStore, clock: MovableClock) -> None:
        await start(store, an_instance())
        claimed = await claim_one(store, "worker-1", lease_s=10)
        clock.advance(seconds(11))
        await claim_one(store, "worker-2")
        await store.release("worker-1", [claimed.lease])
        assert await claim(store, "worker-3") == []

    async def test_a_late_release_leaves_alone_what_the_same_worker_has_claimed_again(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start(store, an_instance())
        first = await claim_one(store, lease_s=10)
        clock.advance(seconds(11))
        second = await claim_one(store, lease_s=10)
        await store.release("worker-1", [first.lease], untouched=True)
        assert await store.renew("worker-1", 10) == {second.lease}
        await commit(store, run.complete("first", held=held_by("worker-1", second)))

    async def test_a_release_that_arrives_twice_gives_back_once(self, store: WorkflowStore) -> None:
        await start(store, an_instance())
        first = await claim_one(store)
        await store.release("worker-1", [first.lease])
        second = await claim_one(store)
        await store.release("worker-1", [first.lease])
        assert await store.renew("worker-1", 30) == {second.lease}

    async def test_what_was_claimed_again_is_held_under_its_newest_fence(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await start(store, an_instance())
        first = await claim_one(store, lease_s=10)
        clock.advance(seconds(11))
        second = await claim_one(store, lease_s=10)
        assert second.fence > first.fence
        assert await store.renew("worker-1", 10) == {second.lease}

    async def test_only_the_work_items_that_are_named_are_released(self, store: WorkflowStore) -> None:
        await store.commit([an_instance().start() for _ in range(2)])
        kept, given_back = await claim(store)
        await store.release("worker-1", [given_back.lease])
        assert await store.renew("worker-1", 30) == {kept.lease}

    async def test_releasing_what_is_not_there_does_nothing(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        await store.release("worker-1", [Lease(run.id, 77, 1), Lease(an_instance().id, 1, 1)])
        await store.release("worker-1", [])
        assert (await claim_one(store)).attempt == 1

    async def test_without_work_nothing_is_due(self, store: WorkflowStore) -> None:
        assert await store.next_due() is None

    async def test_work_that_can_be_claimed_is_due(self, store: WorkflowStore) -> None:
        await start(store, an_instance())
        due = await store.next_due()
        assert due is not None
        assert due <= 0

    async def test_the_next_due_is_the_earliest(self, store: WorkflowStore, clock: MovableClock) -> None:
        for delay_s in (90, 30, 60):
            await start(store, an_instance(a_timer_graph(delay_s)))
        clock.advance(seconds(12))
        assert await store.next_due() == 18

    async def test_held_work_is_due_when_its_lease_ends(self, store: WorkflowStore, clock: MovableClock) -> None:
        await start(store, an_instance())
        await claim_one(store, lease_s=40)
        clock.advance(seconds(15))
        assert await store.next_due() == 25

    async def test_released_work_is_due_after_its_delay(self, store: WorkflowStore) -> None:
        await start(store, an_instance())
        claimed = await claim_one(store)
        await store.release("worker-1", [claimed.lease], delay_s=20)
        assert await store.next_due() == 20

    async def test_what_is_due_goes_by_queue(self, store: WorkflowStore) -> None:
        await commit(store, an_instance(a_graph(queue="heavy")).start())
        await claim_one(store, lease_s=40)
        await commit(store, with_work(an_instance(a_graph(queue="mail")).start(), delay_s=60.0))
        assert await store.next_due(queues=frozenset({"mail"})) == 60
        assert await store.next_due(queues=frozenset({"heavy"})) == 40
        assert await store.next_due(queues=frozenset({"default"})) is None

    async def test_what_is_due_goes_by_code(self, store: WorkflowStore) -> None:
        for name, delay_s in (("order", 20.0), ("refund", 10.0)):
            await commit(store, with_work(an_instance(a_graph(name=name)).start(), delay_s=delay_s))
        assert await store.next_due(codes=frozenset({code_key("order", "1.0.0")})) == 20
        assert await store.next_due(codes=frozenset({code_key("order", "2.0.0")})) is None

    async def test_what_is_due_goes_by_step(self, store: WorkflowStore) -> None:
        free, held = await start(store, an_instance()), await start(store, an_instance(a_graph("other")))
        first, other = (
            step_key(run.state.workflow, run.state.version, step) for run, step in ((free, "first"), (held, "other"))
        )
        await claim(store, without=frozenset({first}), lease_s=40)
        assert await store.next_due(without=frozenset({first})) == 40
        assert await store.next_due(without=frozenset({first, other})) is None
        due = await store.next_due(without=frozenset({other}))
        assert due is not None
        assert due <= 0

    async def test_work_that_is_never_due_does_not_count(self, store: WorkflowStore) -> None:
        await commit(store, with_work(an_instance().start(), delay_s=math.inf))
        assert await store.next_due() is None

    async def test_the_work_of_a_paused_instance_is_not_due(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        await commit(store, run.touch(status=WorkflowStatus.PAUSED))
        assert await store.next_due() is None

    async def test_the_work_of_an_instance_that_is_over_is_not_due(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        await commit(store, run.touch(status=WorkflowStatus.FAILED))
        assert await store.next_due() is None
