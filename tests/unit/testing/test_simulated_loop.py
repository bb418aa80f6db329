"""The event loop of simulations: virtual time, seeded order, nothing real."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextvars import Context
from random import Random

import pytest

from workflows_testing.simulation import SimulatedLoop, SimulationError
from workflows_testing.simulation.cohorts import CURRENT_COHORT, Cohort


def a_loop(seed: int = 0, **options: int) -> SimulatedLoop:
    return SimulatedLoop(Random(seed), **options)  # type: ignore[abstract]


def in_cohort(cohort: Cohort) -> Context:
    context = Context()
    context.run(CURRENT_COHORT.set, cohort)
    return context


def test_a_year_of_sleep_takes_no_time() -> None:
    loop, began = a_loop(), time.monotonic()
    loop.run_until_complete(asyncio.sleep(365 * 86_400))
    assert loop.time() == 365 * 86_400
    assert time.monotonic() - began < 5


def test_time_stands_still_while_anything_is_ready() -> None:
    loop = a_loop()

    async def busy() -> float:
        for _ in range(1000):
            await asyncio.sleep(0)
        return loop.time()

    assert loop.run_until_complete(busy()) == 0.0


def test_timers_fire_in_the_order_of_their_times_and_to_the_microsecond() -> None:
    loop, woken = a_loop(), list[tuple[float, float]]()

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append((seconds, loop.time()))

    async def main() -> None:
        await asyncio.gather(*(sleep(seconds) for seconds in (0.3, 0.1, 0.2, 0.000001)))

    loop.run_until_complete(main())
    assert woken == [(0.000001, 0.000001), (0.1, 0.1), (0.2, 0.2), (0.3, 0.3)]


def test_timeouts_are_virtual() -> None:
    loop = a_loop()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await asyncio.Event().wait()

    loop.run_until_complete(main())
    assert loop.time() == 3600


def order(seed: int) -> list[int]:
    loop, ran = a_loop(seed), list[int]()

    async def task(number: int) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
            ran.append(number)

    async def main() -> None:
        await asyncio.gather(*map(task, range(5)))

    loop.run_until_complete(main())
    return ran


def test_the_seed_decides_the_order() -> None:
    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(20)}) == 20


def test_plain_functions_run_inline() -> None:
    loop = a_loop()

    def square(number: int) -> int:
        return number * number

    async def main() -> int:
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)
        return await asyncio.to_thread(square, 7)

    assert loop.run_until_complete(main()) == 49
    assert loop.time() == 0.0


@pytest.mark.parametrize("call", ["open_connection", "create_subprocess_exec", "start_server"])
def test_what_is_real_is_refused(call: str) -> None:
    async def main() -> None:
        arguments = {"open_connection": ("localhost", 80), "create_subprocess_exec": ("true",)}
        await getattr(asyncio, call)(*arguments.get(call, (None, "localhost", 80)))

    with pytest.raises(SimulationError, match="no files, sockets, signals and processes"):
        a_loop().run_until_complete(main())


def test_waiting_for_ever_is_an_error() -> None:
    loop = a_loop()
    with pytest.raises(SimulationError, match="nothing would ever happen again"):
        loop.run_until_complete(loop.create_future())


def test_running_for_ever_is_an_error() -> None:
    async def spin() -> None:
        while True:
            await asyncio.sleep(0)

    loop, cohort = a_loop(max_turns=1000), Cohort("spins")
    with pytest.raises(SimulationError, match="no end after 1,000 turns"):
        loop.run_until_complete(loop.create_task(spin(), context=in_cohort(cohort)))
    loop.bury(cohort)
    assert not cohort.tasks


async def test_it_does_not_run_inside_another_loop() -> None:
    loop = a_loop()
    with pytest.raises(SimulationError, match="from a plain `def` test"):
        loop.run_until_complete(loop.create_future())


def test_a_frozen_cohort_stands_still_and_goes_on_later() -> None:
    loop, cohort, ticks = a_loop(), Cohort("frozen"), list[float]()

    async def tick() -> None:
        while True:
            await asyncio.sleep(1)
            ticks.append(loop.time())

    async def main() -> None:
        await asyncio.sleep(2.5)
        loop.freeze(cohort)
        await asyncio.sleep(10)
        loop.thaw(cohort)
        await asyncio.sleep(2)

    ticking = loop.create_task(tick(), context=in_cohort(cohort))
    loop.run_until_complete(main())
    assert ticks == [1.0, 2.0, 12.5, 13.5]
    loop.bury(cohort)
    assert ticking.cancelled()


def test_of_a_dropped_cohort_not_even_a_finally_runs_until_it_is_buried() -> None:
    loop, cohort, said = a_loop(), Cohort("dropped"), list[str]()

    async def wait(seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
            said.append("woke")
        finally:
            said.append(f"finally at {loop.time()}")

    async def main() -> None:
        await asyncio.sleep(1)
        loop.drop(cohort)
        await asyncio.sleep(100)
        assert said == []

    tasks = [loop.create_task(wait(seconds), context=in_cohort(cohort)) for seconds in (5, 1000)]
    loop.run_until_complete(main())
    loop.bury(cohort)
    assert said == ["finally at 101.0"] * 2
    assert all(task.cancelled() for task in tasks)


def test_a_task_belongs_to_the_cohort_of_the_task_that_made_it() -> None:
    loop, cohort = a_loop(), Cohort("family")

    async def parent() -> None:
        await asyncio.gather(asyncio.sleep(10), asyncio.create_task(asyncio.sleep(20)))

    async def main() -> None:
        await asyncio.sleep(1)
        assert len(cohort.tasks) == 3
        await asyncio.sleep(30)
        assert not cohort.tasks

    parents = loop.create_task(parent(), context=in_cohort(cohort))
    loop.run_until_complete(main())
    assert parents.done()


def test_errors_that_nobody_handles_are_kept() -> None:
    loop = a_loop()

    async def main() -> None:
        loop.call_soon(lambda: 1 // 0)
        await asyncio.sleep(1)

    loop.run_until_complete(main())
    assert len(loop.escaped) == 1
    assert "ZeroDivisionError" in loop.escaped[0]


def test_generators_that_were_left_open_are_closed() -> None:
    loop, closed = a_loop(), list[bool]()

    async def numbers() -> AsyncGenerator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    async def main() -> None:
        async for _ in numbers():
            break
        await asyncio.sleep(1)

    loop.run_until_complete(main())
    assert closed == [True]
