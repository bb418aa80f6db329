"""Port: how ready work reaches a worker."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

__all__ = ["StepExecutor", "WorkRef"]


class WorkRef(NamedTuple):
    """The identity of a work item."""

    instance_id: UUID
    number: int

    def __str__(self) -> str:
        return f"{self.instance_id}:{self.number}"

    @classmethod
    def parse(cls, text: str) -> WorkRef:
        """Read what ``str`` wrote.

        Raises:
            ValueError: The text is something else.
        """
        instance_id, _, number = text.partition(":")
        return cls(UUID(instance_id), int(number))


class StepExecutor(Protocol):
    """Tells workers that work is ready. It carries hints only: the store is the truth, and workers also look for themselves."""

    @abstractmethod
    async def publish(self, items: Sequence[WorkRef], *, queue: str, priority: int = 0) -> None:
        """Make known that work items can be claimed now.

        Called after the commit that made them ready. Losing, doubling or reordering calls changes latency, never an outcome;
        so an adapter may drop a hint, and must not raise for a broker that is down.

        Args:
            items: Work items of one queue.
            queue: Whose workers may take them.
            priority: Higher is more urgent.
        """

    @abstractmethod
    async def close(self) -> None:
        """Send or drop the hints that are left, and give back connections. A second call does nothing."""
