"""Rules of the store: a write under a fence, and going on with the next work item."""

from __future__ import annotations

from msgspec.structs import replace

from workflows_core.domain.commands import Assignment, Prepared
from workflows_core.domain.graph import HumanNode
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import Committed, Held, LeaseLost, WorkflowStore
from workflows_testing.builders import a_parallel_graph, a_task_graph, an_instance, with_transition
from workflows_testing.conformance.contract import (
    MovableClock,
    StoreContract,
    claim,
    claim_one,
    commit,
    held_by,
    load,
    refused,
    seconds,
    start,
)

__all__ = ["FenceRules"]


class FenceRules(StoreContract):
    """`Write.held`, `Write.also_held` and `Write.take`."""

    async def test_a_write_under_the_newest_fence_is_committed(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        claimed = await claim_one(store)
        await commit(store, run.complete("first", held=held_by("worker-1", claimed)))

    async def test_a_write_under_an_older_fence_is_refused(self, store: WorkflowStore, clock: MovableClock) -> None:
        run = await start(store, an_instance())
        stale = await claim_one(store, "worker-1", lease_s=10)
        clock.advance(seconds(11))
        await claim_one(store, "worker-2")
        assert isinstance(await refused(store, run.complete("first", held=held_by("worker-1", stale))), LeaseLost)

    async def test_the_new_holder_can_write_after_the_old_one_was_refused(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start(store, an_instance())
        stale = await claim_one(store, "worker-1", lease_s=10)
        clock.advance(seconds(11))
        current = await claim_one(store, "worker-2")
        before = run.state
        await refused(store, run.complete("first", held=held_by("worker-1", stale)))
        run.state = before
        await commit(store, run.complete("first", held=held_by("worker-2", current)))

    async def test_a_write_under_a_fence_that_was_never_given_is_refused(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        claimed = await claim_one(store)
        ahead = Held(claimed.item.number, claimed.fence + 1, "worker-1")
        assert isinstance(await refused(store, run.complete("first", held=ahead)), LeaseLost)

    async def test_a_write_for_a_work_item_that_is_gone_is_refused(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_parallel_graph()))
        claims = {claimed.item.step: claimed for claimed in await claim(store)}
        await commit(store, run.complete("left", held=held_by("worker-1", claims["left"])))
        assert isinstance(await refused(store, run.touch(held=held_by("worker-1", claims["left"]))), LeaseLost)

    async def test_a_write_for_a_work_item_that_never_was_is_refused(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        assert isinstance(await refused(store, run.complete("first", held=Held(77, 1, "worker-1"))), LeaseLost)

    async def test_an_ended_lease_that_nobody_took_over_still_lets_its_holder_write(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start(store, an_instance())
        claimed = await claim_one(store, lease_s=10)
        clock.advance(seconds(60))
        await commit(store, run.complete("first", held=held_by("worker-1", claimed)))

    async def test_a_fence_is_no_good_for_another_work_item_of_the_same_number(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start(store, an_instance(a_task_graph(HumanNode(computed=True, handler=True))))
        stale = await claim_one(store, "worker-1", lease_s=10)
        clock.advance(seconds(11))
        current = held_by("worker-2", await claim_one(store, "worker-2"))
        opening = Prepared(place=run.place("review"), now=run.now, assignment=Assignment())
        await commit(store, run.decide(opening, held=current))
        await commit(store, run.complete_task("review"))
        handled = await claim_one(store, "worker-3")
        assert handled.item.number == stale.item.number, "the kernel numbers work items by their token"
        assert handled.fence > current.fence
        assert isinstance(await refused(store, run.complete("review", held=held_by("worker-1", stale))), LeaseLost)

    async def test_a_write_in_the_name_of_another_worker_is_refused(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        claimed = await claim_one(store, "worker-1")
        assert isinstance(await refused(store, run.complete("first", held=held_by("worker-2", claimed))), LeaseLost)

    async def test_a_work_item_that_is_made_anew_has_higher_fences_than_the_one_before(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start(store, an_instance())
        item = run.item("first")
        for _ in range(2):
            await claim_one(store, lease_s=10)
            clock.advance(seconds(11))
        before = await claim_one(store)
        await commit(store, with_transition(run.touch(), work={item.number: None}))
        await commit(store, run.rewrite(item))
        again = await claim_one(store)
        assert (again.ref, again.attempt) == (before.ref, 1)
        assert again.fence > before.fence

    async def test_a_work_item_that_is_made_anew_and_taken_has_a_higher_fence_than_the_one_before(
        self, store: WorkflowStore
    ) -> None:
        run = await start(store, an_instance(a_parallel_graph("left", "right")))
        left, right = (held_by("worker-1", claimed) for claimed in await claim(store))
        item = run.item("right")
        await commit(store, with_transition(run.touch(held=left), work={item.number: None}))
        result = await commit(store, run.rewrite(item, held=left, take=True))
        assert result.fences[item.number] > right.fence

    async def test_a_write_without_a_fence_needs_none(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        await claim_one(store)
        await commit(store, run.cancel())

    async def test_a_write_under_several_fences_is_committed_if_all_are_the_newest(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_parallel_graph("left", "right")))
        holds = [held_by("worker-1", claimed) for claimed in await claim(store)]
        await commit(store, replace(run.complete("left", held=holds[0]), also_held=(holds[1],)))
        assert (await load(store, run)).state == run.state

    async def test_a_write_under_several_fences_is_refused_if_any_is_not_the_newest(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_parallel_graph("left", "right")))
        left, right = (held_by("worker-1", claimed) for claimed in await claim(store))
        before = run.state
        write = run.complete("left")
        for first, second in ((left, replace(right, fence=9)), (replace(left, fence=9), right)):
            assert isinstance(await refused(store, replace(write, held=first, also_held=(second,))), LeaseLost)
        assert (await load(store, run)).state == before

    async def test_a_worker_that_goes_on_gets_the_next_fence(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        claimed = await claim_one(store)
        result = await commit(store, run.complete("first", held=held_by("worker-1", claimed), take="second"))
        assert result.fences == {run.number("second"): claimed.fence + 1}

    async def test_a_write_that_takes_nothing_gives_no_fences(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        claimed = await claim_one(store)
        assert (await commit(store, run.complete("first", held=held_by("worker-1", claimed)))).fences == {}

    async def test_nobody_else_can_claim_what_was_taken(self, store: WorkflowStore, peer: WorkflowStore) -> None:
        await commit(store, an_instance().start(take="first", worker="worker-1"))
        assert await claim(peer, "worker-2") == []
        assert await claim(store, "worker-1") == []

    async def test_what_was_not_taken_can_be_claimed(self, store: WorkflowStore) -> None:
        run = an_instance(a_parallel_graph())
        await commit(store, run.start(take="left", worker="worker-1"))
        assert [claimed.item.step for claimed in await claim(store, "worker-2")] == ["right"]

    async def test_the_worker_is_known_that_took_a_work_item(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        run = an_instance()
        result = await commit(store, run.start(take="first", worker="worker-1", lease_s=12.5))
        (record,) = await queries.list_work(run.id)
        assert (record.worker, record.lease_until, record.attempt) == ("worker-1", result.at + seconds(12.5), 1)

    async def test_a_worker_can_go_on_again_and_again(self, store: WorkflowStore) -> None:
        run = an_instance()
        result = await commit(store, run.start(take="first", worker="worker-1"))
        for step, following in (("first", "second"), ("second", "third"), ("third", None)):
            held = Held(run.number(step), result.fences[run.number(step)], "worker-1")
            result = await commit(store, run.complete(step, held=held, take=following))
        assert (await load(store, run)).state.status == "completed"

    async def test_the_fence_before_the_taken_one_is_no_longer_good(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        claimed = await claim_one(store)
        await commit(store, run.complete("first", held=held_by("worker-1", claimed), take="second"))
        late = run.complete("second", held=held_by("worker-1", claimed))
        assert isinstance(await refused(store, late), LeaseLost)

    async def test_what_was_taken_counts_as_due_since_it_was_due_first(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        due = clock.now()
        run = await start(store, an_instance())
        clock.advance(seconds(5))
        held = held_by("worker-1", await claim_one(store))
        await commit(store, run.complete("first", held=held, take="second", lease_s=10))
        clock.advance(seconds(11))
        (record,) = await queries.list_work(run.id)
        assert (record.worker, record.due_at) == (None, due)

    async def test_the_lease_on_what_was_taken_ends_too(self, store: WorkflowStore, clock: MovableClock) -> None:
        run = an_instance()
        result = await commit(store, run.start(take="first", worker="worker-1", lease_s=10))
        clock.advance(seconds(9.999))
        assert await claim(store, "worker-2") == []
        clock.advance(seconds(0.002))
        claimed = await claim_one(store, "worker-2")
        assert result.fences == {claimed.item.number: claimed.fence - 1}
        assert claimed.attempt == 2

    async def test_the_lease_on_what_was_taken_counts_from_the_commit(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start(store, an_instance())
        claimed = await claim_one(store, lease_s=10)
        clock.advance(seconds(8))
        await commit(store, run.complete("first", held=held_by("worker-1", claimed), take="second", lease_s=10))
        clock.advance(seconds(8))
        assert await claim(store, "worker-2") == []

    async def test_the_lease_on_what_was_taken_may_be_shorter_than_the_one_before(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start(store, an_instance())
        claimed = await claim_one(store, lease_s=3600)
        await commit(store, run.complete("first", held=held_by("worker-1", claimed), take="second", lease_s=10))
        clock.advance(seconds(11))
        assert (await claim_one(store, "worker-2")).item.step == "second"

    async def test_a_lost_lease_of_one_instance_harms_no_other_of_the_batch(self, store: WorkflowStore) -> None:
        lost, good = await start(store, an_instance()), await start(store, an_instance())
        held = Held(lost.number("first"), 99, "worker-1")
        results = await store.commit([lost.complete("first", held=held), good.complete("first")])
        assert [type(result) for result in results] == [LeaseLost, Committed]
        assert (await load(store, good)).state == good.state
