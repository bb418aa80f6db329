"""Rules of the store: which work whose time is over a worker gets, in which order, and when the next is due."""

from __future__ import annotations

import math

from workflows_core.domain.transition import WorkKind
from workflows_core.domain.types import WorkflowStatus
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.store import LeaseLost, WorkflowStore, code_key, step_key
from workflows_testing.builders import Run, a_graph, an_instance, with_work
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

__all__ = ["LimitChoiceRules"]

EXPIRE = WorkKind.EXPIRE


def ref_of(run: Run) -> WorkRef:
    """The work item of the first step."""
    return WorkRef(run.id, run.number("first"))


async def start_in_turn(store: WorkflowStore, clock: MovableClock) -> list[Run]:
    """Start three instances; after 40 seconds they are claimed in the order second, third, first."""
    runs = [await start_limited(store, timeout_s=30.0)]
    clock.advance(seconds(10))
    runs.append(await start_limited(store, timeout_s=None))
    clock.advance(seconds(10))
    runs.append(await start_limited(store, timeout_s=5.0, delay_s=math.inf))
    clock.advance(seconds(20))
    return runs


class LimitChoiceRules(StoreContract):
    """Work whose time is over, in `WorkflowStore.claim` and `next_due`."""

    async def test_work_whose_time_is_over_counts_as_due_since_then(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        first, second, third = await start_in_turn(store, clock)
        assert [claimed.ref for claimed in await claim(store)] == [ref_of(second), ref_of(third), ref_of(first)]

    async def test_the_earliest_of_work_that_is_due_and_work_whose_time_is_over_comes_first(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        first, second, third = await start_in_turn(store, clock)
        assert [claimed.ref for claimed in await claim(store, limit=1)] == [ref_of(second)]
        assert [claimed.ref for claimed in await claim(store, limit=2)] == [ref_of(third), ref_of(first)]

    async def test_the_most_urgent_of_work_that_is_due_and_work_whose_time_is_over_comes_first(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        for priority, timeout_s in ((0, 20.0), (5, None), (-3, 10.0), (9, 30.0), (7, None)):
            await start_limited(store, priority=priority, timeout_s=timeout_s)
        clock.advance(seconds(60))
        assert [claimed.item.priority for claimed in await claim(store, limit=3)] == [9, 7, 5]
        assert [claimed.item.priority for claimed in await claim(store)] == [0, -3]

    async def test_no_more_work_whose_time_is_over_is_given_than_asked_for(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await store.commit([with_work(an_instance().start(), timeout_s=60.0) for _ in range(5)])
        clock.advance(seconds(60))
        assert await claim(store, limit=0) == []
        assert len(await claim(store, limit=3)) == 3
        assert len(await claim(store, limit=3)) == 2

    async def test_work_whose_time_is_over_goes_by_queue(self, store: WorkflowStore, clock: MovableClock) -> None:
        for queue in ("mail", "heavy"):
            await start_limited(store, an_instance(a_graph(queue=queue)))
        await claim(store, limit=1, lease_s=3600)
        clock.advance(seconds(60))
        assert await claim(store, queues=frozenset()) == []
        for queue in ("mail", "heavy"):
            (claimed,) = await claim(store, queues=frozenset({queue, "other"}))
            assert (claimed.item.queue, claimed.item.kind) == (queue, EXPIRE)

    async def test_work_whose_time_is_over_goes_by_code(self, store: WorkflowStore, clock: MovableClock) -> None:
        for name in ("order", "refund"):
            await start_limited(store, an_instance(a_graph(name=name)))
        await claim(store, limit=1, lease_s=3600)
        clock.advance(seconds(60))
        assert await claim(store, codes=frozenset({code_key("order", "2.0.0")})) == []
        for name in ("order", "refund"):
            (claimed,) = await claim(store, codes=frozenset({code_key(name, "1.0.0")}))
            assert (claimed.state.workflow, claimed.item.kind) == (name, EXPIRE)

    async def test_work_whose_time_is_over_goes_by_step(self, store: WorkflowStore, clock: MovableClock) -> None:
        for step in ("pick", "pack"):
            await start_limited(store, an_instance(a_graph(step)))
        await claim(store, limit=1, lease_s=3600)
        clock.advance(seconds(60))
        for step, other in (("pick", "pack"), ("pack", "pick")):
            without = frozenset({step_key("order", "1.0.0", other)})
            (claimed,) = await claim(store, limit=1, without=without)
            assert (claimed.item.step, claimed.item.kind) == (step, EXPIRE)

    async def test_work_that_is_left_to_others_is_over_still(self, store: WorkflowStore, clock: MovableClock) -> None:
        run = await start_limited(store, delay_s=math.inf)
        clock.advance(seconds(60))
        lacking = frozenset({step_key("order", "1.0.0", "first")})
        for _ in range(2):
            assert await claim(store, "worker-1", without=lacking) == []
        claimed = await claim_one(store, "worker-2")
        assert (claimed.ref, claimed.item.kind, claimed.attempt) == (ref_of(run), EXPIRE, 1)

    async def test_asking_for_work_whose_time_is_over_takes_it_from_its_holder(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start_limited(store)
        holder = await claim_one(store, "worker-1", lease_s=3600)
        clock.advance(seconds(59.999999))
        assert await claim(store, "worker-2", items=(ref_of(run),)) == []
        clock.advance(seconds(0.000001))
        (claimed,) = await claim(store, "worker-2", items=(ref_of(run),) * 2)
        assert (claimed.item.kind, claimed.fence) == (EXPIRE, holder.fence + 1)
        assert isinstance(await refused(store, run.complete("first", held=held_by("worker-1", holder))), LeaseLost)

    async def test_asking_for_work_that_is_never_due_gives_it_when_its_time_is_over(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start_limited(store, delay_s=math.inf)
        assert await claim(store, items=(ref_of(run),)) == []
        clock.advance(seconds(60))
        assert [claimed.item.kind for claimed in await claim(store, items=(ref_of(run),))] == [EXPIRE]

    async def test_asking_for_work_items_gives_the_earliest_first_whether_due_or_over(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        first, second, third = await start_in_turn(store, clock)
        items = (ref_of(third), ref_of(first), ref_of(second))
        assert [claimed.ref for claimed in await claim(store, limit=1, items=items)] == [ref_of(second)]
        assert [claimed.ref for claimed in await claim(store, items=items)] == [ref_of(third), ref_of(first)]

    async def test_asking_for_work_whose_time_is_over_goes_by_queue_code_and_step_too(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start_limited(store)
        clock.advance(seconds(60))
        lacking = frozenset({step_key("order", "1.0.0", "first")})
        assert await claim(store, items=(ref_of(run),), queues=frozenset({"mail"})) == []
        assert await claim(store, items=(ref_of(run),), codes=frozenset({code_key("refund", "1.0.0")})) == []
        assert await claim(store, items=(ref_of(run),), without=lacking) == []
        assert len(await claim(store, items=(ref_of(run),))) == 1

    async def test_a_limit_is_due_when_it_is_over(self, store: WorkflowStore, clock: MovableClock) -> None:
        await start_limited(store, delay_s=math.inf)
        clock.advance(seconds(12))
        assert await store.next_due() == 48
        clock.advance(seconds(48))
        assert await has_due(store)

    async def test_the_next_due_is_the_earlier_of_moment_and_limit(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await start_limited(store, delay_s=90.0)
        assert await store.next_due() == 60
        await start_limited(store, delay_s=30.0)
        assert await store.next_due() == 30

    async def test_the_next_due_of_held_work_is_the_earlier_of_lease_and_limit(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await start_limited(store)
        await claim_one(store, lease_s=3600)
        assert await store.next_due() == 60
        await start_limited(store)
        await claim_one(store, lease_s=20)
        assert await store.next_due() == 20

    async def test_a_limit_that_was_told_is_due_no_more(self, store: WorkflowStore, clock: MovableClock) -> None:
        await start_limited(store)
        clock.advance(seconds(60))
        await claim_one(store, lease_s=40)
        clock.advance(seconds(15))
        assert await store.next_due() == 25

    async def test_a_limit_that_is_gone_is_due_no_more(self, store: WorkflowStore) -> None:
        run = await start_limited(store, delay_s=math.inf)
        assert await store.next_due() == 60
        await commit(store, run.rewrite(run.item("first"), delay_s=90.0))
        assert await store.next_due() == 90

    async def test_limits_are_due_by_queue_code_and_step(self, store: WorkflowStore) -> None:
        await start_limited(store, an_instance(a_graph("pick", queue="mail", name="refund")), delay_s=math.inf)
        await start_limited(store, timeout_s=20.0)
        await claim(store, lease_s=3600)
        assert await store.next_due() == 20
        assert await store.next_due(queues=frozenset({"mail"})) == 60
        assert await store.next_due(queues=frozenset({"other"})) is None
        assert await store.next_due(codes=frozenset({code_key("refund", "1.0.0")})) == 60
        assert await store.next_due(codes=frozenset({code_key("refund", "2.0.0")})) is None
        assert await store.next_due(without=frozenset({step_key("order", "1.0.0", "first")})) == 60
        assert await store.next_due(without=frozenset({step_key("refund", "1.0.0", "pick")})) == 20

    async def test_the_limits_of_an_instance_that_is_paused_or_over_are_not_due(self, store: WorkflowStore) -> None:
        run = await start_limited(store, delay_s=math.inf)
        for status, due in (("paused", None), ("running", 60), ("failed", None)):
            await commit(store, run.touch(status=WorkflowStatus(status)))
            assert await store.next_due() == due
