"""A process dies at every single write of every scenario, and nothing comes of it."""

from __future__ import annotations

import pytest
from tests.simulation.scenarios import SCENARIOS

from workflows_testing.simulation import Scenario, crash_at_every_write


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_crash_at_any_write_changes_nothing_of_the_end(scenario: Scenario, workers: int) -> None:
    assert crash_at_every_write(scenario, workers=workers) >= 12
