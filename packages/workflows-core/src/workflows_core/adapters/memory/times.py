"""Moments that lie some seconds ahead."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

__all__ = ["LAST_MOMENT", "moment_after", "moment_of"]

LAST_MOMENT: Final = datetime.max.replace(tzinfo=UTC)


@lru_cache(maxsize=256)
def _span(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def moment_after(now: datetime, seconds: float) -> datetime:
    """The moment so many seconds from now, to the microsecond; the last one that can be told where that is too far."""
    try:
        return now + _span(seconds)
    except OverflowError:
        return LAST_MOMENT


def moment_of(now: datetime, seconds: float | None, moment: datetime | None) -> datetime | None:
    """A moment in UTC that is given as such or as seconds from now; the former wins. None for neither, and for infinity."""
    if moment is not None:
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            return LAST_MOMENT
    if seconds is None or seconds == math.inf:
        return None
    return moment_after(now, seconds) if seconds > 0.0 else now
