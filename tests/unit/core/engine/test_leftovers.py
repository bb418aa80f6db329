"""What is given back is what was held before, never what the same worker has claimed since."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from tests.unit.core.engine.engines import an_engine

from workflows_core import EngineSettings, InMemoryWorkflowStore, MemoryState, Worker, WorkflowRegistry
from workflows_core.engine.holding import Holding
from workflows_core.engine.leftovers import Leftovers
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.store import Claim, ClaimRequest
from workflows_testing.builders import an_instance
from workflows_testing.clock import ManualClock

WANTED = ClaimRequest(worker="worker-1", limit=5, lease_s=10)


class Store(InMemoryWorkflowStore):
    """Gives back when it is told to."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        super().__init__(MemoryState(self.clock))
        self.may_release = asyncio.Event()
        self.claims: list[Claim] = []

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        found = await super().claim(request)
        self.claims += found
        return found

    async def release(
        self, worker: str, items: Sequence[WorkRef], *, delay_s: float = 0.0, untouched: bool = False
    ) -> None:
        await self.may_release.wait()
        await super().release(worker, items, delay_s=delay_s, untouched=untouched)


async def held() -> tuple[Store, Leftovers, WorkRef]:
    """A store with one work item, which the worker has claimed and whose lease has ended."""
    store, leftovers = Store(), Leftovers()
    await store.commit([an_instance().start()])
    (claimed,) = await leftovers.claim(store, WANTED)
    store.clock.advance(timedelta(seconds=20))
    return store, leftovers, claimed.ref


async def test_nothing_is_claimed_while_something_is_given_back() -> None:
    store, leftovers, ref = await held()
    leftovers.untouched.add(ref)
    giving = [asyncio.create_task(leftovers.give_back(store, "worker-1", delay_s=0)) for _ in range(2)]
    await asyncio.sleep(0)
    claiming = asyncio.create_task(leftovers.claim(store, WANTED))
    await asyncio.sleep(0)
    store.may_release.set()
    await asyncio.gather(*giving)
    (claimed,) = await claiming
    assert claimed.attempt == 2
    assert await store.renew("worker-1", 10) == {ref}, "it is held, and was not given back since"


async def test_what_runs_here_under_a_newer_claim_is_not_left_by_the_older_one() -> None:
    store, leftovers, _ = await held()
    engine = an_engine(WorkflowRegistry(), store, store.memory, EngineSettings())
    older, newer = Holding(store.claims[0]), Holding((await leftovers.claim(store, WANTED))[0])
    worker, task = Worker(engine), asyncio.create_task(asyncio.sleep(0))
    worker._running[task] = newer
    worker._leave(older)
    assert not worker._leftovers
    await task
    del worker._running[task]
    worker._leave(older)
    assert worker._leftovers.unfinished == {older.ref}


async def test_what_is_claimed_again_is_not_given_back_any_more() -> None:
    store, leftovers, ref = await held()
    store.may_release.set()
    for left in (leftovers.unfinished, leftovers.untouched, leftovers.postponed):
        left.add(ref)
    assert len(await leftovers.claim(store, WANTED)) == 1
    await leftovers.give_back(store, "worker-1", delay_s=0)
    assert not leftovers
    assert await store.renew("worker-1", 10) == {ref}
