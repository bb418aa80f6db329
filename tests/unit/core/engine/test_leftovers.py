"""What is given back is what one claim holds, never what the same worker has claimed since."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tests.unit.core.engine.engines import an_engine

from workflows_core import EngineSettings, InMemoryWorkflowStore, MemoryState, Worker, WorkflowRegistry
from workflows_core.engine.holding import Holding
from workflows_core.engine.leftovers import Leftovers
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.leases import Lease
from workflows_core.ports.store import Claim, ClaimRequest, Held
from workflows_testing.builders import an_instance
from workflows_testing.clock import ManualClock

WANTED = ClaimRequest(worker="worker-1", limit=5, lease_s=10)


async def claimed_twice() -> tuple[InMemoryWorkflowStore, Claim, Claim]:
    """A store with one work item, whose lease has ended and which the same worker has claimed again."""
    clock = ManualClock()
    store = InMemoryWorkflowStore(MemoryState(clock))
    await store.commit([an_instance().start()])
    (first,) = await store.claim(WANTED)
    clock.advance(timedelta(seconds=20))
    (second,) = await store.claim(WANTED)
    return store, first, second


async def test_what_was_claimed_again_is_not_given_back() -> None:
    store, first, second = await claimed_twice()
    leftovers = Leftovers()
    for left in (leftovers.unfinished, leftovers.untouched, leftovers.postponed):
        left.add(first.lease)
    await leftovers.give_back(store, "worker-1", lease_s=10, delay_s=0)
    assert not leftovers
    assert await store.renew("worker-1", 10) == {second.lease}, "it is held, and was not given back since"


async def test_what_nobody_runs_is_given_back_after_two_renewals() -> None:
    store, _, second = await claimed_twice()
    leftovers = Leftovers()
    for expects_more in (False, True, False):
        leftovers.note_strays(await store.renew("worker-1", 10), expects_more=expects_more)
        assert not leftovers
    leftovers.note_strays(await store.renew("worker-1", 10), expects_more=False)
    assert leftovers.unfinished == {second.lease}
    await leftovers.give_back(store, "worker-1", lease_s=10, delay_s=0)
    assert await store.renew("worker-1", 10) == set()


async def test_code_that_runs_under_an_older_claim_is_stopped_although_the_worker_holds_the_work_item() -> None:
    store, first, second = await claimed_twice()
    worker = Worker(an_engine(WorkflowRegistry(), store, store.memory, EngineSettings()))
    older, newer = Holding(first), Holding(second)
    tasks = {asyncio.create_task(asyncio.sleep(60)): holding for holding in (older, newer)}
    worker._running |= tasks
    known = {holding: holding.lease for holding in (older, newer)}
    for _ in range(2):
        worker._renewed(await store.renew("worker-1", 10), known)
    assert [task.cancelling() for task in tasks] == [1, 0], "one that is told to stop is not told again"
    assert (older.stops(), newer.stops()) == (True, False)
    assert not worker._leftovers
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_was_taken_by_a_commit_without_an_answer_is_given_back_whatever_its_fence() -> None:
    store, run = InMemoryWorkflowStore(MemoryState(ManualClock())), an_instance()
    await store.commit([run.start()])
    (claimed,) = await store.claim(WANTED)
    leftovers, holding = Leftovers(), Holding(claimed)
    held = Held(claimed.item.number, claimed.fence, "worker-1")
    await store.commit([run.complete("first", held=held, take="second", worker="worker-1")])
    holding.take(run.number("second"))
    leftovers.leave(holding)
    assert leftovers
    await leftovers.give_back(store, "worker-1", lease_s=10, delay_s=0)
    assert not leftovers
    assert await store.renew("worker-1", 10) == set()
    assert [claim.item.step for claim in await store.claim(WANTED)] == ["second"]


async def test_what_was_claimed_since_is_not_given_back_instead_of_what_a_commit_may_have_taken() -> None:
    store, first, second = await claimed_twice()
    leftovers, holding = Leftovers(), Holding(first)
    holding.take(second.item.number)
    leftovers.leave(holding)
    leftovers.note_claim(second.ref)
    await leftovers.give_back(store, "worker-1", lease_s=10, delay_s=0)
    assert await store.renew("worker-1", 10) == {second.lease}


async def test_an_attempt_begins_without_what_the_last_one_was_about_to_take() -> None:
    _, _, claim = await claimed_twice()
    holding = Holding(claim)
    holding.record()
    holding.take(claim.item.number + 1)
    assert (holding.is_recording, holding.taking) == (True, WorkRef(claim.state.id, claim.item.number + 1))
    holding.begin()
    assert (holding.is_recording, holding.taking, holding.refs) == (False, None, frozenset({claim.ref}))


async def test_a_lease_that_a_commit_has_begun_makes_good_that_the_code_was_told_to_stop() -> None:
    _, _, claim = await claimed_twice()
    holding = Holding(claim)
    holding.ask_to_stop()
    holding.go_on(claim.item, claim.fence + 1)
    assert not holding.stops()
    assert holding.lease == Lease(claim.state.id, claim.item.number, claim.fence + 1)
