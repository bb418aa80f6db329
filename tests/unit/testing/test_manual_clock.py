from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from workflows_core.ports.clock import Clock
from workflows_testing.clock import ManualClock

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)


async def turn_the_loop() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def test_it_is_a_clock_that_stands_still() -> None:
    clock: Clock = ManualClock(NOON)
    assert clock.now() == clock.now() == NOON


def test_it_tells_utc_whatever_zone_it_was_given() -> None:
    clock = ManualClock(datetime(2026, 3, 29, 14, tzinfo=timezone(timedelta(hours=2))))
    assert clock.now() == NOON
    assert clock.now().tzinfo is UTC


@pytest.mark.parametrize("build", [ManualClock, lambda moment: ManualClock(NOON).set(moment)])
def test_a_time_without_a_zone_is_refused(build: Callable[[datetime], object]) -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        build(datetime(2026, 3, 29, 13))  # noqa: DTZ001


def test_it_advances_and_can_be_set() -> None:
    clock = ManualClock(NOON)
    assert clock.advance(timedelta(hours=1)) == clock.now() == NOON + timedelta(hours=1)
    clock.set(NOON + timedelta(days=1))
    assert clock.now() == NOON + timedelta(days=1)


def test_it_never_goes_backwards() -> None:
    clock = ManualClock(NOON)
    with pytest.raises(ValueError, match="never goes backwards"):
        clock.advance(timedelta(microseconds=-1))
    with pytest.raises(ValueError, match="never goes backwards"):
        clock.set(NOON - timedelta(microseconds=1))
    assert clock.now() == NOON


def test_setting_the_present_time_changes_nothing() -> None:
    clock = ManualClock(NOON)
    clock.set(NOON)
    clock.advance(timedelta(0))
    assert clock.now() == NOON


async def test_a_sleeper_wakes_when_its_time_has_come_and_not_before() -> None:
    clock = ManualClock(NOON)
    sleeper = asyncio.create_task(clock.sleep(10))
    await turn_the_loop()
    clock.advance(timedelta(seconds=10) - timedelta(microseconds=1))
    await turn_the_loop()
    assert not sleeper.done()
    clock.advance(timedelta(microseconds=1))
    await asyncio.wait_for(sleeper, 1)


async def test_sleepers_wake_in_the_order_of_their_times_and_then_of_their_arrival() -> None:
    clock = ManualClock(NOON)
    woken: list[str] = []

    async def sleep(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    async with asyncio.TaskGroup() as tasks:
        for name, seconds in [("late", 3.0), ("first", 1.0), ("second", 1.0)]:
            tasks.create_task(sleep(name, seconds))
        await turn_the_loop()
        clock.advance(timedelta(minutes=1))
    assert woken == ["first", "second", "late"]


@pytest.mark.parametrize("seconds", [0, -5])
async def test_sleeping_for_no_time_lets_others_run_and_returns(seconds: float) -> None:
    others: list[str] = []
    asyncio.get_running_loop().call_soon(others.append, "ran")
    await ManualClock(NOON).sleep(seconds)
    assert others == ["ran"]


async def test_the_next_wake_up_is_that_of_the_earliest_who_still_sleeps() -> None:
    clock = ManualClock(NOON)
    assert clock.next_wake_up is None
    early, late = (asyncio.create_task(clock.sleep(seconds)) for seconds in (5, 9))
    await turn_the_loop()
    assert clock.next_wake_up == NOON + timedelta(seconds=5)
    early.cancel()
    await turn_the_loop()
    assert clock.next_wake_up == NOON + timedelta(seconds=9)
    clock.set(NOON + timedelta(seconds=9))
    await asyncio.wait_for(late, 1)
    assert clock.next_wake_up is None


async def test_a_cancelled_sleeper_does_not_disturb_the_others() -> None:
    clock = ManualClock(NOON)
    cancelled, kept = (asyncio.create_task(clock.sleep(5)) for _ in range(2))
    await turn_the_loop()
    cancelled.cancel()
    clock.advance(timedelta(seconds=5))
    await asyncio.wait_for(kept, 1)
    assert cancelled.cancelled()


def test_a_sleeper_in_another_thread_is_woken() -> None:
    clock = ManualClock(NOON)
    sleeps = threading.Event()

    async def sleep() -> None:
        asyncio.get_running_loop().call_soon(sleeps.set)
        await clock.sleep(30)

    thread = threading.Thread(target=asyncio.run, args=(sleep(),), daemon=True)
    thread.start()
    assert sleeps.wait(10)
    clock.advance(timedelta(seconds=30))
    thread.join(10)
    assert not thread.is_alive()


def test_a_sleeper_whose_event_loop_is_closed_is_forgotten() -> None:
    clock = ManualClock(NOON)

    async def give_up() -> None:
        sleeper = asyncio.create_task(clock.sleep(30))
        await turn_the_loop()
        sleeper.cancel()

    asyncio.run(give_up())
    assert clock.next_wake_up is None
    clock.advance(timedelta(minutes=1))
