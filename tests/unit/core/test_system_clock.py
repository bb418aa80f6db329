from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo

import pytest

from workflows_core.adapters import system_clock
from workflows_core.adapters.system_clock import SystemClock

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)


class ComputerClock:
    """Stands for ``datetime`` where the clock of the computer is read."""

    def __init__(self, told: Iterator[datetime]) -> None:
        self.told = told

    def now(self, tz: tzinfo) -> datetime:
        return next(self.told).astimezone(tz)


def test_the_time_stands_still_while_the_computer_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    told = [NOON, NOON - timedelta(hours=1), NOON - timedelta(seconds=1), NOON + timedelta(seconds=1)]
    clock = SystemClock()
    monkeypatch.setattr(system_clock, "datetime", ComputerClock(iter(told)))
    assert [clock.now() for _ in range(4)] == [NOON, NOON, NOON, NOON + timedelta(seconds=1)]


def test_the_time_is_that_of_the_computer() -> None:
    assert abs(SystemClock().now() - datetime.now(UTC)) < timedelta(minutes=1)
