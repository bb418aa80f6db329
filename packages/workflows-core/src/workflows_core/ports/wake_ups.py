"""Port: something that wakes workers when there may be work for them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Protocol, runtime_checkable

__all__ = ["WakeUps"]


@runtime_checkable
class WakeUps(Protocol):
    """The other end of an executor, where hints arrive: in this process, from whichever process gave them.

    Workers subscribe to the executor of their engine if it also is one of these. It carries hints only: a wake-up may be lost, doubled or
    without reason, and workers look for themselves as well.
    """

    @abstractmethod
    def subscribe(self, wake: Callable[[], None], *, queues: frozenset[str] | None = None) -> Callable[[], None]:
        """Call ``wake`` whenever there may be work in one of these queues; None means any queue.

        Must be called in a running event loop, in which ``wake`` is called too. Connections are made from now on, in the background:
        no error reaches the caller, and whoever cannot be reached is tried again until the subscription ends.

        Returns:
            A function that ends the subscription; a second call does nothing.
        """

    @property
    @abstractmethod
    def is_proven(self) -> bool:
        """Whether hints are known to arrive at present; while they are not, workers look for themselves more often."""

    @abstractmethod
    async def close(self) -> None:
        """End all subscriptions and give back connections. A second call does nothing."""
