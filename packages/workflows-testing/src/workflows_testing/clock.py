"""A clock that moves only when the test says so."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import threading
from datetime import UTC, datetime, timedelta
from typing import Final

from workflows_core.ports.clock import Clock

DEFAULT_START: Final = datetime(2026, 1, 1, tzinfo=UTC)


class ManualClock(Clock):
    """The time is what the test set it to; it never goes backwards, and sleepers wake when it passes them.

    May be used from several threads and event loops at once.

    Args:
        start: The first time it tells; aware, of any time zone.

    Raises:
        ValueError: ``start`` has no time zone.
    """

    def __init__(self, start: datetime = DEFAULT_START) -> None:
        self._now = _as_utc(start)
        self._lock = threading.Lock()
        self._order = itertools.count()
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """Return the time it was set to, in UTC."""
        return self._now

    @property
    def next_wake_up(self) -> datetime | None:
        """When the next sleeper is due; None if nobody sleeps. ``clock.set(clock.next_wake_up)`` skips the wait."""
        with self._lock:
            self._forget_those_who_left()
            return self._sleepers[0][0] if self._sleepers else None

    def advance(self, delta: timedelta) -> datetime:
        """Move forward and wake whoever is due.

        Sleepers are woken in the order of their times, and run when their event loop gets to it, so all of them see the new time.

        Returns:
            The new time.

        Raises:
            ValueError: ``delta`` is negative.
        """
        if delta < timedelta(0):
            msg = f"a clock cannot be advanced by {delta}: time never goes backwards; make another ManualClock for an earlier time"
            raise ValueError(msg)
        with self._lock:
            self._now += delta
            self._wake_those_due()
            return self._now

    def set(self, moment: datetime) -> None:
        """Move forward to ``moment`` and wake whoever is due.

        Raises:
            ValueError: ``moment`` has no time zone, or is before the present time.
        """
        moment = _as_utc(moment)
        with self._lock:
            if moment < self._now:
                msg = f"a clock at {self._now.isoformat()} cannot be set to {moment.isoformat()}: time never goes backwards"
                raise ValueError(msg)
            self._now = moment
            self._wake_those_due()

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was moved ``seconds`` further; zero and less only let others run."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._lock:
            due = self._now + timedelta(seconds=seconds)
            heapq.heappush(self._sleepers, (due, next(self._order), woken))
        await woken

    def _wake_those_due(self) -> None:
        while self._sleepers and self._sleepers[0][0] <= self._now:
            _, _, woken = heapq.heappop(self._sleepers)
            with contextlib.suppress(RuntimeError):  # its event loop is closed, so nobody waits any more
                woken.get_loop().call_soon_threadsafe(_wake, woken)

    def _forget_those_who_left(self) -> None:
        while self._sleepers and (self._sleepers[0][2].done() or self._sleepers[0][2].get_loop().is_closed()):
            heapq.heappop(self._sleepers)


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)


def _as_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        msg = f"{moment.isoformat()} has no time zone; say datetime(..., tzinfo=UTC)"
        raise ValueError(msg)
    return moment.astimezone(UTC)
