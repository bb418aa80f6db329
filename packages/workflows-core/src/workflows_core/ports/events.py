"""Port: who else hears what happened."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from workflows_core.domain.events import RecordedEvent

__all__ = ["EventPublisher"]


class EventPublisher(Protocol):
    """Receives the events of each transition after its commit. A hint: what must not be lost reads the stored events."""

    @abstractmethod
    async def publish(self, events: Sequence[RecordedEvent]) -> None:
        """Pass on the events of one transition, in their order.

        Called after the commit. Calls for transitions that follow each other closely may overlap, so whoever needs the order of an
        instance's events goes by their revision and position. An error in a listener must not reach the caller: the transition has
        happened.
        """
