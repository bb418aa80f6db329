"""Run a scenario once, from its first line until nothing moves any more."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from workflows_core import JsonCodec
from workflows_core.engine.instances import to_instance
from workflows_testing.faults import FaultPlan
from workflows_testing.simulation.client import Client
from workflows_testing.simulation.effects import Effects
from workflows_testing.simulation.errors import SimulationError
from workflows_testing.simulation.invariants import find_violations
from workflows_testing.simulation.process import Process
from workflows_testing.simulation.records import Account, accounts, history
from workflows_testing.simulation.scenario import Scenario
from workflows_testing.simulation.simulation import Simulation
from workflows_testing.simulation.storage import MakeStorage, in_memory
from workflows_testing.simulation.writes import CrashPoint

__all__ = ["Run", "Trouble", "differences", "run_scenario"]

Trouble: TypeAlias = Callable[[Simulation], Awaitable[None]]
"""Troubles a simulation while its scenario runs. When it returns, all processes that were killed are to be on their way back."""

_LIMIT_S: Final = 3600.0
_OUTSIDE: Final = "outside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of it.

    Attributes:
        outcome: How each instance ended, in words that can be compared with those of another run.
        violations: What is wrong.
        changed: Numbers of the writes that changed something.
        crashed: The processes that died at crash points; a point that was not reached killed nobody.
        history: All records, as bytes.
        seconds: How long it took, in virtual time.
        trace: The last calls of the store, for people.
    """

    outcome: list[str]
    violations: list[str]
    changed: list[int]
    crashed: list[str]
    history: bytes
    seconds: float
    trace: str


def run_scenario(
    scenario: Scenario,
    seed: int,
    *,
    workers: int = 1,
    crashes: Collection[CrashPoint] = (),
    faults: FaultPlan | None = None,
    hint_faults: FaultPlan | None = None,
    trouble: Trouble | None = None,
    restart_after_s: float = 1.0,
    storage: MakeStorage = in_memory,
) -> Run:
    """Run a scenario.

    Args:
        scenario: What happens.
        seed: Decides what is left to chance.
        workers: How many processes run steps.
        crashes: When a process dies.
        restart_after_s: Seconds until another one takes its place.
        faults: What goes wrong between processes and store.
        hint_faults: What goes wrong with hints.
        trouble: What else goes wrong.
        storage: Makes the store.
    """
    effects = Effects()
    with Simulation(
        seed,
        scenario.workflows(effects),
        settings=scenario.settings,
        storage=storage,
        faults=faults,
        hint_faults=hint_faults,
        restart_after_s=restart_after_s,
    ) as simulation:
        simulation.writes.crashes.update(crashes)

        async def drive(process: Process) -> None:
            await scenario.drive(Client(process))

        async def main() -> list[str]:
            for number in range(workers):
                simulation.start(f"worker-{number + 1}")
            outside = simulation.start(_OUTSIDE, worker=False, program=drive)
            troubled = None if trouble is None else asyncio.ensure_future(trouble(simulation))
            found = await _end_of(outside)
            if troubled is not None:
                await troubled
            # What was sent late arrives, what was frozen wakes, leases end: nothing of it may change anything.
            await asyncio.sleep(4 * simulation.settings.lease_s)
            found += await find_violations(simulation.queries, simulation.store, effects=effects)
            return found

        async def look() -> tuple[list[str], bytes]:
            outcome = [_outcome(scenario, account) async for account in accounts(simulation.queries, simulation.store)]
            return sorted(outcome), await history(simulation.queries, simulation.store)

        try:
            violations = simulation.run(main)
        except SimulationError as error:
            violations = [str(error)]
        violations += simulation.loop.escaped
        outcome, records = simulation.run(look)
        return Run(
            outcome=outcome,
            violations=violations,
            changed=simulation.writes.changed,
            crashed=simulation.writes.crashed,
            history=records,
            seconds=simulation.loop.time(),
            trace=simulation.trace.tail(),
        )


def differences(sound: Run, troubled: Run) -> list[str]:
    """Where a run came to another end than one without trouble."""
    if troubled.outcome == sound.outcome:
        return []
    expected, found = Counter(sound.outcome), Counter(troubled.outcome)
    lost, added = list((expected - found).elements()), list((found - expected).elements())
    return [f"without trouble it ended as {lost}, with it as {added}"]


async def _end_of(outside: Process) -> list[str]:
    try:
        async with asyncio.timeout(_LIMIT_S):
            await outside.finished
    except TimeoutError:
        return [f"the scenario did not come to its end in {_LIMIT_S:.0f} s of virtual time"]
    except Exception as error:  # noqa: BLE001 - told to whoever reads the report
        return [f"the outside was answered {type(error).__name__}: {error}"]
    return []


def _outcome(scenario: Scenario, account: Account) -> str:
    instance = account.instance
    if account.state is None:
        return f"{instance.workflow_name}: {instance.status}, and cannot be loaded"
    seen = to_instance(
        account.state, JsonCodec(), updated_at=instance.updated_at, completed_at=instance.completed_at
    )
    told: list[Any] = [f"{instance.workflow_name}: {instance.status} with {scenario.result(seen)!r}"]
    if scenario.compares_executions:
        runs = Counter(
            (record.execution.step_name, record.execution.item, record.execution.visit, str(record.execution.status))
            for record in account.executions
        )
        told.extend(sorted(runs.items()))
    return ", ".join(map(str, told))
