"""What the memory store promises beyond its port: it stays small, takes any time, and bears threads."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta, timezone

from workflows_core.adapters.memory import InMemoryWorkflowQueries, InMemoryWorkflowStore, MemoryState
from workflows_core.ports.store import ClaimRequest, Committed, Held
from workflows_testing.builders import a_graph, a_parallel_graph, a_timer_graph, an_instance, with_work
from workflows_testing.clock import ManualClock


def claim(limit: int, worker: str = "worker-1") -> ClaimRequest:
    return ClaimRequest(worker=worker, limit=limit, lease_s=30)


async def test_finished_work_leaves_nothing_in_the_backlog() -> None:
    memory = MemoryState(ManualClock())
    store = InMemoryWorkflowStore(memory)
    for _ in range(500):
        run = an_instance(a_graph("only"))
        (started,) = await store.commit([run.start(take="only", worker="worker-1")])
        assert isinstance(started, Committed)
        (done,) = await store.commit([run.complete("only", held=Held(*started.fences.popitem(), "worker-1"))])
        assert isinstance(done, Committed)
    assert not memory.backlog._lanes
    assert not memory.backlog._holders["worker-1"].rows


async def test_work_that_is_withdrawn_before_its_time_does_not_pile_up() -> None:
    memory = MemoryState(ManualClock())
    store = InMemoryWorkflowStore(memory)
    waiting = an_instance(a_timer_graph(3600))
    await store.commit([waiting.start()])
    for _ in range(1000):
        run = an_instance(a_timer_graph(3600))
        await store.commit([run.start()])
        await store.commit([run.cancel()])
    (lane,) = memory.backlog._lanes.values()
    assert len(lane._later) < 200
    assert await store.next_due() == 3600


async def test_work_that_was_withdrawn_is_passed_over() -> None:
    clock = ManualClock()
    store = InMemoryWorkflowStore(MemoryState(clock))
    first, second, third = (an_instance(a_timer_graph(delay_s)) for delay_s in (10, 20, 30))
    await store.commit([run.start() for run in (first, second, third)])
    await store.commit([first.cancel(), second.cancel()])
    assert await store.next_due() == 30
    early, late = an_instance(a_timer_graph(40)), an_instance(a_timer_graph(50))
    await store.commit([early.start(), late.start()])
    await store.commit([early.cancel()])
    clock.advance(timedelta(seconds=60))
    assert {found.state.id for found in await store.claim(claim(10))} == {third.id, late.id}


async def test_empty_lanes_are_forgotten() -> None:
    memory = MemoryState(ManualClock())
    store = InMemoryWorkflowStore(memory)
    for number in range(20):
        await store.commit([an_instance(a_graph(name=f"workflow {number}")).start()])
    await store.claim(claim(100))
    await store.claim(claim(100))
    assert not memory.backlog._lanes


async def test_workers_that_are_gone_are_forgotten() -> None:
    clock = ManualClock()
    memory = MemoryState(clock)
    store = InMemoryWorkflowStore(memory)
    await store.commit([an_instance().start() for _ in range(20)])
    for number in range(20):
        await store.claim(claim(1, f"worker-{number}"))
    clock.advance(timedelta(seconds=31))
    assert len(await store.claim(claim(100, "worker-last"))) == 20
    assert memory.backlog._holders.keys() == {"worker-last"}


async def test_a_moment_beyond_the_calendar_never_comes() -> None:
    clock = ManualClock()
    store = InMemoryWorkflowStore(MemoryState(clock))
    last = datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))
    for changes in ({"delay_s": 1e18}, {"due_at": last}):
        (result,) = await store.commit([with_work(an_instance().start(), **changes)])
        assert isinstance(result, Committed)
    clock.set(datetime(9000, 1, 1, tzinfo=UTC))
    assert await store.claim(claim(10)) == []


async def test_a_delay_that_is_no_number_is_none() -> None:
    store = InMemoryWorkflowStore(MemoryState(ManualClock()))
    for delay_s in (float("nan"), -1.0):
        await store.commit([with_work(an_instance().start(), delay_s=delay_s)])
    assert len(await store.claim(claim(10))) == 2


def test_threads_with_their_own_event_loops_never_get_the_same_work() -> None:
    memory = MemoryState()
    asyncio.run(InMemoryWorkflowStore(memory).commit([an_instance(a_parallel_graph()).start() for _ in range(200)]))
    taken: list[object] = []

    async def work(worker: str) -> None:
        store = InMemoryWorkflowStore(memory)
        while claims := await store.claim(claim(3, worker)):
            taken.extend(claimed.ref for claimed in claims)
            await store.renew(worker, 30)

    threads = [threading.Thread(target=asyncio.run, args=(work(f"worker-{number}"),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 400


async def test_a_store_made_alone_has_a_memory_and_a_clock_of_its_own() -> None:
    store = InMemoryWorkflowStore()
    run = an_instance()
    await store.commit([run.start()])
    assert await InMemoryWorkflowQueries(store.memory).get_instance(run.id) is not None
    assert abs(await store.now() - datetime.now(UTC)) < timedelta(minutes=1)
