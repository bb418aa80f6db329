"""Kill a process at every write of a scenario: before it is done, after it, and while it is under way."""

from __future__ import annotations

from workflows_testing.simulation.errors import SimulationFailure
from workflows_testing.simulation.running import differences, run_scenario
from workflows_testing.simulation.scenario import Scenario
from workflows_testing.simulation.storage import MakeStorage, in_memory
from workflows_testing.simulation.writes import CrashPoint, Moment

__all__ = ["crash_at_every_write"]


def crash_at_every_write(
    scenario: Scenario, *, seed: int = 0, workers: int = 1, storage: MakeStorage = in_memory
) -> int:
    """Run a scenario without faults; then again for each of its writes, with a crash of the process that writes.

    Writes are commits, claims, renewals, releases and publications of graphs that change something, of workers and of the outside. The
    process is killed when its call has reached the store: once before it is done; once after it is done but before the answer is on its
    way; and once so that it is done only when the leases of the dead have ended, and others have gone on.
    A second later another process takes its place. Each run must come to the end that the first one came to: same status, same
    result, same step executions; and nothing may be wrong by `find_violations`.

    Args:
        scenario: What happens.
        seed: Decides what is left to chance; the same for all runs.
        workers: How many processes run steps.
        storage: Makes the store.

    Returns:
        In how many runs a process crashed.

    Raises:
        SimulationFailure: One of them went wrong; says which, and what was seen.
    """
    sound = run_scenario(scenario, seed, workers=workers, storage=storage)
    if sound.violations:
        raise SimulationFailure(f"{scenario} without a crash (seed {seed})", sound.violations, trace=sound.trace)
    crashes = 0
    for number in sound.changed:
        for moment in Moment:
            point = CrashPoint(number, moment)
            crashed = run_scenario(scenario, seed, workers=workers, storage=storage, crashes=[point])
            violations = [*crashed.violations, *differences(sound, crashed)]
            if not crashed.crashed:
                violations.append("the crash point was not reached, so the runs differ although the seed is the same")
            if violations:
                title = f"{scenario} with a crash {point} of {len(sound.changed)} (seed {seed}, {workers} workers)"
                repeat = (
                    f"run_scenario({scenario}, {seed}, workers={workers}, crashes=[CrashPoint({number}, {moment})])"
                )
                raise SimulationFailure(title, violations, repeat=repeat, trace=crashed.trace)
            crashes += 1
    return crashes
