"""The computer's clock."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from workflows_core.ports.clock import Clock

__all__ = ["SystemClock"]


class SystemClock(Clock):
    """The time of the operating system; where that is set back, the time stands still until it has caught up.

    May be used from several threads.
    """

    __slots__ = ("_latest", "_lock")

    def __init__(self) -> None:
        self._latest = datetime.min.replace(tzinfo=UTC)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        moment = datetime.now(UTC)
        with self._lock:
            if moment < self._latest:
                return self._latest
            self._latest = moment
            return moment
