"""Work that a worker holds in the store although it does not run it: it has to be given back."""

from __future__ import annotations

import asyncio
from collections.abc import Set as AbstractSet

from workflows_core.ports.executor import WorkRef
from workflows_core.ports.store import Claim, ClaimRequest, WorkflowStore

__all__ = ["Leftovers"]


class Leftovers:
    """What one worker has to give back; and its claims, because the store knows the worker, and not which of its claims is given back.

    So neither is a claim made while something is given back, nor is what was held before given back once it has been claimed again.

    Attributes:
        unfinished: Begun, and ended without a commit.
        untouched: Never begun.
        postponed: Not begun yet, because something else has to end first.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.unfinished: set[WorkRef] = set()
        self.untouched: set[WorkRef] = set()
        self.postponed: set[WorkRef] = set()
        self._strays: set[WorkRef] = set()
        self._one_by_one = asyncio.Lock()

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.unfinished or self.untouched or self.postponed)

    async def give_back(self, store: WorkflowStore, worker: str, *, delay_s: float) -> None:
        """Give all of it back.

        Args:
            store: Where it is held.
            worker: By whom.
            delay_s: Seconds before it may be claimed again; what is only untouched may be at once.

        Raises:
            InfrastructureError: The store does not answer; the work stays noted.
        """
        async with self._one_by_one:
            for refs, pause_s, untouched in (
                (self.untouched, 0.0, True),
                (self.postponed, delay_s, True),
                (self.unfinished, delay_s, False),
            ):
                if refs:
                    given = tuple(refs)
                    await store.release(worker, given, delay_s=pause_s, untouched=untouched)
                    refs.difference_update(given)

    async def claim(self, store: WorkflowStore, wanted: ClaimRequest) -> list[Claim]:
        """Claim work, by which what is left of earlier claims of it is void.

        Raises:
            InfrastructureError: The store does not answer.
        """
        async with self._one_by_one:
            claims = await store.claim(wanted)
            for refs in (self.unfinished, self.untouched, self.postponed):
                refs.difference_update(claim.ref for claim in claims)
            return claims

    def note_strays(self, held: AbstractSet[WorkRef], *, expects_more: bool) -> None:
        """Find what the store holds for the worker although nobody runs it: the answer to a claim or to a commit was lost.

        It is given back if it was so at two renewals in a row.

        Args:
            held: What the store holds and the worker does not run.
            expects_more: The answer to a claim or to a commit is still to come.
        """
        strays: set[WorkRef] = set() if expects_more else {*held} - self.unfinished - self.untouched - self.postponed
        self.unfinished |= strays & self._strays
        self._strays = strays - self.unfinished
