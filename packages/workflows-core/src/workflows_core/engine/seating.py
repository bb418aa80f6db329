"""A seat for the step that follows from a request: it is written as claimed, so that nobody has to claim it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from workflows_core.domain.state import InstanceState
from workflows_core.domain.transition import Transition, WorkItem
from workflows_core.engine.following import following_of
from workflows_core.engine.programs import LoadedProgram
from workflows_core.engine.seats import Offer, Seat, Seats
from workflows_core.ports.store import Claim, Committed, WriteResult

__all__ = ["Seating"]


class Seating:
    """Keeps a slot of a worker of this process for what follows from one request, until that is committed.

    Args:
        seats: The slots.
    """

    __slots__ = ("_item", "_offers", "_seat", "_seats")

    def __init__(self, seats: Seats) -> None:
        self._seats = seats
        self._offers: Sequence[Offer] = seats.offers
        self._item: WorkItem | None = None
        self._seat: Seat | None = None

    @property
    def take(self) -> tuple[int, ...]:
        """Number of the work item that is to be written as claimed; none if nobody keeps a slot for it."""
        return () if self._item is None else (self._item.number,)

    @property
    def worker(self) -> str:
        """Who keeps a slot for it; empty for nobody."""
        return "" if self._seat is None else self._seat.worker

    @property
    def lease_s(self) -> float:
        """Seconds for which it is to be leased."""
        return 0.0 if self._seat is None else self._seat.lease_s

    def keep(self, loaded: LoadedProgram, transition: Transition) -> None:
        """Keep a slot for what follows from a transition, instead of the one that was kept for another transition."""
        self._leave()
        if self._offers:
            self._item = following_of(loaded, transition, 0, self._find)

    async def commit(
        self, commit: Callable[[], Awaitable[WriteResult]], state: Callable[[], InstanceState]
    ) -> WriteResult:
        """Commit the request, and begin the step that was written as claimed.

        Args:
            commit: Commits it; may have a slot kept anew while it waits for others.
            state: The state that was committed.
        """
        if not self._offers:
            return await commit()
        # In a task of its own: what was claimed is run also if the caller gives up waiting.
        return await asyncio.shield(self._seats.see_through(self._commit(commit, state)))

    async def _commit(
        self, commit: Callable[[], Awaitable[WriteResult]], state: Callable[[], InstanceState]
    ) -> WriteResult:
        try:
            result = await commit()
            item, seat = self._item, self._seat
            if isinstance(result, Committed) and item is not None and seat is not None and item.number in result.fences:
                seat.begin(Claim(item, state(), result.fences[item.number], 1, result.at))
            return result
        finally:
            self._leave()

    def _find(self, item: WorkItem) -> bool:
        for offer in self._offers:
            self._seat = offer(item)
            if self._seat is not None:
                return True
        return False

    def _leave(self) -> None:
        if self._seat is not None:
            self._seat.leave()
        self._item = self._seat = None
