"""Work that a worker holds in the store although it does not run it: it has to be given back."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from workflows_core.engine.holding import Holding
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.leases import Lease
from workflows_core.ports.store import WorkflowStore

__all__ = ["Leftovers"]


class Leftovers:
    """What one worker has to give back.

    Attributes:
        unfinished: Begun, and ended without a commit.
        untouched: Never begun.
        postponed: Not begun yet, because something else has to end first.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.unfinished: set[Lease] = set()
        self.untouched: set[Lease] = set()
        self.postponed: set[Lease] = set()
        self._maybe_taken: set[WorkRef] = set()
        self._strays: set[Lease] = set()

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.unfinished or self.untouched or self.postponed or self._maybe_taken)

    def leave(self, holding: Holding) -> None:
        """Note what ended without a commit, or with one of which the answer never came: then the store may hold the next one instead."""
        self.unfinished.add(holding.lease)
        if holding.taking is not None:
            self._maybe_taken.add(holding.taking)

    def note_claim(self, ref: WorkRef) -> None:
        """Note that a work item has been claimed since: what a commit may have taken of it before is over."""
        self._maybe_taken.discard(ref)

    async def give_back(self, store: WorkflowStore, worker: str, *, lease_s: float, delay_s: float) -> None:
        """Give all of it back.

        Args:
            store: Where it is held.
            worker: By whom.
            lease_s: Seconds for which leases are extended, if the store has to be asked what is held.
            delay_s: Seconds before it may be claimed again; what is only untouched may be at once.

        Raises:
            InfrastructureError: The store does not answer; the work stays noted.
        """
        if self._maybe_taken:
            held = await store.renew(worker, lease_s)
            self.unfinished |= {lease for lease in held if lease.ref in self._maybe_taken}
            self._maybe_taken.clear()
        for leases, pause_s, untouched in (
            (self.untouched, 0.0, True),
            (self.postponed, delay_s, True),
            (self.unfinished, delay_s, False),
        ):
            if leases:
                given = tuple(leases)
                await store.release(worker, given, delay_s=pause_s, untouched=untouched)
                leases.difference_update(given)

    def note_strays(self, held: AbstractSet[Lease], *, expects_more: bool) -> None:
        """Find what the store holds for the worker although nobody runs it: the answer to a claim or to a commit was lost.

        It is given back if it was so at two renewals in a row.

        Args:
            held: What the store holds and the worker does not run.
            expects_more: The answer to a claim or to a commit is still to come.
        """
        strays: set[Lease] = set() if expects_more else {*held} - self.unfinished - self.untouched - self.postponed
        self.unfinished |= strays & self._strays
        self._strays = strays - self.unfinished
