"""Seeds are given as a number or as a range, and know how to be tried again."""

from __future__ import annotations

import pytest

from workflows_testing.simulation import Seeds, SimulationFailure


def test_a_number_is_so_many_seeds_from_0() -> None:
    assert list(Seeds.parse("3")) == [0, 1, 2]


def test_a_range_ends_before_its_second_number() -> None:
    seeds = Seeds.parse("7:10")
    assert list(seeds) == [7, 8, 9]
    assert len(seeds) == 3


def test_a_seed_is_tried_again_by_the_command_with_the_range_of_this_seed() -> None:
    assert Seeds.parse("9", "pytest test_it.py::test_{x} --seeds={seeds}").repeat(5) == (
        "pytest test_it.py::test_{x} --seeds=5:6"
    )


@pytest.mark.parametrize("text", ["", "many", "3:", "5:3", "-1", "1:2:3"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="as a number"):
        Seeds.parse(text)


def test_a_failure_says_what_is_wrong_how_to_see_it_again_and_what_was_seen() -> None:
    failure = SimulationFailure("it under seed 5", ["this", "that"], repeat="pytest --seeds=5:6", trace="0.1 claim()")
    assert str(failure) == (
        "it under seed 5\n  - this\n  - that\nagain: pytest --seeds=5:6\nthe last calls of the store:\n0.1 claim()"
    )
