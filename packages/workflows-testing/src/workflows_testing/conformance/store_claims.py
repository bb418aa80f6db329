"""Rules of the store: which work items a worker gets, and in which order."""

from __future__ import annotations

import asyncio
import math

from workflows_core.domain.types import WorkflowStatus
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.store import ClaimRequest, WorkflowStore, code_key, step_key
from workflows_testing.builders import a_graph, a_parallel_graph, a_timer_graph, an_instance, with_transition, with_work
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

__all__ = ["ClaimRules"]


class ClaimRules(StoreContract):
    """`WorkflowStore.claim`."""

    async def test_a_claim_says_what_is_to_be_done(self, store: WorkflowStore, clock: MovableClock) -> None:
        run = await start(store, an_instance(a_graph(queue="heavy"), data={"amount": 7}))
        clock.advance(seconds(2.5))
        claimed = await claim_one(store)
        wanted = run.item("first")
        assert claimed.ref == WorkRef(run.id, wanted.number)
        assert (claimed.item.kind, claimed.item.step, claimed.item.scope, claimed.item.execution) == (
            wanted.kind,
            wanted.step,
            wanted.scope,
            wanted.execution,
        )
        assert (claimed.item.queue, claimed.item.priority) == ("heavy", 0)
        assert claimed.at == clock.now()

    async def test_a_claim_brings_the_instance_with_it(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(data={"amount": 7}, metadata={"source": "web"}))
        assert (await claim_one(store)).state == run.state

    async def test_the_first_claim_is_the_first_attempt(self, store: WorkflowStore) -> None:
        await start(store, an_instance())
        assert (await claim_one(store)).attempt == 1

    async def test_without_work_there_are_no_claims(self, store: WorkflowStore) -> None:
        assert await claim(store) == []

    async def test_work_before_its_moment_is_not_given(self, store: WorkflowStore, clock: MovableClock) -> None:
        await start(store, an_instance(a_timer_graph(60)))
        clock.advance(seconds(59.999999))
        assert await claim(store) == []

    async def test_work_is_given_from_its_moment_on(self, store: WorkflowStore, clock: MovableClock) -> None:
        await start(store, an_instance(a_timer_graph(60)))
        clock.advance(seconds(60))
        assert (await claim_one(store)).item.step == "wait"

    async def test_of_due_work_and_work_to_come_only_the_due_is_given(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        graphs = a_graph(), a_timer_graph(10), a_timer_graph(60)
        now, soon, _ = [await start(store, an_instance(graph)) for graph in graphs]
        clock.advance(seconds(10))
        given = {claimed.ref.instance_id for claimed in await claim(store)}
        assert given == {now.id, soon.id}

    async def test_a_delay_counts_from_the_commit_to_the_microsecond(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = an_instance(a_timer_graph(1.000007))
        write = run.start()
        clock.advance(seconds(100.5))
        await commit(store, write)
        clock.advance(seconds(1.000006))
        assert await claim(store) == []
        clock.advance(seconds(0.000001))
        await claim_one(store)

    async def test_a_moment_wins_over_a_delay(self, store: WorkflowStore, clock: MovableClock) -> None:
        run = an_instance()
        soon = clock.now() + seconds(5)
        await commit(store, with_work(run.start(), delay_s=3600.0, due_at=soon))
        clock.advance(seconds(5))
        await claim_one(store)

    async def test_a_moment_in_the_past_is_now(self, store: WorkflowStore, clock: MovableClock) -> None:
        past = clock.now() - seconds(3600)
        await commit(store, with_work(an_instance().start(), due_at=past))
        await claim_one(store)

    async def test_a_moment_may_be_told_in_any_time_zone(self, store: WorkflowStore, clock: MovableClock) -> None:
        start_of_timer = clock.now() + seconds(3600)
        until = (start_of_timer.replace(tzinfo=None) + seconds(2 * 3600)).isoformat() + "+02:00"
        await start(store, an_instance(a_timer_graph(until=until)))
        clock.advance(seconds(3599))
        assert await claim(store) == []
        clock.advance(seconds(1))
        await claim_one(store)

    async def test_work_with_an_infinite_delay_is_never_given(self, store: WorkflowStore, clock: MovableClock) -> None:
        await commit(store, with_work(an_instance().start(), delay_s=math.inf))
        clock.advance(seconds(20 * 365 * 86400))
        assert await claim(store) == []

    async def test_held_work_is_not_given_again(self, store: WorkflowStore, peer: WorkflowStore) -> None:
        await start(store, an_instance())
        await claim_one(store, "worker-1")
        assert await claim(peer, "worker-2") == []
        assert await claim(store, "worker-1") == []

    async def test_work_is_held_until_its_lease_has_ended(self, store: WorkflowStore, clock: MovableClock) -> None:
        await start(store, an_instance())
        await claim_one(store, lease_s=10)
        clock.advance(seconds(9.999999))
        assert await claim(store, "worker-2") == []

    async def test_work_is_given_again_when_its_lease_has_ended(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await start(store, an_instance())
        first = await claim_one(store, lease_s=10)
        clock.advance(seconds(10.000001))
        second = await claim_one(store, "worker-2")
        assert second.ref == first.ref

    async def test_every_claim_raises_the_fence_and_counts_an_attempt(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await start(store, an_instance())
        seen = []
        for worker in ("worker-1", "worker-2", "worker-1"):
            claimed = await claim_one(store, worker, lease_s=10)
            seen.append((claimed.fence, claimed.attempt))
            clock.advance(seconds(11))
        first, _ = seen[0]
        assert [(fence - first, attempt) for fence, attempt in seen] == [(0, 1), (1, 2), (2, 3)]

    async def test_work_written_anew_begins_with_the_first_attempt(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start(store, an_instance())
        await claim_one(store, lease_s=10)
        clock.advance(seconds(11))
        claimed = await claim_one(store)
        await commit(store, run.complete("first", held=held_by("worker-1", claimed)))
        following = await claim_one(store)
        assert (following.item.step, following.fence, following.attempt) == ("second", claimed.fence + 1, 1)

    async def test_work_written_anew_is_held_by_nobody(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        claimed = await claim_one(store, lease_s=3600)
        await commit(store, run.complete("first", held=held_by("worker-1", claimed)))
        assert (await claim_one(store, "worker-2")).item.step == "second"

    async def test_deleted_work_is_not_given(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_parallel_graph()))
        await commit(store, run.complete("left"))
        assert [claimed.item.step for claimed in await claim(store)] == ["right"]

    async def test_deleting_work_that_was_never_written_does_nothing(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        await commit(store, with_transition(run.touch(), work={77: None}))
        assert (await claim_one(store)).item.step == "first"

    async def test_workers_that_claim_at_once_never_get_the_same(
        self, store: WorkflowStore, peer: WorkflowStore
    ) -> None:
        await store.commit([an_instance().start() for _ in range(30)])
        stores = [store, peer] * 4
        given = await asyncio.gather(
            *(claim(one, f"worker-{number}", limit=5) for number, one in enumerate(stores))
        )  # fmt: skip
        refs = [claimed.ref for claims in given for claimed in claims]
        assert len(refs) == len(set(refs))
        refs += [claimed.ref for claimed in await claim(store, "worker-last", limit=30)]
        assert len(refs) == len(set(refs)) == 30

    async def test_no_more_is_given_than_asked_for(self, store: WorkflowStore) -> None:
        await store.commit([an_instance().start() for _ in range(5)])
        assert len(await claim(store, limit=3)) == 3
        assert len(await claim(store, limit=3)) == 2

    async def test_a_limit_of_0_gives_nothing(self, store: WorkflowStore) -> None:
        await start(store, an_instance())
        assert await claim(store, limit=0) == []
        assert (await claim_one(store)).attempt == 1

    async def test_the_most_urgent_work_comes_first(self, store: WorkflowStore, clock: MovableClock) -> None:
        for priority in (0, 5, -3, 9):
            await commit(store, with_work(an_instance().start(), priority=priority))
            clock.advance(seconds(1))
        assert [claimed.item.priority for claimed in await claim(store)] == [9, 5, 0, -3]

    async def test_the_most_urgent_work_comes_first_across_queues_and_workflows(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        for priority, name, queue in ((1, "a", "slow"), (3, "b", "slow"), (2, "b", "fast"), (4, "a", "fast")):
            await commit(store, with_work(an_instance(a_graph(name=name, queue=queue)).start(), priority=priority))
            clock.advance(seconds(1))
        assert [claimed.item.priority for claimed in await claim(store, limit=3)] == [4, 3, 2]

    async def test_of_equal_urgency_the_earliest_due_comes_first(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        due = {}
        for delay_s in (3.000002, 1.0, 3.000001, 2.0):
            run = an_instance()
            await commit(store, with_work(run.start(), delay_s=delay_s))
            due[delay_s] = run.id
        clock.advance(seconds(10))
        claims = [*await claim(store, limit=2), *await claim(store, limit=2)]
        assert [claimed.ref.instance_id for claimed in claims] == [due[delay_s] for delay_s in sorted(due)]

    async def test_what_is_due_at_once_comes_by_instance_and_number(self, store: WorkflowStore) -> None:
        runs = [an_instance(a_parallel_graph("a", "b", "c")) for _ in range(3)]
        await store.commit([run.start() for run in reversed(runs)])
        claims = await claim(store)
        assert [claimed.ref for claimed in claims] == sorted(claimed.ref for claimed in claims)
        assert len(claims) == 9

    async def test_only_the_queues_asked_for_are_served(self, store: WorkflowStore) -> None:
        for queue in ("mail", "heavy", "default"):
            await commit(store, an_instance(a_graph(queue=queue)).start())
        claims = await claim(store, queues=frozenset({"mail", "default", "unknown"}))
        assert {claimed.item.queue for claimed in claims} == {"mail", "default"}

    async def test_no_queue_at_all_gives_nothing(self, store: WorkflowStore) -> None:
        await start(store, an_instance())
        assert await claim(store, queues=frozenset()) == []

    async def test_only_workflows_are_served_whose_code_is_known(self, store: WorkflowStore) -> None:
        for name in ("order", "refund"):
            await commit(store, an_instance(a_graph(name=name)).start())
        claims = await claim(store, codes=frozenset({code_key("refund", "1.0.0")}))
        assert [claimed.state.workflow for claimed in claims] == ["refund"]

    async def test_the_code_of_another_version_is_another_code(self, store: WorkflowStore) -> None:
        for version in ("1.0.0", "2.0.0"):
            await commit(store, an_instance(a_graph(version=version)).start())
        claims = await claim(store, codes=frozenset({code_key("order", "2.0.0")}))
        assert [claimed.state.version for claimed in claims] == ["2.0.0"]

    async def test_steps_whose_code_is_lacking_are_left_to_others(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        lacking = frozenset({step_key(run.state.workflow, run.state.version, "first")})
        other = frozenset({step_key(run.state.workflow, run.state.version, "second"), step_key("refund", "1", "first")})
        assert await claim(store, "worker-1", without=lacking) == []
        assert (await claim(store, "worker-2", without=other))[0].ref == WorkRef(run.id, run.number("first"))

    async def test_work_that_is_left_to_others_does_not_stand_before_what_can_be_run(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        unable = await start(store, an_instance())
        clock.advance(seconds(1))
        able = await start(store, an_instance(a_graph("other")))
        without = frozenset({step_key(unable.state.workflow, unable.state.version, "first")})
        assert [found.ref.instance_id for found in await claim(store, limit=1, without=without)] == [able.id]
        assert [found.ref.instance_id for found in await claim(store, "worker-2")] == [unable.id]

    async def test_asking_for_a_work_item_does_not_give_a_step_whose_code_is_lacking(
        self, store: WorkflowStore
    ) -> None:
        run = await start(store, an_instance())
        asked = ClaimRequest(
            worker="worker-1",
            limit=1,
            lease_s=30,
            items=(WorkRef(run.id, run.number("first")),),
            without=frozenset({step_key(run.state.workflow, run.state.version, "first")}),
        )
        assert await store.claim(asked) == []

    async def test_no_code_at_all_gives_nothing(self, store: WorkflowStore) -> None:
        await start(store, an_instance())
        assert await claim(store, codes=frozenset()) == []

    async def test_queue_and_code_must_both_fit(self, store: WorkflowStore) -> None:
        for name, queue in (("order", "mail"), ("order", "heavy"), ("refund", "mail")):
            await commit(store, an_instance(a_graph(name=name, queue=queue)).start())
        claims = await claim(store, queues=frozenset({"mail"}), codes=frozenset({code_key("order", "1.0.0")}))
        assert [(claimed.state.workflow, claimed.item.queue) for claimed in claims] == [("order", "mail")]

    async def test_work_that_is_not_wanted_does_not_stand_before_work_that_is(self, store: WorkflowStore) -> None:
        unwanted = [with_work(an_instance(a_graph(queue="heavy")).start(), priority=9) for _ in range(20)]
        await store.commit(unwanted)
        await commit(store, an_instance(a_graph(queue="mail")).start())
        assert len(await claim(store, limit=1, queues=frozenset({"mail"}))) == 1

    async def test_only_the_work_items_asked_for_are_given(self, store: WorkflowStore) -> None:
        runs = [await start(store, an_instance()) for _ in range(3)]
        wanted = WorkRef(runs[1].id, runs[1].number("first"))
        request = ClaimRequest(worker="worker-1", limit=10, lease_s=30, items=(wanted,))
        assert [claimed.ref for claimed in await store.claim(request)] == [wanted]
        assert len(await claim(store)) == 2

    async def test_no_work_items_at_all_give_nothing(self, store: WorkflowStore) -> None:
        await start(store, an_instance())
        assert await store.claim(ClaimRequest(worker="worker-1", limit=10, lease_s=30, items=())) == []

    async def test_asking_for_unknown_work_items_gives_nothing(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        unknown = (WorkRef(run.id, 77), WorkRef(an_instance().id, 1))
        assert await store.claim(ClaimRequest(worker="worker-1", limit=10, lease_s=30, items=unknown)) == []

    async def test_asking_for_a_work_item_does_not_make_it_due(self, store: WorkflowStore, clock: MovableClock) -> None:
        run = await start(store, an_instance(a_timer_graph(60)))
        request = ClaimRequest(worker="worker-1", limit=1, lease_s=30, items=(WorkRef(run.id, run.number("wait")),))
        assert await store.claim(request) == []
        clock.advance(seconds(60))
        assert len(await store.claim(request)) == 1

    async def test_asking_for_a_work_item_does_not_take_it_from_its_holder(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        await claim_one(store, "worker-1")
        items = (WorkRef(run.id, run.number("first")),)
        assert await store.claim(ClaimRequest(worker="worker-2", limit=1, lease_s=30, items=items)) == []

    async def test_asking_for_work_items_goes_by_queue_and_code_too(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_graph(queue="mail")))
        items = (WorkRef(run.id, run.number("first")),)
        for queues, codes in ((frozenset({"heavy"}), None), (None, frozenset({"refund@1.0.0"}))):
            request = ClaimRequest(
                worker="worker-1", limit=1, lease_s=30, items=items, queues=queues, codes=codes
            )  # fmt: skip
            assert await store.claim(request) == []

    async def test_asking_for_work_items_keeps_to_the_limit_and_the_order(self, store: WorkflowStore) -> None:
        runs = [an_instance() for _ in range(4)]
        for priority, run in enumerate(runs):
            await commit(store, with_work(run.start(), priority=priority))
        items = tuple(WorkRef(run.id, run.number("first")) for run in runs)
        claims = await store.claim(ClaimRequest(worker="worker-1", limit=2, lease_s=30, items=items))
        assert [claimed.item.priority for claimed in claims] == [3, 2]

    async def test_a_work_item_that_is_asked_for_twice_is_given_once(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        items = (WorkRef(run.id, run.number("first")),) * 2
        claims = await store.claim(ClaimRequest(worker="worker-1", limit=10, lease_s=30, items=items))
        assert [claimed.ref for claimed in claims] == [*items[:1]]

    async def test_the_work_of_a_paused_instance_is_not_given(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        await commit(store, run.touch(status=WorkflowStatus.PAUSED))
        assert await claim(store) == []
        items = (WorkRef(run.id, run.number("first")),)
        assert await store.claim(ClaimRequest(worker="worker-1", limit=1, lease_s=30, items=items)) == []

    async def test_the_work_of_an_instance_is_given_again_when_it_goes_on(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        await commit(store, run.touch(status=WorkflowStatus.PAUSED))
        await commit(store, run.touch(status=WorkflowStatus.RUNNING))
        assert (await claim_one(store)).state == run.state

    async def test_a_lease_that_ends_in_a_pause_is_over_when_the_instance_goes_on(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start(store, an_instance())
        before = await claim_one(store, lease_s=10)
        await commit(store, run.touch(status=WorkflowStatus.PAUSED))
        clock.advance(seconds(11))
        assert await claim(store, "worker-2") == []
        await commit(store, run.touch(status=WorkflowStatus.RUNNING))
        assert (await claim_one(store, "worker-2")).fence == before.fence + 1

    async def test_the_work_of_an_instance_that_is_over_is_not_given(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        items = (WorkRef(run.id, run.number("first")),)
        await commit(store, run.touch(status=WorkflowStatus.FAILED))
        assert await claim(store) == []
        assert await store.claim(ClaimRequest(worker="worker-1", limit=1, lease_s=30, items=items)) == []
