"""Many writers, claimers and heartbeats at once: one transition for each revision, one claim for each work item, no deadlock."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import NamedTuple

import pytest

from workflows_core.domain.state import InstanceState
from workflows_core.domain.types import WorkflowStatus
from workflows_core.ports.queries import InstanceFilter
from workflows_core.ports.store import (
    Claim,
    ClaimRequest,
    Committed,
    Conflict,
    DuplicateKey,
    Held,
    StartKey,
    WorkflowStore,
)
from workflows_sqlalchemy import StoreAndQueries, create_store
from workflows_testing.builders import Run, a_graph, a_parallel_graph, a_program, an_instance

STEPS = ("one", "two", "three", "four")


class Active(NamedTuple):
    """An instance in the hands of a worker: its state, the proof, and the place of its step."""

    state: InstanceState
    held: Held
    place: int


async def test_of_many_who_write_the_same_revision_one_wins(store: WorkflowStore) -> None:
    run = an_instance(a_parallel_graph())
    await store.commit([run.start()])
    before = run.state
    rivals = []
    for _ in range(12):
        rival = Run(run.program, run.first, before, run.now)
        rivals.append(rival.touch())
    results = [results[0] for results in await asyncio.gather(*(store.commit([write]) for write in rivals))]
    assert Counter(map(type, results)) == {Committed: 1, Conflict: 11}


async def test_of_many_who_use_the_same_start_key_one_wins(store: WorkflowStore) -> None:
    key = StartKey("order-1", "digest")
    runs = [an_instance() for _ in range(12)]
    batches = [[run.start(start_key=key)] for run in runs[:8]] + [[run.start(start_key=key) for run in runs[8:]]]
    results = [result for batch in await asyncio.gather(*map(store.commit, batches)) for result in batch]
    assert Counter(map(type, results)) == {Committed: 1, DuplicateKey: 11}
    winner = runs[[type(result) for result in results].index(Committed)]
    assert {result.instance_id for result in results if isinstance(result, DuplicateKey)} == {winner.id}


async def test_batches_of_start_keys_in_opposite_orders_end(store: WorkflowStore) -> None:
    keys = [StartKey(f"order-{number}", "digest") for number in range(30)]
    batches = [[an_instance().start(start_key=key) for key in order] for order in (keys, keys[::-1], keys, keys[::-1])]
    results = [result for batch in await asyncio.gather(*map(store.commit, batches)) for result in batch]
    assert Counter(map(type, results)) == {Committed: 30, DuplicateKey: 90}


async def test_batches_with_the_same_instances_in_opposite_orders_end(store: WorkflowStore) -> None:
    runs = [an_instance() for _ in range(20)]
    await store.commit([run.start() for run in runs])
    batches = [
        [Run(run.program, run.first, run.state, run.now).touch() for run in order]
        for order in (runs, runs[::-1], runs, runs[::-1])
    ]
    results = [result for batch in await asyncio.gather(*map(store.commit, batches)) for result in batch]
    assert Counter(map(type, results)) == {Committed: 20, Conflict: 60}


async def test_no_work_is_claimed_twice(store: WorkflowStore) -> None:
    await store.commit([an_instance().start() for _ in range(60)])

    async def work(worker: str) -> list[Claim]:
        claims: list[Claim] = []
        for _ in range(40):
            claims.extend(await store.claim(ClaimRequest(worker=worker, limit=3, lease_s=60)))
        return claims

    found = await asyncio.gather(*(work(f"worker-{number}") for number in range(5)))
    assert Counter(claim.ref for claims in found for claim in claims).most_common(1)[0][1] == 1
    assert sum(map(len, found)) == 60


class Crew:
    """Workers of one process each, with a heartbeat, that run four steps in a row.

    Args:
        url: The database.
        batched: Whether a worker commits all its steps in one call.
    """

    def __init__(self, url: str, *, batched: bool) -> None:
        self.url = url
        self.batched = batched
        self.program = a_program(a_graph(*STEPS))

    async def work(self, worker: str) -> None:
        """Claim and run until there is nothing for a while."""
        store = create_store(self.url, pool_size=4).store
        heart = asyncio.create_task(self.beat(store, worker))
        idle = 0
        while idle < 5:
            claims = await store.claim(ClaimRequest(worker=worker, limit=8, lease_s=30))
            idle = 0 if claims else idle + 1
            active = [Active(claim.state, Held(claim.item.number, claim.fence, worker), 0) for claim in claims]
            while active:
                active = await self.step(store, worker, active)
        heart.cancel()
        await asyncio.gather(heart, return_exceptions=True)
        await store.close()

    async def beat(self, store: WorkflowStore, worker: str) -> None:
        while True:
            await store.renew(worker, 30)
            await asyncio.sleep(0.001)

    async def step(self, store: WorkflowStore, worker: str, active: list[Active]) -> list[Active]:
        """Complete a step of each instance; those whose commit was accepted go on."""
        writes, states = [], []
        for state, held, place in active:
            run = an_instance(self.program.graph)
            run.state = state
            following = STEPS[place + 1] if place + 1 < len(STEPS) else None
            writes.append(run.complete(STEPS[place], held=held, take=following))
            states.append(run.state)
        batches = [writes] if self.batched else [[write] for write in writes]
        results = [result for batch in batches for result in await store.commit(batch)]
        return [
            Active(state, Held(write.take[0], result.fences[write.take[0]], worker), before.place + 1)
            for write, result, state, before in zip(writes, results, states, active, strict=True)
            if isinstance(result, Committed) and write.take
        ]


async def cancel(store: WorkflowStore, run: Run) -> None:
    """Cancel an instance that others move, unless it ends before."""
    for _ in range(100):
        loaded = await store.load(run.id)
        assert loaded is not None
        if loaded.state.status.is_final:
            return
        run.state = loaded.state
        (result,) = await store.commit([run.cancel()])
        if isinstance(result, Committed):
            return
    pytest.fail("the cancel never came through")


@pytest.mark.parametrize("batched", [False, True], ids=["singly", "in batches"])
async def test_workers_with_heartbeats_and_cancels_finish_everything(
    sides: StoreAndQueries, url: str, batched: bool
) -> None:
    store, queries = sides
    crew = Crew(url, batched=batched)
    runs = [an_instance(crew.program.graph) for _ in range(40)]
    await store.commit([run.start() for run in runs])
    cancelled = random.Random(7).sample(runs, 8)
    await asyncio.gather(
        *(crew.work(f"worker-{number}") for number in range(3)), *(cancel(store, run) for run in cancelled)
    )
    counts = await queries.count_instances(InstanceFilter())
    assert sum(counts.values()) == len(runs)
    assert set(counts) <= {WorkflowStatus.COMPLETED, WorkflowStatus.CANCELED}
    for run in runs:
        assert list(await queries.list_work(run.id)) == []
        executions = await queries.list_executions(run.id)
        assert len({record.execution.number for record in executions}) == len(executions)
        assert len(executions) <= len(STEPS)
