"""The same seed gives the same history, byte for byte, in this process and in any other."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.simulation.scenarios import SCENARIOS

from workflows_testing.simulation import Scenario, run_with_chaos

ROOT = Path(__file__).parents[2]


def digest(seeds: range) -> str:
    """Digest of all histories, all times and all calls of the store."""
    told = hashlib.sha256()
    for scenario in SCENARIOS:
        for seed in seeds:
            run = run_with_chaos(scenario, seed)
            told.update(run.history + repr((run.outcome, run.seconds, run.trace)).encode())
    return told.hexdigest()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_seed_gives_one_history(scenario: Scenario) -> None:
    first, second = run_with_chaos(scenario, 3), run_with_chaos(scenario, 3)
    assert first == second
    assert len(first.history) > 500


def test_seeds_give_different_histories() -> None:
    histories = {run_with_chaos(SCENARIOS[0], seed).history for seed in range(10)}
    assert len(histories) == 10


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_another_process_with_other_hashes_gives_the_same_history(hash_seed: str) -> None:
    code = "from tests.simulation.test_determinism import digest; print(digest(range(1)))"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    other = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    assert other.stdout.strip() == digest(range(1))
