"""Workers that are killed, frozen, woken and stopped under load: nothing is lost, nothing counts twice, others take over in time."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from uuid import UUID

from tests.chaos.conftest import LEASE_S
from tests.chaos.effects import Effect
from tests.chaos.world import World


async def test_workers_that_are_killed_under_load_lose_nothing(world: World, rounds: int) -> None:
    async def kill_some() -> None:
        for number in range(4 * rounds):
            await asyncio.sleep(random.uniform(0, 0.4))
            if number % 2:
                await world.until("a step", world.inside_a_step)
            random.choice((number % 2 and world.inside_a_step()) or world.alive).kill()
            world.launch()

    world.start_workers(3)
    await world.under_load(kill_some())


async def test_workers_that_are_frozen_past_their_lease_change_nothing_when_they_wake(
    world: World, rounds: int
) -> None:
    async def freeze_some() -> None:
        for _ in range(rounds):
            for _ in range(2):
                await world.until("a step", world.inside_a_step)
                frozen = random.choice(world.inside_a_step() or world.alive)
                frozen.freeze()
                await asyncio.sleep(random.uniform(1, 2) * LEASE_S)
                frozen.wake()

    world.start_workers(3)
    await world.under_load(freeze_some())


async def test_the_late_result_of_a_frozen_worker_is_refused(world: World) -> None:
    gate = world.directory / "gate"
    [frozen] = world.start_workers(1)
    instance = await world.start("gated", gate=str(gate), blocks=True)
    await world.until("the gate", lambda: runs_of(world, instance))
    frozen.freeze()
    [other] = world.start_workers(1)
    await world.until("the takeover", lambda: len(runs_of(world, instance)) == 2)
    # The one that was frozen comes to the end of the step while the other is inside it.
    frozen.wake()
    (world.directory / "gate-1").touch()
    await world.until("the late end", lambda: runs_of(world, instance, "end"))
    await asyncio.sleep(0.5)
    assert [step.step_name for step in (await world.engine.get_instance(instance)).active_steps] == ["gate"]
    (world.directory / "gate-2").touch()
    await world.settle()
    assert [effect.pid for effect in runs_of(world, instance)] == [frozen.pid, other.pid]
    assert (await world.engine.get_instance(instance)).data["opened_by"] == 2


async def test_a_frozen_worker_stops_its_steps_when_it_wakes(world: World) -> None:
    gate = world.directory / "gate"
    [frozen] = world.start_workers(1)
    instance = await world.start("gated", gate=str(gate))
    await world.until("the gate", lambda: runs_of(world, instance))
    frozen.freeze()
    [other] = world.start_workers(1)
    await world.until("the takeover", lambda: len(runs_of(world, instance)) == 2)
    frozen.wake()
    await world.until("the notice", lambda: "has ended without a renewal" in frozen.log)
    gate.touch()
    await world.settle()
    assert [effect.pid for effect in runs_of(world, instance, "end")] == [other.pid]


async def test_the_work_of_a_killed_worker_is_taken_over_within_the_lease_and_two_seconds(world: World) -> None:
    gate = world.directory / "gate"
    [killed] = world.start_workers(1)
    instances = [await world.start("gated", gate=str(gate)) for _ in range(3)]
    await world.until("the gates", lambda: all(runs_of(world, instance) for instance in instances))
    world.start_workers(1)
    killed.kill()
    at = time.monotonic()
    await world.until("the takeover", lambda: all(len(runs_of(world, instance)) == 2 for instance in instances))
    took_s = time.monotonic() - at
    gate.touch()
    await world.settle()
    assert took_s <= LEASE_S + 2, f"it took {took_s:.2f} s with a lease of {LEASE_S:g} s"


async def test_stopped_workers_drain_under_load_and_exit_with_0(world: World, rounds: int) -> None:
    async def roll() -> None:
        for how in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM) * rounds:
            leaving = random.choice(world.alive)
            world.launch().await_up()
            assert leaving.end(how) == 0, leaving.log
            assert [event["event"] for event in leaving.events()] == ["running", "stopping", "stopped"]

    world.start_workers(2)
    await world.under_load(roll())
    effects = world.effects.begun()
    assert all(len(runs) == 1 for runs in effects.values()), "a drain that has time finishes what is under way"


async def test_a_second_signal_ends_a_worker_at_once(world: World) -> None:
    gate = world.directory / "gate"
    [worker] = world.start_workers(1)
    instance = await world.start("gated", gate=str(gate))
    await world.until("the gate", lambda: runs_of(world, instance))
    worker.tell(signal.SIGTERM)
    await world.until("the first stop", lambda: len(worker.events()) == 2)
    assert worker.is_alive
    assert worker.end(signal.SIGTERM, within_s=1.0) == 128 + signal.SIGTERM
    gate.touch()
    world.start_workers(1)
    await world.settle()


def runs_of(world: World, instance: UUID, phase: str = "begin") -> list[Effect]:
    """The runs of the gate of an instance."""
    gates = (effect for effect in world.effects.all() if effect.step == "gate" and effect.phase == phase)
    return [effect for effect in gates if effect.key.startswith(str(instance))]
