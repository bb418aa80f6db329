"""Faults of fences, and of going on with the next work item."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from msgspec.structs import replace

from workflows_core.adapters.memory import InMemoryWorkflowStore, MemoryState
from workflows_core.adapters.memory.rows import WorkRow
from workflows_core.ports.store import Committed, Held, LeaseLost, Write, WriteResult
from workflows_testing.conformance.store_fences import FenceRules
from workflows_testing.conformance.store_leases import LeaseRules
from workflows_testing.conformance.store_limits import LimitRules
from workflows_testing.faulty.fault import ChangesWrites, Fault, with_store

__all__ = ["FAULTS"]


def _work(memory: MemoryState, write: Write) -> WorkRow | None:
    """The work item under which a write is made."""
    row = memory.instances.get(write.transition.state.id.int)
    return row.work.get(write.held.number) if row is not None and write.held is not None else None


class Refuses(InMemoryWorkflowStore):
    """Refuses writes that it should not refuse."""

    def refuses(self, write: Write) -> bool:
        """Whether it refuses a write."""
        return write.held is not None

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        results: list[WriteResult] = []
        for write in writes:
            results += [LeaseLost()] if self.refuses(write) else await super().commit([write])
        return results


class RefusesEndedLeases(Refuses):
    def refuses(self, write: Write) -> bool:
        work = _work(self.memory, write)
        return work is not None and not work.is_held(self.memory.clock.now())


class RefusesWhenTimeIsOver(Refuses):
    def refuses(self, write: Write) -> bool:
        work = _work(self.memory, write)
        return work is not None and work.is_over(self.memory.clock.now())


class RefusesWhatWasTakenOver(Refuses):
    """Takes whoever had an earlier claim for the holder of none."""

    def refuses(self, write: Write) -> bool:
        work = _work(self.memory, write)
        return work is not None and work.attempt > 1


class WantsTheFence(Refuses):
    def refuses(self, write: Write) -> bool:
        row = self.memory.instances.get(write.transition.state.id.int)
        now = self.memory.clock.now()
        return row is not None and write.held is None and any(work.is_held(now) for work in row.work.values())


class ChangesFences(InMemoryWorkflowStore):
    """Tells other fences than it gave."""

    def fences(self, write: Write, fences: dict[int, int]) -> dict[int, int]:
        """What it tells."""
        return {number: fence - 1 for number, fence in fences.items()}

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        return [
            Committed(result.at, self.fences(write, result.fences)) if isinstance(result, Committed) else result
            for write, result in zip(writes, await super().commit(writes), strict=True)
        ]


class TellsEveryFence(ChangesFences):
    def fences(self, write: Write, fences: dict[int, int]) -> dict[int, int]:
        return dict.fromkeys(write.transition.work, 1) | fences


class KeepsTheOldLease(InMemoryWorkflowStore):
    """Going on with the next work item does not extend the lease."""

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        until = {work: work.lease_until for row in self.memory.instances.values() for work in row.work.values()}
        results = await super().commit(writes)
        for write in writes:
            work, ends = _work(self.memory, write), None
            if work is not None:
                ends = until.get(work)
            if work is not None and ends is not None and write.take and work.worker is not None:
                left = (ends - self.memory.clock.now()).total_seconds()
                self.memory.backlog.withdraw(work)
                self.memory.backlog.hold(work, work.worker, self.memory.clock.now(), left)
        return results


class TakesAsDueNow(InMemoryWorkflowStore):
    """Takes what it takes for due since then."""

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        results = await super().commit(writes)
        for write in writes:
            row = self.memory.instances.get(write.transition.state.id.int)
            taken = [] if row is None else [row.work[number] for number in write.take if number in row.work]
            for work in taken:
                work.due = self.memory.clock.now()
        return results


def _forget_fence(_memory: MemoryState, write: Write) -> Write:
    return replace(write, held=None)


def _forget_further(_memory: MemoryState, write: Write) -> Write:
    return replace(write, also_held=())


def _forget_missing(memory: MemoryState, write: Write) -> Write:
    return write if _work(memory, write) is not None else replace(write, held=None)


def _with_fence_of_the_store(memory: MemoryState, write: Write) -> Write:
    work = _work(memory, write)
    if work is None or write.held is None:
        return write
    return replace(write, held=Held(write.held.number, work.fence, write.held.worker))


def _with_worker_of_the_store(memory: MemoryState, write: Write) -> Write:
    work = _work(memory, write)
    if work is None or write.held is None:
        return write
    return replace(write, held=Held(write.held.number, write.held.fence, work.worker or ""))


def _take_nothing(_memory: MemoryState, write: Write) -> Write:
    return replace(write, take=())


def _take_everything(_memory: MemoryState, write: Write) -> Write:
    return replace(write, take=tuple(write.transition.work), worker=write.worker or "nobody")


def _take_for_ever(_memory: MemoryState, write: Write) -> Write:
    return replace(write, lease_s=1e9)


FAULTS: Final[tuple[Fault, ...]] = (
    with_store(Refuses, "refuses every write under a fence", FenceRules),
    with_store(RefusesEndedLeases, "refuses the newest fence once its lease has ended", FenceRules),
    with_store(RefusesWhenTimeIsOver, "refuses a holder whose time is over", LimitRules),
    with_store(RefusesWhatWasTakenOver, "refuses whoever took work over", FenceRules, LimitRules),
    with_store(WantsTheFence, "refuses writes without a fence while work is held", FenceRules),
    with_store(ChangesFences, "tells a fence that is too low", FenceRules),
    with_store(TellsEveryFence, "tells fences of work that was not taken", FenceRules),
    with_store(TakesAsDueNow, "takes what was taken for due since then", FenceRules),
    with_store(KeepsTheOldLease, "does not extend the lease of a worker that goes on", FenceRules),
    with_store(partial(ChangesWrites, change=_forget_fence), "forgets the fence", FenceRules, LeaseRules, LimitRules),
    with_store(partial(ChangesWrites, change=_forget_further), "looks at the first fence only", FenceRules),
    with_store(partial(ChangesWrites, change=_forget_missing), "lets write for work that is gone", FenceRules),
    with_store(partial(ChangesWrites, change=_with_fence_of_the_store), "looks at the worker only", FenceRules),
    with_store(partial(ChangesWrites, change=_with_worker_of_the_store), "looks at the number only", FenceRules),
    with_store(partial(ChangesWrites, change=_take_nothing), "does not take what follows", FenceRules, LeaseRules),
    with_store(partial(ChangesWrites, change=_take_everything), "takes what was not to be taken", FenceRules),
    with_store(partial(ChangesWrites, change=_take_for_ever), "takes for ever", FenceRules),
)
