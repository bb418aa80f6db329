"""Run a scenario once, from its first line until nothing moves any more."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Generator
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
"""Troubles a simulation while its scenario runs; cancelled when that has ended. Afterwards, processes that were killed are to come back."""

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

    Meanwhile the log of the core is silent, because most of it would tell of what goes wrong on purpose; errors that it would tell of are
    among the violations.

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
        max_turns=scenario.max_turns,
    ) as simulation:
        simulation.writes.crashes.update(crashes)

        async def drive(process: Process) -> None:
            await scenario.drive(Client(process))

        async def main() -> list[str]:
            for number in range(workers):
                simulation.start(f"worker-{number + 1}")
            outside = simulation.start(_OUTSIDE, worker=False, program=drive)
            troubled = asyncio.ensure_future(_nothing() if trouble is None else trouble(simulation))
            inspector = asyncio.ensure_future(_inspect(simulation, effects))
            found = await _end_of(outside, scenario.limit_s)
            troubled.cancel()
            found += [f"the trouble had trouble: {error!r}" for error in await _errors_of(troubled)]
            # What was sent late arrives, what was frozen wakes, leases end: nothing of it may change anything.
            await asyncio.sleep(4 * simulation.settings.lease_s)
            inspector.cancel()
            found += await find_violations(simulation.queries, simulation.store, effects=effects)
            if not found and inspector.done():
                found += inspector.result()
            return found

        async def look() -> tuple[list[str], bytes]:
            outcome = [_outcome(scenario, account) async for account in accounts(simulation.queries, simulation.store)]
            return sorted(outcome), await history(simulation.queries, simulation.store)

        with _logged_errors() as violations:
            try:
                violations.extend(simulation.run(main))
            except SimulationError as error:
                violations.append(str(error))
                simulation.loop.max_turns += scenario.max_turns
            except Exception as error:  # noqa: BLE001 - what a broken store may do while it is looked at
                violations.append(f"the records cannot be read: {error!r}")
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


async def _errors_of(task: asyncio.Future[None]) -> list[Exception]:
    """Wait for the end of something; its error, unless it was cancelled."""
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    return [outcome] if isinstance(outcome, Exception) else []


async def _nothing() -> None:
    """No trouble at all."""


async def _inspect(simulation: Simulation, effects: Effects) -> list[str]:
    """Look for violations while the scenario runs, ever more rarely; those that were seen first."""
    pause_s = 0.1
    while True:
        await asyncio.sleep(pause_s)
        pause_s *= 1.3
        found = await find_violations(simulation.queries, simulation.store, effects=effects)
        if found:
            return [f"{violation} (seen at {simulation.loop.time():.1f} s)" for violation in found]


@contextlib.contextmanager
def _logged_errors() -> Generator[list[str]]:
    """What the core logs as an error: something that it did not foresee."""
    found: list[str] = []
    logger, handler = logging.getLogger("workflows_core"), logging.Handler()
    level, propagate = logger.level, logger.propagate
    handler.emit = lambda record: found.append(f"logged: {_told(record)}")  # type: ignore[method-assign]
    logger.addHandler(handler)
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    try:
        yield found
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


def _told(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if record.exc_info else None
    return record.getMessage() if error is None else f"{record.getMessage()}: {error!r}"


async def _end_of(outside: Process, limit_s: float) -> list[str]:
    try:
        async with asyncio.timeout(limit_s):
            await outside.finished
    except TimeoutError:
        return [f"the scenario did not come to its end in {limit_s:.0f} s of virtual time"]
    except Exception as error:  # noqa: BLE001 - told to whoever reads the report
        return [f"the outside was answered {type(error).__name__}: {error}"]
    return []


def _outcome(scenario: Scenario, account: Account) -> str:
    instance = account.instance
    if account.state is None:
        return f"{instance.workflow_name}: {instance.status}, and cannot be loaded"
    seen = to_instance(account.state, JsonCodec(), updated_at=instance.updated_at, completed_at=instance.completed_at)
    try:
        result = repr(scenario.result(seen))
    except (LookupError, TypeError, ValueError) as error:
        result = f"no result ({error!r})"
    told: list[Any] = [f"{instance.workflow_name}: {instance.status} with {result}"]
    if scenario.compares_executions:
        runs = Counter(
            (record.execution.step_name, record.execution.item, record.execution.visit, str(record.execution.status))
            for record in account.executions
        )
        told.extend(sorted(runs.items()))
    return ", ".join(map(str, told))
