"""A process dies at every single write of every scenario, and nothing comes of it."""

from __future__ import annotations

import pytest
from tests.simulation.scenarios import SCENARIOS

from workflows_testing.simulation import Scenario, crash_at_every_write


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_crash_at_any_write_changes_nothing_of_the_end(scenario: Scenario) -> None:
    assert crash_at_every_write(scenario) >= 18


@pytest.mark.parametrize("scenario", [found for found in SCENARIOS if str(found) in {"parallel", "human", "retries"}])
def test_nor_does_it_when_another_worker_goes_on_at_once(scenario: Scenario) -> None:
    assert crash_at_every_write(scenario, workers=2) >= 18
