"""Rules of the store: what becomes of a work item when its time is over."""

from __future__ import annotations

import asyncio
import math

from workflows_core.domain.transition import WorkKind
from workflows_core.domain.types import WorkflowStatus
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.store import LeaseLost, WorkflowStore
from workflows_testing.builders import a_for_each_graph, a_parallel_graph, a_timer_graph, an_instance, with_work
from workflows_testing.conformance.contract import (
    MovableClock,
    StoreContract,
    claim,
    claim_one,
    commit,
    has_due,
    held_by,
    refused,
    seconds,
    start_limited,
)

__all__ = ["LimitRules"]

RUN, TIMER, EXPIRE = WorkKind.RUN, WorkKind.TIMER, WorkKind.EXPIRE


class LimitRules(StoreContract):
    """`WorkItem.timeout_s`, in `WorkflowStore.commit`, `claim`, `renew` and `release`."""

    async def test_work_is_given_as_it_was_written_before_its_time_is_over(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await start_limited(store)
        clock.advance(seconds(59.999999))
        assert (await claim_one(store)).item.kind is RUN

    async def test_work_is_given_as_expired_from_the_moment_on_when_its_time_is_over(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start_limited(store)
        clock.advance(seconds(60))
        claimed = await claim_one(store)
        assert (claimed.ref, claimed.item.kind) == (WorkRef(run.id, run.number("first")), EXPIRE)
        assert (claimed.item.step, claimed.item.execution) == ("first", run.item("first").execution)
        assert claimed.state == run.state

    async def test_a_claim_tells_what_is_left_of_the_time(self, store: WorkflowStore, clock: MovableClock) -> None:
        await start_limited(store)
        clock.advance(seconds(12.000001))
        claimed = await claim_one(store, lease_s=10)
        assert claimed.item.timeout_s == 47.999999
        clock.advance(seconds(20))
        assert (await claim_one(store)).item.timeout_s == 27.999999, "after another worker was lost"
        clock.advance(seconds(30))
        assert (await claim_one(store)).item.timeout_s is None, "it is over"
        await start_limited(store, timeout_s=None)
        assert (await claim_one(store)).item.timeout_s is None

    async def test_a_limit_counts_from_the_commit_to_the_microsecond(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        write = with_work(an_instance().start(), delay_s=math.inf, timeout_s=1.000007)
        clock.advance(seconds(100.5))
        await commit(store, write)
        clock.advance(seconds(1.000006))
        assert await claim(store) == []
        clock.advance(seconds(0.000001))
        assert (await claim_one(store)).item.kind is EXPIRE

    async def test_work_without_a_limit_never_expires(self, store: WorkflowStore, clock: MovableClock) -> None:
        await commit(store, an_instance().start())
        clock.advance(seconds(20 * 365 * 86400))
        assert (await claim_one(store)).item.kind is RUN

    async def test_work_that_is_not_due_is_given_when_its_time_is_over(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await start_limited(store, an_instance(a_timer_graph(3600)))
        clock.advance(seconds(59.999999))
        assert await claim(store) == []
        clock.advance(seconds(0.000001))
        assert (await claim_one(store)).item.kind is EXPIRE

    async def test_work_that_is_never_due_is_given_when_its_time_is_over(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await start_limited(store, delay_s=math.inf)
        clock.advance(seconds(60))
        assert (await claim_one(store)).item.kind is EXPIRE

    async def test_work_is_taken_from_its_holder_when_its_time_is_over(
        self, store: WorkflowStore, peer: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start_limited(store)
        holder = await claim_one(store, "worker-1", lease_s=3600)
        clock.advance(seconds(59.999999))
        assert await claim(peer, "worker-2") == []
        clock.advance(seconds(0.000001))
        expired = await claim_one(peer, "worker-2")
        assert (expired.item.kind, expired.fence, expired.attempt) == (EXPIRE, holder.fence + 1, 2)
        assert await store.renew("worker-1", 30) == set()
        assert isinstance(await refused(store, run.complete("first", held=held_by("worker-1", holder))), LeaseLost)

    async def test_whoever_was_told_that_the_time_is_over_can_write(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start_limited(store)
        await claim_one(store, "worker-1", lease_s=3600)
        clock.advance(seconds(60))
        expired = await claim_one(store, "worker-2")
        assert await store.renew("worker-2", 30) == {expired.lease}
        await commit(store, run.fail("first", held=held_by("worker-2", expired)))

    async def test_a_holder_can_write_after_its_time_is_over_if_nobody_was_told(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start_limited(store)
        holder = await claim_one(store, lease_s=3600)
        clock.advance(seconds(61))
        assert await store.renew("worker-1", 3600) == {holder.lease}
        await commit(store, run.complete("first", held=held_by("worker-1", holder)))

    async def test_that_the_time_is_over_is_told_once_while_the_lease_lasts(
        self, store: WorkflowStore, peer: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start_limited(store)
        await claim_one(store, "worker-1", lease_s=3600)
        clock.advance(seconds(60))
        await claim_one(store, "worker-2", lease_s=10)
        clock.advance(seconds(9.999999))
        for one in (store, peer):
            assert await claim(one, "worker-3") == []
            assert await claim(one, "worker-3", items=(WorkRef(run.id, run.number("first")),)) == []

    async def test_workers_that_claim_at_once_are_not_told_both_that_a_time_is_over(
        self, store: WorkflowStore, peer: WorkflowStore, clock: MovableClock
    ) -> None:
        await store.commit([with_work(an_instance().start(), timeout_s=60.0) for _ in range(12)])
        await claim(store, limit=6, lease_s=3600)
        clock.advance(seconds(60))
        given = await asyncio.gather(
            *(claim(one, f"worker-{number}", limit=3) for number, one in enumerate([store, peer] * 4))
        )
        claims = [claimed for claims in given for claimed in claims]
        claims += await claim(store, "worker-last", limit=12)
        assert len(claims) == len({claimed.ref for claimed in claims}) == 12
        assert {claimed.item.kind for claimed in claims} == {EXPIRE}

    async def test_that_the_time_is_over_is_told_again_when_the_lease_has_ended(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await start_limited(store)
        clock.advance(seconds(60))
        claims = []
        for attempt in (1, 2, 3):
            claims.append(await claim_one(store, f"worker-{attempt}", lease_s=10))
            clock.advance(seconds(10.000001))
        first = claims[0].fence
        told = [(claimed.item.kind, claimed.fence - first, claimed.attempt) for claimed in claims]
        assert told == [(EXPIRE, 0, 1), (EXPIRE, 1, 2), (EXPIRE, 2, 3)]

    async def test_expired_work_that_is_released_is_still_expired(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await start_limited(store)
        clock.advance(seconds(60))
        claimed = await claim_one(store)
        await store.release("worker-1", [claimed.lease], delay_s=20, untouched=True)
        clock.advance(seconds(19.999999))
        assert await claim(store, "worker-2") == []
        clock.advance(seconds(0.000001))
        again = await claim_one(store, "worker-2")
        assert (again.item.kind, again.fence, again.attempt) == (EXPIRE, claimed.fence + 1, 1)

    async def test_a_release_does_not_move_the_limit(self, store: WorkflowStore, clock: MovableClock) -> None:
        await start_limited(store)
        claimed = await claim_one(store)
        clock.advance(seconds(20))
        await store.release("worker-1", [claimed.lease], delay_s=3600)
        clock.advance(seconds(39.999999))
        assert await claim(store) == []
        clock.advance(seconds(0.000001))
        assert (await claim_one(store)).item.kind is EXPIRE

    async def test_work_that_is_released_after_its_time_is_given_at_once(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await start_limited(store)
        claimed = await claim_one(store, lease_s=3600)
        clock.advance(seconds(60))
        assert await has_due(store)
        await store.release("worker-1", [claimed.lease], delay_s=3600)
        assert (await claim_one(store)).item.kind is EXPIRE

    async def test_a_renewal_does_not_move_the_limit(self, store: WorkflowStore, clock: MovableClock) -> None:
        await start_limited(store)
        claimed = await claim_one(store)
        clock.advance(seconds(20))
        assert await store.renew("worker-1", 3600) == {claimed.lease}
        clock.advance(seconds(40))
        assert (await claim_one(store, "worker-2")).item.kind is EXPIRE

    async def test_deleted_work_does_not_expire(self, store: WorkflowStore, clock: MovableClock) -> None:
        run = await start_limited(store, an_instance(a_parallel_graph()))
        await commit(store, run.complete("left"))
        clock.advance(seconds(60))
        assert [(claimed.item.step, claimed.item.kind) for claimed in await claim(store)] == [("right", EXPIRE)]

    async def test_expired_work_of_an_item_brings_the_scopes_around_it(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start_limited(store, an_instance(a_for_each_graph(grouped=True), data={"orders": [1, 2]}))
        clock.advance(seconds(60))
        claims = await claim(store)
        assert len(claims) == 2
        for claimed in claims:
            group = run.state.scopes[claimed.item.scope]
            wanted = {key: run.state.scopes[key] for key in (0, group.parent, group.id)}
            assert (claimed.item.kind, claimed.state.scopes) == (EXPIRE, wanted)

    async def test_the_time_of_a_paused_instance_is_over_when_it_goes_on(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        runs = [await start_limited(store) for _ in range(2)]
        await claim(store, limit=1, lease_s=3600)
        for run in runs:
            await commit(store, run.touch(status=WorkflowStatus.PAUSED))
        clock.advance(seconds(61))
        assert await claim(store, "worker-2") == []
        assert await claim(store, "worker-2", items=tuple(WorkRef(run.id, run.number("first")) for run in runs)) == []
        for run in runs:
            await commit(store, run.touch(status=WorkflowStatus.RUNNING))
        assert [claimed.item.kind for claimed in await claim(store, "worker-2")] == [EXPIRE, EXPIRE]

    async def test_a_pause_after_the_time_is_over_is_a_pause(self, store: WorkflowStore, clock: MovableClock) -> None:
        runs = [await start_limited(store) for _ in range(2)]
        await claim(store, limit=1, lease_s=3600)
        clock.advance(seconds(61))
        assert await has_due(store)
        for run in runs:
            await commit(store, run.touch(status=WorkflowStatus.PAUSED))
        assert await claim(store, "worker-2") == []
        for run in runs:
            await commit(store, run.touch(status=WorkflowStatus.RUNNING))
        assert [claimed.item.kind for claimed in await claim(store, "worker-2")] == [EXPIRE, EXPIRE]

    async def test_the_time_of_an_instance_that_is_over_does_not_matter(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start_limited(store)
        await commit(store, run.touch(status=WorkflowStatus.FAILED))
        clock.advance(seconds(61))
        assert await claim(store) == []
        assert await claim(store, items=(WorkRef(run.id, run.number("first")),)) == []
