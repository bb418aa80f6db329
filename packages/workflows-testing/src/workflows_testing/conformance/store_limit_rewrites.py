"""Rules of the store: what becomes of the limit of a work item that is written anew."""

from __future__ import annotations

import math
from typing import Any

from msgspec.structs import replace

from workflows_core.domain.transition import WorkKind
from workflows_core.ports.store import Held, LeaseLost, WorkflowStore
from workflows_testing.builders import an_instance, with_transition, with_work
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
    start,
    start_limited,
)

__all__ = ["LimitRewriteRules"]

RUN, EXPIRE = WorkKind.RUN, WorkKind.EXPIRE


class LimitRewriteRules(StoreContract):
    """`WorkItem.keeps_timeout`."""

    async def test_a_limit_that_is_kept_counts_from_when_it_was_first_written(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start_limited(store)
        clock.advance(seconds(30))
        await commit(store, run.rewrite(run.item("first"), delay_s=math.inf, timeout_s=60.0, keeps_timeout=True))
        clock.advance(seconds(29.999999))
        assert await claim(store) == []
        clock.advance(seconds(0.000001))
        assert (await claim_one(store)).item.kind is EXPIRE

    async def test_a_limit_that_is_not_kept_counts_from_when_it_was_last_written(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start_limited(store)
        clock.advance(seconds(30))
        await commit(store, run.rewrite(run.item("first"), delay_s=math.inf, timeout_s=60.0))
        clock.advance(seconds(59.999999))
        assert await claim(store) == []
        clock.advance(seconds(0.000001))
        assert (await claim_one(store)).item.kind is EXPIRE

    async def test_new_work_that_is_to_keep_its_limit_is_given_one(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        await start_limited(store, keeps_timeout=True, delay_s=math.inf)
        clock.advance(seconds(59.999999))
        assert await claim(store) == []
        clock.advance(seconds(0.000001))
        assert (await claim_one(store)).item.kind is EXPIRE

    async def test_work_that_was_deleted_has_no_limit_to_keep(self, store: WorkflowStore, clock: MovableClock) -> None:
        run = await start_limited(store)
        item = run.item("first")
        await commit(store, with_transition(run.touch(), work={item.number: None}))
        clock.advance(seconds(30))
        await commit(store, run.rewrite(item, delay_s=math.inf, timeout_s=60.0, keeps_timeout=True))
        clock.advance(seconds(59.999999))
        assert await claim(store) == []
        clock.advance(seconds(0.000001))
        assert (await claim_one(store)).item.kind is EXPIRE

    async def test_work_that_is_written_anew_without_a_limit_has_none(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start_limited(store)
        await commit(store, run.rewrite(run.item("first")))
        clock.advance(seconds(3600))
        assert (await claim_one(store)).item.kind is RUN

    async def test_work_that_keeps_having_no_limit_is_given_none(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start(store, an_instance())
        await commit(store, run.rewrite(run.item("first"), timeout_s=60.0, keeps_timeout=True))
        clock.advance(seconds(3600))
        assert (await claim_one(store)).item.kind is RUN

    async def test_a_limit_is_kept_by_a_holder_that_gives_its_work_back_written_anew(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start_limited(store)
        held = held_by("worker-1", await claim_one(store, lease_s=3600))
        clock.advance(seconds(30))
        await commit(
            store, run.rewrite(run.item("first"), held=held, delay_s=3600.0, timeout_s=60.0, keeps_timeout=True)
        )
        clock.advance(seconds(30))
        assert (await claim_one(store)).item.kind is EXPIRE

    async def test_work_that_is_taken_is_taken_from_its_holder_when_its_time_is_over(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = an_instance()
        write = run.start(take="first", worker="worker-1", lease_s=3600)
        result = await commit(store, with_work(write, timeout_s=60.0))
        held = Held(run.number("first"), result.fences[run.number("first")], "worker-1")
        clock.advance(seconds(59.999999))
        assert await claim(store, "worker-2") == []
        clock.advance(seconds(0.000001))
        assert (await claim_one(store, "worker-2")).item.kind is EXPIRE
        assert isinstance(await refused(store, run.complete("first", held=held)), LeaseLost)

    async def test_a_holder_that_goes_on_with_its_work_keeps_the_limit(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start_limited(store)
        held = held_by("worker-1", await claim_one(store))
        clock.advance(seconds(20))
        again = run.rewrite(run.item("first"), held=held, take=True, timeout_s=60.0, keeps_timeout=True)
        await commit(store, replace(again, lease_s=3600))
        clock.advance(seconds(39.999999))
        assert await claim(store, "worker-2") == []
        clock.advance(seconds(0.000001))
        assert (await claim_one(store, "worker-2")).item.kind is EXPIRE

    async def test_a_holder_that_goes_on_with_other_work_has_its_limit(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start_limited(store)
        held = held_by("worker-1", await claim_one(store))
        clock.advance(seconds(20))
        await commit(store, run.complete("first", held=held, take="second", lease_s=3600))
        clock.advance(seconds(600))
        assert await claim(store, "worker-2") == []

    async def test_a_limit_that_has_passed_is_over_still_when_it_is_kept(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        for looks in (False, True):
            run = await start_limited(store)
            item, held = run.item("first"), held_by("worker-1", await claim_one(store, lease_s=3600))
            clock.advance(seconds(61))
            assert not looks or await has_due(store)
            await commit(store, run.rewrite(item, held=held, delay_s=3600.0, timeout_s=60.0, keeps_timeout=True))
            assert await has_due(store)
            assert (await claim_one(store, "worker-2", lease_s=36_000)).item.kind is EXPIRE

    async def test_a_limit_that_has_passed_is_over_still_when_its_holder_goes_on(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start_limited(store)
        item, held = run.item("first"), held_by("worker-1", await claim_one(store, lease_s=3600))
        clock.advance(seconds(61))
        assert await has_due(store)
        again = run.rewrite(item, held=held, take=True, timeout_s=60.0, keeps_timeout=True)
        await commit(store, replace(again, lease_s=3600))
        assert (await claim_one(store, "worker-2")).item.kind is EXPIRE

    async def test_a_limit_that_was_told_is_over_still_when_it_is_kept(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        for delay_s in (0.0, 3600.0, math.inf):
            run = await start_limited(store)
            clock.advance(seconds(60))
            told = await claim_one(store, "worker-1")
            again = run.rewrite(run.item("first"), delay_s=delay_s, timeout_s=60.0, keeps_timeout=True)
            await commit(store, again)
            claimed = await claim_one(store, "worker-2", lease_s=36_000)
            assert (claimed.item.kind, claimed.fence, claimed.attempt) == (EXPIRE, told.fence + 1, 1)

    async def test_work_that_was_expired_is_expired_no_more_when_it_is_written_anew(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start_limited(store)
        clock.advance(seconds(60))
        await claim_one(store)
        await commit(store, run.rewrite(run.item("first"), timeout_s=60.0))
        claimed = await claim_one(store)
        assert claimed.item.kind is RUN
        clock.advance(seconds(60))
        assert (await claim_one(store, "worker-2")).item.kind is EXPIRE

    async def test_a_limit_that_is_kept_goes_with_its_work_to_another_queue(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start_limited(store)
        moved = run.rewrite(run.item("first"), queue="mail", delay_s=3600.0, timeout_s=60.0, keeps_timeout=True)
        await commit(store, moved)
        mail, default = frozenset({"mail"}), frozenset({"default"})
        assert (await store.next_due(queues=mail), await store.next_due(queues=default)) == (60, None)
        clock.advance(seconds(60))
        assert await claim(store, queues=default) == []
        assert [claimed.item.kind for claimed in await claim(store, queues=mail)] == [EXPIRE]

    async def test_limits_that_are_kept_and_limits_that_are_not_are_committed_together(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        runs = [await start_limited(store, delay_s=math.inf) for _ in range(4)]
        clock.advance(seconds(30))
        last: dict[str, Any] = {"delay_s": math.inf, "timeout_s": 60.0}
        changes = ({**last, "keeps_timeout": True}, last, {**last, "timeout_s": None}, {**last, "keeps_timeout": True})
        await store.commit(
            [run.rewrite(run.item("first"), **changed) for run, changed in zip(runs, changes, strict=True)]
        )
        clock.advance(seconds(30))
        assert {claimed.ref.instance_id for claimed in await claim(store)} == {runs[0].id, runs[3].id}
        clock.advance(seconds(30))
        assert runs[1].id in {claimed.ref.instance_id for claimed in await claim(store)}
        assert await store.next_due() == 30
