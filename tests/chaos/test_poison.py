"""A step that kills its worker each time: it ends as a dead letter, and what ran beside it does not go down with it."""

from __future__ import annotations

import asyncio
from uuid import UUID

from tests.chaos.conftest import OpenWorld
from tests.chaos.effects import Effect
from tests.chaos.world import World

from workflows_core.domain.types import Parking, WorkflowStatus

MAX_CRASHES = 3


async def test_a_step_that_kills_its_workers_becomes_a_dead_letter_and_its_neighbours_finish(
    url: str, open_world: OpenWorld
) -> None:
    world = open_world(url, CHAOS_MAX_CRASHES=str(MAX_CRASHES))
    mended = world.directory / "mended"
    poisoned = await world.start("poisoned", mended=str(mended))
    innocent = [await world.start("innocent") for _ in range(3)]
    await keep_a_worker_until(world, WorkflowStatus.FAILED, poisoned)
    await keep_a_worker_until(world, WorkflowStatus.COMPLETED, *innocent)
    assert [letter.id for letter in (await world.engine.list_dead_letters()).items] == [poisoned]
    failed = await world.engine.get_instance(poisoned)
    assert failed.parked is Parking.DEAD_LETTER
    assert failed.error is not None
    assert failed.error.type == "WorkerLostError"
    assert [run.attempt for run in runs_of(world, poisoned)] == list(range(1, MAX_CRASHES + 1))
    assert len({run.pid for run in runs_of(world, poisoned)}) == MAX_CRASHES
    assert max(len(runs_of(world, instance)) for instance in innocent) > 1, "nobody was beside it"
    mended.touch()
    await world.engine.retry(poisoned)
    await world.settle()


async def keep_a_worker_until(world: World, status: WorkflowStatus, *instances: UUID) -> None:
    """Start a worker whenever there is none, as whoever runs them does, until these instances have come to that."""
    async with asyncio.timeout(30):
        for instance in instances:
            while (found := await world.engine.get_instance(instance)).status is not status:
                assert not found.status.is_final, f"{found.error}\n{world.logs()}"
                if not world.alive:
                    world.launch()
                await asyncio.sleep(0.05)


def runs_of(world: World, instance: UUID) -> list[Effect]:
    """The runs of the first step of an instance."""
    begun = (effect for effect in world.effects.all() if effect.phase == "begin" and effect.step != "after")
    return [effect for effect in begun if effect.key.startswith(str(instance))]
