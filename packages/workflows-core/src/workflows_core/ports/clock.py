"""Port: what time it is."""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime
from typing import Protocol

__all__ = ["Clock"]


class Clock(Protocol):
    """Tells the time. Stores have their own clock; this one serves stores that have none, and tests."""

    @abstractmethod
    def now(self) -> datetime:
        """The present moment, aware, in UTC. Two calls may give the same moment; a later call never gives an earlier one."""
