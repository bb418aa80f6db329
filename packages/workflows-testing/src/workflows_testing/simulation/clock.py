"""The time of a simulation, as a port."""

from __future__ import annotations

from datetime import datetime, timedelta

from workflows_core.ports.clock import Clock
from workflows_testing.clock import DEFAULT_START
from workflows_testing.simulation.loop import SimulatedLoop

__all__ = ["VirtualClock"]


class VirtualClock(Clock):
    """Tells the time of a simulated loop, to the microsecond: timers of the loop and moments of a store agree exactly."""

    def __init__(self, loop: SimulatedLoop, start: datetime = DEFAULT_START) -> None:
        """Make a clock.

        Args:
            loop: Whose time it tells.
            start: The moment at which that loop's time is 0; aware.
        """
        self._loop = loop
        self._start = start

    def now(self) -> datetime:
        """The virtual time."""
        return self._start + timedelta(microseconds=self._loop.now_us)
