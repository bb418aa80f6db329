"""What counts as one execution that ran twice at once."""

from __future__ import annotations

import math

import pytest

from workflows_testing.conformance.deployment_site import no_overlaps


@pytest.mark.parametrize(
    ("spans", "kills"),
    [
        ([(0.0, 1.0), (1.0, 2.0)], []),
        ([(0.0, math.inf), (2.0, 3.0)], [1.0]),
        ([(0.0, math.inf), (2.0, math.inf), (5.0, 6.0)], [1.0, 4.0]),
        ([(0.0, math.inf)], []),
    ],
)
def test_runs_that_follow_each_other_do_not_overlap(spans: list[tuple[float, float]], kills: list[float]) -> None:
    no_overlaps({"key": spans}, kills=kills)


@pytest.mark.parametrize(
    ("spans", "kills"),
    [
        ([(0.0, 1.0), (0.5, 2.0)], []),
        pytest.param([(0.0, 1.0), (0.5, 2.0)], [0.2], id="somebody else was killed"),
        pytest.param([(0.0, math.inf), (2.0, 3.0)], [], id="nobody was killed"),
        pytest.param([(0.0, math.inf), (2.0, 3.0)], [2.5], id="it was killed later"),
    ],
)
def test_runs_that_overlap_are_noticed(spans: list[tuple[float, float]], kills: list[float]) -> None:
    with pytest.raises(AssertionError, match="execution key ran twice at once"):
        no_overlaps({"key": spans}, kills=kills)
