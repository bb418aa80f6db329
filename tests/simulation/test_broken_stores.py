"""The simulation finds what is broken: stores that break a promise are caught within a few seeds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from msgspec.structs import replace
from tests.simulation.scenarios import SCENARIOS

from workflows_core import InMemoryWorkflowQueries, InMemoryWorkflowStore, MemoryState
from workflows_core.ports.clock import Clock
from workflows_core.ports.store import Write
from workflows_testing.faulty import FAULTS
from workflows_testing.faulty.fault import ChangesWrites
from workflows_testing.faulty.rewriting import at_current_revision, with_transition
from workflows_testing.simulation import (
    Scenario,
    SimulationFailure,
    Storage,
    crash_at_every_write,
    explore,
    run_scenario,
)
from workflows_testing.simulation.storage import MakeStorage

ENOUGH = range(60)
BY_NAME = {str(scenario): scenario for scenario in SCENARIOS}
KNOWN = {str(fault): fault for fault in FAULTS}


def broken(name: str, clock: Clock) -> Storage:
    """One of the adapters that are broken to prove the conformance kits."""
    built = KNOWN[name].build(clock)  # type: ignore[arg-type]
    return Storage(built["store"], built["queries"])


def changing(change: Callable[[MemoryState, Write], Write], clock: Clock) -> Storage:
    """A store that commits something else than it was given."""
    memory = MemoryState(clock)
    return Storage(ChangesWrites(memory, change), InMemoryWorkflowQueries(memory))


def forget_one_of_the_work(_memory: MemoryState, write: Write) -> Write:
    """Of several work items that become ready at once, the last is forgotten."""
    made = [number for number, item in write.transition.work.items() if item is not None]
    if len(made) < 2:
        return write
    return with_transition(write, work={key: item for key, item in write.transition.work.items() if key != made[-1]})


def take_two_results(memory: MemoryState, write: Write) -> Write:
    """Nobody looks at fences and revisions: every result is taken."""
    return at_current_revision(memory, replace(write, held=None, also_held=()))


def simulate(scenario: Scenario, storage: MakeStorage) -> None:
    """What the tests of this folder do with a sound store."""
    explore(scenario, ENOUGH[:15], storage=storage)
    crash_at_every_write(scenario, workers=2, storage=storage)
    explore(scenario, ENOUGH[15:], storage=storage)


@pytest.mark.parametrize(
    ("scenario", "name"),
    [
        ("long", "forgets the fence"),
        ("many", "forgets the fence"),
        ("linear", "leases for ever"),
        ("linear", "forgets start keys"),
        ("long", "leaves refused executions"),
        ("long", "leaves refused events"),
        ("long", "takes every transition for committed"),
        ("for_each", "reads items without their data"),
        ("for_each", "forgets the items that a transition does not have"),
        ("timer", "leaves work that is written anew with its holder"),
        ("webhook", "forgets calls that came early"),
        ("linear", "renews nothing"),
        ("linear", "gives claims twice"),
    ],
)
def test_a_store_that_breaks_a_promise_is_found(scenario: str, name: str) -> None:
    with pytest.raises(SimulationFailure):
        simulate(BY_NAME[scenario], partial(broken, name))


def test_a_fence_that_is_ignored_shows_as_an_effect_that_no_attempt_accounts_for() -> None:
    with pytest.raises(SimulationFailure, match=r"1 attempts\) had 2 effects"):
        crash_at_every_write(BY_NAME["long"], workers=2, storage=partial(broken, "forgets the fence"))


@pytest.mark.parametrize("scenario", ["parallel", "cancel"])
def test_work_that_is_forgotten_after_a_commit_shows_as_a_step_that_nothing_moves(scenario: str) -> None:
    with pytest.raises(SimulationFailure, match="no work will ever move it"):
        explore(BY_NAME[scenario], ENOUGH, storage=partial(changing, forget_one_of_the_work))


@pytest.mark.parametrize("scenario", ["parallel", "many"])
def test_two_results_of_one_execution_are_found(scenario: str) -> None:
    with pytest.raises(SimulationFailure):
        simulate(BY_NAME[scenario], partial(changing, take_two_results))


def test_a_crash_finds_work_that_stays_with_the_dead() -> None:
    with pytest.raises(SimulationFailure, match=r"with a crash at write \d+, after it was done"):
        crash_at_every_write(BY_NAME["linear"], storage=partial(broken, "leases for ever"))


def test_an_error_that_the_engine_did_not_foresee_is_found_although_it_survives() -> None:
    class Stumbles(InMemoryWorkflowStore):
        async def next_due(
            self,
            *,
            queues: frozenset[str] | None = None,
            codes: frozenset[str] | None = None,
            without: frozenset[str] = frozenset(),
        ) -> float | None:
            msg = "a bug of a driver"
            raise RuntimeError(msg)

    def storage(clock: Clock) -> Storage:
        memory = MemoryState(clock)
        return Storage(Stumbles(memory), InMemoryWorkflowQueries(memory))

    run = run_scenario(BY_NAME["linear"], 1, storage=storage)
    assert any("cannot look for work: RuntimeError('a bug of a driver')" in violation for violation in run.violations)


def test_a_failure_tells_what_was_seen_and_how_to_see_it_again() -> None:
    with pytest.raises(SimulationFailure) as raised:
        explore(BY_NAME["linear"], ENOUGH, storage=partial(broken, "leases for ever"))
    told = str(raised.value)
    seed = int(told.partition("under seed ")[2].split()[0])
    assert f"again: explore(linear, [{seed}])" in told
    assert "the last calls of the store:" in told
    with pytest.raises(SimulationFailure) as again:
        explore(BY_NAME["linear"], [seed], storage=partial(broken, "leases for ever"))
    assert str(again.value) == told


def test_a_scenario_that_fails_by_itself_is_not_blamed_on_the_faults() -> None:
    scenario = BY_NAME["linear"]

    async def drive(client: object) -> None:
        raise LookupError("as it must")

    failing = Scenario(name="failing", workflows=scenario.workflows, drive=drive)
    with pytest.raises(SimulationFailure, match="failing with nothing going wrong\n  - the outside was answered Look"):
        explore(failing, ENOUGH)
