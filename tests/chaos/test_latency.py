"""How soon a step begins in another process: at once with hints, within the poll without any."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable

from tests.chaos.conftest import OpenWorld
from tests.chaos.world import World

STARTS = 8
SOON_S = 1.0
"""Much less than the seven seconds after which a worker that is not woken would look again."""


async def latencies(world: World, *, pause_s: float) -> list[float]:
    """Seconds from the call of a start to the first line of its first step, by the clock of this machine."""
    calls: dict[str, float] = {}
    for _ in range(STARTS):
        called = time.time()
        instance = await world.start("linear")
        calls[str(instance)] = called
        await asyncio.sleep(pause_s)
    await world.settle()
    first: dict[str, float] = {}
    for effect in world.effects.all():
        first.setdefault(effect.key.partition("/")[0], effect.at)
    return [first[instance] - called for instance, called in calls.items()]


async def test_hints_of_another_process_wake_a_worker(
    postgres_url: str, open_world: OpenWorld, record_property: Callable[[str, object], None]
) -> None:
    world = open_world(postgres_url, CHAOS_POLL_S="30")
    world.start_workers(1)
    await asyncio.sleep(1)  # it has found nothing, and would not look again for long
    measured = await latencies(world, pause_s=0.1)
    record_property("p50_s", statistics.median(measured))
    assert statistics.median(measured) < SOON_S, measured


async def test_a_write_to_the_file_wakes_a_worker_of_another_process(
    sqlite_url: str, open_world: OpenWorld, record_property: Callable[[str, object], None]
) -> None:
    world = open_world(sqlite_url, CHAOS_POLL_S="30")
    world.start_workers(1)
    await asyncio.sleep(1)
    measured = await latencies(world, pause_s=0.1)
    record_property("p50_s", statistics.median(measured))
    assert statistics.median(measured) < SOON_S, measured


async def test_a_worker_finds_work_within_the_poll_when_every_hint_is_lost(
    url: str, open_world: OpenWorld, record_property: Callable[[str, object], None]
) -> None:
    world = open_world(url, CHAOS_POLL_S="1", CHAOS_HINTS="0")
    world.start_workers(1)
    await asyncio.sleep(1)
    measured = await latencies(world, pause_s=0.3)
    record_property("p50_s", statistics.median(measured))
    assert statistics.median(measured) < 1.2
