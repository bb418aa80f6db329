"""Faults of leases: keeping, giving back, and when the next is due."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from workflows_core.adapters.memory import InMemoryWorkflowStore, MemoryState
from workflows_core.adapters.memory.rows import WorkRow
from workflows_core.ports.leases import Lease
from workflows_core.ports.store import Claim, ClaimRequest
from workflows_testing.conformance.store_leases import LeaseRules
from workflows_testing.conformance.store_limit_choices import LimitChoiceRules
from workflows_testing.faulty.fault import Fault, with_store

__all__ = ["FAULTS"]


class RenewsNothing(InMemoryWorkflowStore):
    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        return set()


class RevivesLeases(InMemoryWorkflowStore):
    """Renews leases that have ended, as long as nobody else claimed the work."""

    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        now = self.memory.clock.now()
        rows = [work for row in self.memory.instances.values() for work in row.work.values() if work.worker == worker]
        for work in rows:
            self.memory.backlog.withdraw(work)
            self.memory.backlog.hold(work, worker, now, lease_s)
            work.fence -= 1
        return {work.lease for work in rows}


class RenewsForEverybody(InMemoryWorkflowStore):
    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        workers = {work.worker for row in self.memory.instances.values() for work in row.work.values()}
        held = [await super(RenewsForEverybody, self).renew(other, lease_s) for other in workers if other is not None]
        return set().union(*held)


class RenewalRaisesTheFence(InMemoryWorkflowStore):
    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        held = await super().renew(worker, lease_s)
        for lease in held:
            self.memory.instances[lease.instance_id.int].work[lease.number].fence += 1
        return held


class RemembersEverything(InMemoryWorkflowStore):
    """Takes whatever a worker ever claimed for held by it."""

    __slots__ = ("_claimed",)

    def __init__(self, memory: MemoryState) -> None:
        super().__init__(memory)
        self._claimed: set[Lease] = set()

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        claims = await super().claim(request)
        self._claimed |= {claimed.lease for claimed in claims}
        return claims

    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        return self._claimed | await super().renew(worker, lease_s)


class StumblesWithoutClaims(InMemoryWorkflowStore):
    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        held = await super().renew(worker, lease_s)
        if not held:
            msg = "no rows"
            raise LookupError(msg)
        return held


class ReleasesNothing(InMemoryWorkflowStore):
    async def release(
        self, worker: str, leases: Sequence[Lease], *, delay_s: float = 0.0, untouched: bool = False
    ) -> None:
        return


class ReleasesWithoutDelay(InMemoryWorkflowStore):
    async def release(
        self, worker: str, leases: Sequence[Lease], *, delay_s: float = 0.0, untouched: bool = False
    ) -> None:
        await super().release(worker, leases, untouched=untouched)


class ReleasesAnyones(InMemoryWorkflowStore):
    async def release(
        self, worker: str, leases: Sequence[Lease], *, delay_s: float = 0.0, untouched: bool = False
    ) -> None:
        for lease in leases:
            work = _work(self.memory, lease)
            if work is not None and work.worker is not None:
                await super().release(work.worker, [lease], delay_s=delay_s, untouched=untouched)


class ReleasesLaterClaims(InMemoryWorkflowStore):
    """Gives back whatever the worker holds of a work item, whichever of its claims is named."""

    async def release(
        self, worker: str, leases: Sequence[Lease], *, delay_s: float = 0.0, untouched: bool = False
    ) -> None:
        newest = [work.lease for lease in leases if (work := _work(self.memory, lease)) is not None]
        await super().release(worker, newest, delay_s=delay_s, untouched=untouched)


class RenewsUnderOldFences(InMemoryWorkflowStore):
    """Says that a worker holds the first lease that it ever had."""

    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        return {lease._replace(fence=1) for lease in await super().renew(worker, lease_s)}


class ReleasesAllOfTheWorker(InMemoryWorkflowStore):
    async def release(
        self, worker: str, leases: Sequence[Lease], *, delay_s: float = 0.0, untouched: bool = False
    ) -> None:
        held = list(await self.renew(worker, 30))
        await super().release(worker, held, delay_s=delay_s, untouched=untouched)


class ReleaseUndoesTheClaim(InMemoryWorkflowStore):
    """A release takes back the fence and the attempt."""

    async def release(
        self, worker: str, leases: Sequence[Lease], *, delay_s: float = 0.0, untouched: bool = False
    ) -> None:
        await super().release(worker, leases, delay_s=delay_s, untouched=untouched)
        for lease in leases:
            work = _work(self.memory, lease)
            if work is not None:
                work.fence -= 1
                work.attempt -= 1


class StumblesOverUnknownWork(InMemoryWorkflowStore):
    async def release(
        self, worker: str, leases: Sequence[Lease], *, delay_s: float = 0.0, untouched: bool = False
    ) -> None:
        for lease in leases:
            _ = self.memory.instances[lease.instance_id.int].work[lease.number]
        await super().release(worker, leases, delay_s=delay_s, untouched=untouched)


class CountsEveryRelease(InMemoryWorkflowStore):
    """Takes what was not begun for an attempt."""

    async def release(
        self, worker: str, leases: Sequence[Lease], *, delay_s: float = 0.0, untouched: bool = False
    ) -> None:
        await super().release(worker, leases, delay_s=delay_s)


class ChangesTheDue(InMemoryWorkflowStore):
    """Tells another due time."""

    __slots__ = ("_change",)

    def __init__(self, memory: MemoryState, change: Callable[[float | None], float | None]) -> None:
        super().__init__(memory)
        self._change = change

    async def next_due(
        self,
        *,
        queues: frozenset[str] | None = None,
        codes: frozenset[str] | None = None,
        without: frozenset[str] = frozenset(),
    ) -> float | None:
        return self._change(await super().next_due(queues=queues, codes=codes, without=without))


class DueOfAllQueues(InMemoryWorkflowStore):
    async def next_due(
        self,
        *,
        queues: frozenset[str] | None = None,
        codes: frozenset[str] | None = None,
        without: frozenset[str] = frozenset(),
    ) -> float | None:
        return await super().next_due(codes=codes, without=without)


class DueOfAllCodes(InMemoryWorkflowStore):
    async def next_due(
        self,
        *,
        queues: frozenset[str] | None = None,
        codes: frozenset[str] | None = None,
        without: frozenset[str] = frozenset(),
    ) -> float | None:
        return await super().next_due(queues=queues, without=without)


class DueOfAllSteps(InMemoryWorkflowStore):
    async def next_due(
        self,
        *,
        queues: frozenset[str] | None = None,
        codes: frozenset[str] | None = None,
        without: frozenset[str] = frozenset(),
    ) -> float | None:
        return await super().next_due(queues=queues, codes=codes)


class DueWithoutHeld(InMemoryWorkflowStore):
    """Forgets that held work comes back."""

    def is_counted(self, work: WorkRow) -> bool:
        """Whether a work item counts."""
        return not work.is_held(self.memory.clock.now())

    async def next_due(
        self,
        *,
        queues: frozenset[str] | None = None,
        codes: frozenset[str] | None = None,
        without: frozenset[str] = frozenset(),
    ) -> float | None:
        now = self.memory.clock.now()
        rows = [work for row in self.memory.instances.values() for work in row.work.values() if self.is_counted(work)]
        moments = [(work.due - now).total_seconds() for work in rows if work.due is not None]
        return min(moments, default=None)


class DueOfTheLast(DueWithoutHeld):
    async def next_due(
        self,
        *,
        queues: frozenset[str] | None = None,
        codes: frozenset[str] | None = None,
        without: frozenset[str] = frozenset(),
    ) -> float | None:
        now = self.memory.clock.now()
        rows = [work for row in self.memory.instances.values() for work in row.work.values()]
        return max(((work.due - now).total_seconds() for work in rows if work.due is not None), default=None)


def _work(memory: MemoryState, lease: Lease) -> WorkRow | None:
    row = memory.instances.get(lease.instance_id.int)
    return None if row is None else row.work.get(lease.number)


FAULTS: Final[tuple[Fault, ...]] = (
    with_store(RenewsNothing, "renews nothing", LeaseRules),
    with_store(RevivesLeases, "renews what has ended", LeaseRules),
    with_store(RenewsForEverybody, "renews for all workers", LeaseRules),
    with_store(RenewalRaisesTheFence, "raises the fence by a renewal", LeaseRules),
    with_store(RemembersEverything, "takes finished work for held", LeaseRules),
    with_store(StumblesWithoutClaims, "cannot renew nothing", LeaseRules, crashes=True),
    with_store(ReleasesNothing, "does not release", LeaseRules),
    with_store(ReleasesWithoutDelay, "releases without the delay", LeaseRules),
    with_store(ReleasesAnyones, "releases what others hold", LeaseRules),
    with_store(ReleasesLaterClaims, "releases what the worker has claimed again", LeaseRules),
    with_store(RenewsUnderOldFences, "tells old fences of what is held", LeaseRules),
    with_store(ReleasesAllOfTheWorker, "releases everything of a worker", LeaseRules),
    with_store(ReleaseUndoesTheClaim, "undoes the claim by a release", LeaseRules),
    with_store(CountsEveryRelease, "counts what was not begun", LeaseRules),
    with_store(StumblesOverUnknownWork, "cannot release what is not there", LeaseRules, crashes=True),
    with_store(partial(ChangesTheDue, change=lambda _due: 0.0), "always has something due", LeaseRules),
    with_store(partial(ChangesTheDue, change=lambda _due: None), "never has anything due", LeaseRules),
    with_store(
        partial(ChangesTheDue, change=lambda due: None if due is None else max(due, 1.0)),
        "has nothing due at once",
        LeaseRules,
    ),
    with_store(DueOfAllQueues, "looks at all queues for what is due", LeaseRules, LimitChoiceRules),
    with_store(DueOfAllCodes, "looks at all workflows for what is due", LeaseRules, LimitChoiceRules),
    with_store(DueOfAllSteps, "looks at all steps for what is due", LeaseRules, LimitChoiceRules),
    with_store(DueWithoutHeld, "forgets held work in what is due", LeaseRules),
    with_store(DueOfTheLast, "tells the last due time", LeaseRules),
)
