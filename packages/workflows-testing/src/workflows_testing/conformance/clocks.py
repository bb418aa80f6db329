"""Rules for every `Clock`."""

from __future__ import annotations

from datetime import timedelta

import pytest

from workflows_core.ports.clock import Clock

__all__ = ["ClockConformance"]


class ClockConformance:
    """The suite; override the fixture ``clock``.

    Attributes:
        adapter: The class under test.
    """

    adapter: type

    @pytest.fixture
    def clock(self) -> Clock:
        """The clock under test."""
        msg = f"{type(self).__name__} must override the fixture `clock`"
        raise TypeError(msg)

    def test_the_time_is_aware_and_in_utc(self, clock: Clock) -> None:
        assert clock.now().utcoffset() == timedelta(0)

    def test_a_later_call_never_gives_an_earlier_time(self, clock: Clock) -> None:
        told = [clock.now() for _ in range(1000)]
        assert told == sorted(told)
