"""The write side of the memory store."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from workflows_core.adapters.memory.backlog import Selection
from workflows_core.adapters.memory.rows import InstanceRow, WorkRow
from workflows_core.adapters.memory.state import MemoryState
from workflows_core.adapters.memory.times import moment_of
from workflows_core.adapters.memory.writing import apply
from workflows_core.domain.graph import WorkflowGraph
from workflows_core.domain.state import ROOT, InstanceState
from workflows_core.domain.transition import WorkKind
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.leases import Lease, LeaseKeeper
from workflows_core.ports.store import Claim, ClaimRequest, Committed, Loaded, WorkflowStore, Write, WriteResult
from workflows_core.ports.turns import Turns

__all__ = ["InMemoryLeaseKeeper", "InMemoryWorkflowStore"]


class InMemoryWorkflowStore(WorkflowStore):
    """Keeps everything in memory, as durable as its process.

    No call waits for anything, so each is over before the event loop does something else; a lock keeps the threads of other
    event loops out meanwhile.

    Args:
        memory: What it keeps; share it with an `InMemoryWorkflowQueries`. A new one with the computer's clock unless given.
    """

    __slots__ = ("_turns", "memory")

    def __init__(self, memory: MemoryState | None = None) -> None:
        self.memory = memory if memory is not None else MemoryState()
        self._turns = Turns()

    async def check(self) -> None:
        return

    async def close(self) -> None:
        return

    async def now(self) -> datetime:
        return self.memory.clock.now()

    async def publish(self, graphs: Sequence[WorkflowGraph]) -> None:
        memory = self.memory
        with memory.lock:
            now = memory.clock.now()
            for graph in graphs:
                memory.graphs.setdefault(graph.hash, (graph, now))

    async def graph(self, graph_hash: str) -> WorkflowGraph | None:
        with self.memory.lock:
            found = self.memory.graphs.get(graph_hash)
        return None if found is None else found[0]

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        memory = self.memory
        with memory.lock:
            now = memory.clock.now()
            return [apply(memory, write, now) for write in writes]

    async def committed(self, write: Write) -> Committed | None:
        with self.memory.lock:
            row = self.memory.instances.get(write.transition.state.id.int)
            place = write.transition.base_revision
            if row is None or place >= len(row.writes) or row.writes[place][0] != write.id:
                return None
            taken = [row.work[number] for number in write.take if number in row.work]
            fences = {work.item.number: work.fence for work in taken if _is_held_as_taken(work, write)}
            return Committed(row.writes[place][1], fences)

    async def load(
        self,
        instance_id: UUID,
        *,
        tenant: str | None = None,
        scopes: Collection[int] = (),
        all_items: bool = False,
    ) -> Loaded | None:
        memory = self.memory
        with memory.lock:
            row = memory.instances.get(instance_id.int)
            if row is None or tenant not in (None, row.state.tenant):
                return None
            if all_items and row.items is not None:
                return Loaded(row.items.all_active(row.state), memory.clock.now())
            return Loaded(_around(row, scopes), memory.clock.now())

    async def item_results(self, instance_id: UUID, first: int, total: int) -> list[bytes]:
        with self.memory.lock:
            row = self.memory.instances.get(instance_id.int)
            return row.items.results(first, total) if row is not None and row.items is not None else []

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        memory = self.memory
        selection = Selection(request.queues, request.codes, request.without)
        with memory.lock:
            now = memory.clock.now()
            if request.items is None:
                found = memory.backlog.take_due(selection, now, request.limit, self._turns.last(request))
            else:
                found = self._take_those(request.items, selection, now, request.limit)
            claims = [self._claim(work, request, now) for work in found]
            self._turns.go_on(request, claims)
            return claims

    def _claim(self, work: WorkRow, request: ClaimRequest, now: datetime) -> Claim:
        if work.is_over(now):
            work.due, work.limit, work.is_expired = work.limit, None, True
        self.memory.backlog.hold(work, request.worker, now, request.lease_s)
        state = _around(work.instance, (work.item.scope,))
        left_s = None if work.limit is None else (work.limit - now).total_seconds()
        item = replace(work.item, timeout_s=left_s, kind=WorkKind.EXPIRE if work.is_expired else work.item.kind)
        return Claim(item, state, work.fence, work.attempt, now, work.crashes)

    def _take_those(self, refs: Sequence[WorkRef], selection: Selection, now: datetime, limit: int) -> list[WorkRow]:
        """Take the due ones of these work items out of their lanes, in the order of claims."""
        instances, due = self.memory.instances, dict[WorkRef, WorkRow]()
        for ref in refs:
            row = instances.get(ref.instance_id.int)
            work = row.work.get(ref.number) if row is not None else None
            if work is not None and self.memory.backlog.is_claimable(work, selection, now):
                due[ref] = work
        return self.memory.backlog.take_those(sorted(due.values(), key=lambda work: _order(work, now)), now, limit)

    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        memory = self.memory
        with memory.lock:
            return {work.lease for work in memory.backlog.renew(worker, memory.clock.now(), lease_s)}

    def lease_keeper(self) -> LeaseKeeper:
        return InMemoryLeaseKeeper(self)

    async def release(
        self, worker: str, leases: Sequence[Lease], *, delay_s: float = 0.0, untouched: bool = False
    ) -> None:
        memory = self.memory
        with memory.lock:
            now = memory.clock.now()
            for lease in leases:
                row = memory.instances.get(lease.instance_id.int)
                work = row.work.get(lease.number) if row is not None else None
                if work is not None and work.worker == worker and work.fence == lease.fence and work.is_held(now):
                    memory.backlog.withdraw(work)
                    work.worker, work.lease_until = None, None
                    work.due = moment_of(now, delay_s, None)
                    work.attempt -= untouched
                    memory.backlog.enqueue(work, now)

    async def next_due(
        self,
        *,
        queues: frozenset[str] | None = None,
        codes: frozenset[str] | None = None,
        without: frozenset[str] = frozenset(),
    ) -> float | None:
        memory = self.memory
        with memory.lock:
            now = memory.clock.now()
            due = memory.backlog.next_due(Selection(queues, codes, without), now)
        return None if due is None else (due - now).total_seconds()


class InMemoryLeaseKeeper(LeaseKeeper):
    """Renews leases through the store itself, which can be used from any thread.

    Args:
        store: The store.
    """

    __slots__ = ("_store",)

    def __init__(self, store: WorkflowStore) -> None:
        self._store = store

    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        return await self._store.renew(worker, lease_s)

    async def close(self) -> None:
        return


def _is_held_as_taken(work: WorkRow, write: Write) -> bool:
    """Whether a work item is what a transition took, and has not been claimed by anybody since."""
    written = write.transition.work.get(work.item.number)
    return work.item is written and work.worker == write.worker and work.attempt == 1


def _around(row: InstanceRow, scopes: Collection[int]) -> InstanceState:
    """The state with what is around these scopes."""
    if row.items is None or all(scope == ROOT for scope in scopes):
        return row.state
    return row.items.around(row.state, scopes)


def _order(work: WorkRow, now: datetime) -> tuple[int, datetime, int, int]:
    """The order of claims."""
    item = work.item
    moment = work.limit if work.is_over(now) else work.due
    return (-item.priority, moment or now, work.instance.state.id.int, item.number)
