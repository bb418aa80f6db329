"""Faults, crashes, freezes and chance: under every seed the end is the same.

``pytest tests/simulation/test_chaos.py --simulation-seeds=1000000 --timeout 0 -n auto`` for a night.
"""

from __future__ import annotations

import pytest
from tests.simulation.scenarios import SCENARIOS

from workflows_testing.simulation import Chaos, Scenario, Seeds, explore, run_with_chaos

MUCH = Chaos(workers=(1, 4), fault_rate=0.15, hint_fault_rate=0.8, crashes=6, kills=6, freezes=6, lasts_s=90)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_no_seed_changes_the_end(scenario: Scenario, simulation_seeds: Seeds) -> None:
    assert explore(scenario, simulation_seeds) == len(simulation_seeds)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_nor_does_it_when_hardly_anything_works(scenario: Scenario, simulation_seeds: Seeds) -> None:
    few = Seeds(simulation_seeds.first, (len(simulation_seeds) + 4) // 5, simulation_seeds.command)
    assert explore(scenario, few, chaos=MUCH) == len(few)


def test_the_seeds_do_let_things_go_wrong() -> None:
    runs = [run_with_chaos(scenario, seed) for seed in range(4) for scenario in SCENARIOS]
    assert sum(len(run.crashed) for run in runs) > len(runs) / 4
    told = "\n".join(run.trace for run in runs)
    for trouble in ("is killed", "is frozen", "did not reach the store", "was lost", "died before its"):
        assert told.count(trouble) > len(runs) / 4
    for answer in ("Conflict()", "LeaseLost()", "DuplicateKey"):
        assert told.count(answer) >= 1
