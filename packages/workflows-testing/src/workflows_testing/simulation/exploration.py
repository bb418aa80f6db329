"""Run a scenario under many seeds, each with faults, crashes and freezes of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Final

from workflows_testing.faults import (
    AnswerConflict,
    CommitThenFail,
    DelayHint,
    DoubleHint,
    FailBefore,
    FaultPlan,
    LoseHint,
    LoseLease,
    ReorderHints,
    Slow,
)
from workflows_testing.simulation.errors import SimulationFailure
from workflows_testing.simulation.running import Run, differences, run_scenario
from workflows_testing.simulation.scenario import Scenario
from workflows_testing.simulation.seeds import Seeds
from workflows_testing.simulation.simulation import Simulation
from workflows_testing.simulation.storage import MakeStorage, in_memory
from workflows_testing.simulation.writes import CrashPoint, Moment

__all__ = ["Chaos", "explore", "run_with_chaos"]

_READS: Final = ("check", "committed", "graph", "item_results", "load", "next_due", "now", "publish")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chaos:
    """How much goes wrong.

    Attributes:
        workers: Fewest and most processes that run steps.
        fault_rate: Which part of the calls of the store goes wrong.
        hint_fault_rate: Which part of the hints goes wrong.
        crashes: Most processes that die at a write.
        kills: Most processes that are killed at some moment.
        freezes: Most times that a process is frozen at some moment.
        lasts_s: Virtual seconds after which nothing more goes wrong, if the scenario takes so long.
    """

    workers: tuple[int, int] = (2, 3)
    fault_rate: float = 0.04
    hint_fault_rate: float = 0.3
    crashes: int = 2
    kills: int = 2
    freezes: int = 3
    lasts_s: float = 60.0


def explore(
    scenario: Scenario, seeds: Iterable[int], *, chaos: Chaos | None = None, storage: MakeStorage = in_memory
) -> int:
    """Run a scenario under each seed; it must come to the end that it comes to when nothing goes wrong.

    The seed decides the number of workers, the order of everything, how long calls take, which of them go wrong and how, and who is killed
    and frozen when. After ``chaos.lasts_s`` nothing more goes wrong, so that the scenario must come to its end.

    Args:
        scenario: What happens.
        seeds: The seeds; a `Seeds` also knows the command that tries one again.
        chaos: How much goes wrong; None is the default of `Chaos`.
        storage: Makes the store.

    Returns:
        How many seeds were tried.

    Raises:
        SimulationFailure: Something is wrong under a seed; says what, what was seen, and how to see it again.
    """
    sound = run_scenario(scenario, 0, storage=storage)
    if sound.violations:
        raise SimulationFailure(f"{scenario} with nothing going wrong", sound.violations, trace=sound.trace)
    tried = 0
    for seed in seeds:
        run = run_with_chaos(scenario, seed, chaos=chaos, storage=storage)
        violations = [*run.violations, *differences(sound, run)]
        if violations:
            repeat = seeds.repeat(seed) if isinstance(seeds, Seeds) else f"explore({scenario}, [{seed}])"
            raise SimulationFailure(f"{scenario} under seed {seed}", violations, repeat=repeat, trace=run.trace)
        tried += 1
    return tried


def run_with_chaos(
    scenario: Scenario, seed: int, *, chaos: Chaos | None = None, storage: MakeStorage = in_memory
) -> Run:
    """Run a scenario once, with all that goes wrong under a seed."""
    wanted = chaos if chaos is not None else Chaos()
    random = Random(f"{seed}/chaos")
    lease_s = scenario.settings.lease_s if scenario.settings is not None else 6.0
    workers = random.randint(*wanted.workers)
    faults = _store_faults(seed, wanted.fault_rate, lease_s)
    hint_faults = FaultPlan(seed).randomly(
        "publish",
        rate=wanted.hint_fault_rate,
        faults=[LoseHint(), DoubleHint(), ReorderHints(), DelayHint(lease_s / 2)],
    )
    crashes = {
        CrashPoint(random.randint(1, 30), random.choice(list(Moment))) for _ in range(random.randint(0, wanted.crashes))
    }

    async def trouble(simulation: Simulation) -> None:
        names = sorted(simulation.processes)
        plans = [_kill(simulation, random, names, lease_s) for _ in range(random.randint(0, wanted.kills))]
        plans += [_freeze(simulation, random, names, lease_s) for _ in range(random.randint(0, wanted.freezes))]
        try:
            await asyncio.gather(*plans, asyncio.sleep(wanted.lasts_s))
        finally:
            faults.end()
            hint_faults.end()
            simulation.writes.crashes.clear()

    return run_scenario(
        scenario,
        seed,
        workers=workers,
        crashes=crashes,
        faults=faults,
        hint_faults=hint_faults,
        trouble=trouble,
        restart_after_s=random.uniform(0.0, 2 * lease_s),
        storage=storage,
    )


def _store_faults(seed: int, rate: float, lease_s: float) -> FaultPlan:
    """Every fault there is, wherever it can befall."""
    lost = [FailBefore(), CommitThenFail()]
    slow = [Slow(before_s=1.5 * lease_s), Slow(after_s=1.5 * lease_s), Slow(before_s=0.2, after_s=0.2)]
    return (
        FaultPlan(seed)
        .randomly("commit", rate=rate * 2, faults=[*lost, *lost, *slow, AnswerConflict(), LoseLease()])
        .randomly("claim", "release", rate=rate, faults=[*lost, *slow])
        .randomly("renew", rate=rate, faults=[*lost, *slow, LoseLease()])
        .randomly(*_READS, rate=rate, faults=[*lost, slow[-1]])
    )


async def _kill(simulation: Simulation, random: Random, names: list[str], lease_s: float) -> None:
    name, at, restart = random.choice(names), _moment(random), random.uniform(0.0, 3 * lease_s)
    await asyncio.sleep(at)
    simulation.kill(name, restart_after_s=restart)


async def _freeze(simulation: Simulation, random: Random, names: list[str], lease_s: float) -> None:
    name, at, seconds = random.choice(names), _moment(random), random.uniform(0.0, 3 * lease_s)
    await asyncio.sleep(at)
    simulation.freeze(name, seconds)


def _moment(random: Random) -> float:
    """Some virtual seconds; short times as likely as long ones, because much happens in the first of them."""
    return float(10 ** random.uniform(-3, 1.5))
