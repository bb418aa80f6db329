"""Slots of the workers of this process: a step that is about to be written can be written as claimed for one of them."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from workflows_core.domain.transition import WorkItem
from workflows_core.ports.store import Claim, WriteResult

__all__ = ["Offer", "Seat", "Seats", "Slot"]


class Seat(ABC):
    """A slot that is kept free for a step.

    Attributes:
        worker: Whose slot it is.
        lease_s: Seconds for which the step is to be leased, counted from when the seat was taken.
    """

    worker: str
    lease_s: float

    @abstractmethod
    def begin(self, claim: Claim) -> None:
        """Run the step, which was written as claimed."""

    @abstractmethod
    def leave(self) -> None:
        """Give the slot up; does nothing once it is used or given up."""


class Slot(Seat):
    """A slot of one worker.

    Args:
        worker: Id of the worker.
        lease_s: Seconds of its leases.
        sent: When the seat was taken, by the worker's clock.
        begin: Runs a claim.
        unseat: Told when the seat is used or given up.
    """

    def __init__(
        self,
        worker: str,
        lease_s: float,
        sent: float,
        begin: Callable[[Claim, float], object],
        unseat: Callable[[Slot], None],
    ) -> None:
        self.worker = worker
        self.lease_s = lease_s
        self._sent = sent
        self._begin = begin
        self._unseat = unseat

    def begin(self, claim: Claim) -> None:
        """Run the step in the slot."""
        self._unseat(self)
        self._begin(claim, self._sent)

    def leave(self) -> None:
        """Let others have the slot."""
        self._unseat(self)


Offer: TypeAlias = Callable[[WorkItem], Seat | None]
"""Keeps a slot free for a work item; None if there is none, or if the worker does not take it."""


class Seats:
    """The slots of all workers of an engine."""

    def __init__(self) -> None:
        self._offers: list[Offer] = []
        self._under_way: set[asyncio.Task[WriteResult]] = set()

    @property
    def offers(self) -> tuple[Offer, ...]:
        """The workers that can be asked for a slot."""
        return tuple(self._offers)

    def add(self, offer: Offer) -> Callable[[], None]:
        """Ask a worker too.

        Returns:
            A function that ends it.
        """
        self._offers.append(offer)

        def end() -> None:
            if offer in self._offers:
                self._offers.remove(offer)

        return end

    def see_through(self, commit: Coroutine[Any, Any, WriteResult]) -> asyncio.Task[WriteResult]:
        """Let a commit for which a slot is kept run to its end, whoever waits for it."""
        task = asyncio.get_running_loop().create_task(commit)
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[WriteResult]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # told to the caller, if he still waits
