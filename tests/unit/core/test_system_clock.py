from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

import pytest

from workflows_core.adapters import system_clock
from workflows_core.adapters.system_clock import SystemClock

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)


def test_the_time_stands_still_while_the_computer_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    told = iter([NOON, NOON - timedelta(hours=1), NOON - timedelta(seconds=1), NOON + timedelta(seconds=1)])

    class ComputerClock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return next(told)

    clock = SystemClock()
    monkeypatch.setattr(system_clock, "datetime", ComputerClock)
    assert [clock.now() for _ in range(4)] == [NOON, NOON, NOON, NOON + timedelta(seconds=1)]


def test_the_time_is_that_of_the_computer() -> None:
    assert abs(SystemClock().now() - datetime.now(UTC)) < timedelta(minutes=1)
