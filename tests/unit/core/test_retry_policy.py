"""`RetryPolicy`: how long until the next attempt, and when there is none."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from workflows_core.domain.retry import NEVER_AGAIN, RetryPolicy

STEADY = RetryPolicy(max_attempts=0, initial_delay_s=1.0, multiplier=3.0, max_delay_s=20.0, jitter=0.0)


def delay_s(
    policy: RetryPolicy, *, failures: int = 1, elapsed_s: float = 0.0, error: str = "ValueError", chance: float = 0.0
) -> float | None:
    return policy.delay_s(failures=failures, elapsed_s=elapsed_s, errors=(error, "Exception"), chance=chance)


def test_delays_grow_by_the_multiplier_up_to_the_longest() -> None:
    assert [delay_s(STEADY, failures=number) for number in range(1, 6)] == [1.0, 3.0, 9.0, 20.0, 20.0]


def test_any_number_of_failures_has_a_delay() -> None:
    assert delay_s(STEADY, failures=10_000) == 20.0


@pytest.mark.parametrize(("most", "delays"), [(1, [None]), (3, [1.0, 3.0, None])])
def test_there_are_as_many_attempts_as_are_allowed_the_first_included(most: int, delays: list[float | None]) -> None:
    policy = RetryPolicy(max_attempts=most, initial_delay_s=1.0, multiplier=3.0, jitter=0.0)
    assert [delay_s(policy, failures=number + 1) for number in range(most)] == delays


@given(chance=st.floats(0, 1), jitter=st.floats(0, 1), failures=st.integers(1, 12))
def test_chance_takes_at_most_the_jitter_from_a_delay_and_adds_nothing(
    chance: float, jitter: float, failures: int
) -> None:
    whole = delay_s(STEADY, failures=failures)
    policy = RetryPolicy(max_attempts=0, initial_delay_s=1.0, multiplier=3.0, max_delay_s=20.0, jitter=jitter)
    found = delay_s(policy, failures=failures, chance=chance)
    assert whole is not None
    assert found is not None
    assert whole * (1 - jitter) * (1 - 1e-9) <= found <= whole


def test_a_quarter_is_left_to_chance_unless_said_otherwise() -> None:
    assert [delay_s(RetryPolicy(), chance=chance) for chance in (0.0, 0.5, 1.0)] == [1.0, 0.875, 0.75]


@pytest.mark.parametrize(("elapsed_s", "expected"), [(0.0, 3.0), (7.0, 3.0), (7.1, None), (11.0, None)])
def test_no_attempt_begins_after_the_time_for_all_of_them(elapsed_s: float, expected: float | None) -> None:
    policy = RetryPolicy(max_attempts=0, initial_delay_s=1.0, multiplier=3.0, jitter=0.0, max_elapsed_s=10.0)
    assert delay_s(policy, failures=2, elapsed_s=elapsed_s) == expected


def test_what_chance_takes_away_can_leave_time_for_another_attempt() -> None:
    policy = RetryPolicy(max_attempts=0, initial_delay_s=4.0, jitter=0.5, max_elapsed_s=10.0)
    assert delay_s(policy, elapsed_s=7.0, chance=0.0) is None
    assert delay_s(policy, elapsed_s=7.0, chance=1.0) == 2.0


@pytest.mark.parametrize("error", sorted(NEVER_AGAIN))
def test_some_errors_are_final_under_every_policy(error: str) -> None:
    assert delay_s(STEADY, error=error) is None


def test_errors_that_a_policy_names_are_final_and_others_are_not() -> None:
    policy = RetryPolicy(non_retryable=("LookupError",))
    assert delay_s(policy, error="LookupError") is None
    assert delay_s(policy, error="ValueError") is not None
