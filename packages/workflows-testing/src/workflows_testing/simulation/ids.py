"""Identities that depend on a seed alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final
from uuid import UUID

from workflows_core.ports.clock import Clock
from workflows_core.ports.ids import IdGenerator

__all__ = ["SeededIds"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_VERSION_7: Final = 0x7 << 76
_VARIANT: Final = 0x2 << 62


class SeededIds(IdGenerator):
    """Version-7 UUIDs made of a clock's time, a counter and seeded chance: the same in every run."""

    def __init__(self, clock: Clock, random: Random) -> None:
        """Make a generator.

        Args:
            clock: Gives the milliseconds.
            random: Gives the rest; used by nobody else.
        """
        self._clock = clock
        self._random = random
        self._last = 0

    def new(self) -> UUID:
        """The next identity."""
        milliseconds = (self._clock.now() - _EPOCH) // timedelta(milliseconds=1)
        self._last = max(self._last + 1, milliseconds << 12)
        time, counter = self._last >> 12, self._last & 0xFFF
        return UUID(int=(time << 80) | _VERSION_7 | (counter << 64) | _VARIANT | self._random.getrandbits(62))
