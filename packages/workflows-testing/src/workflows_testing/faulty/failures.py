"""Faults of queries for failures: phases, parked instances, ends, stalls, and the limits of work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace

from workflows_core.adapters.memory import InMemoryWorkflowQueries, InMemoryWorkflowStore, MemoryState
from workflows_core.adapters.memory.rows import InstanceRow
from workflows_core.domain.transition import WorkKind
from workflows_core.domain.types import Parking, Phase, WorkflowStatus
from workflows_core.ports.queries import InstanceFilter, InstanceRecord, Page, PageRequest, WorkRecord
from workflows_core.ports.store import Write, WriteResult
from workflows_testing.conformance.queries_failures import FailureRules
from workflows_testing.faulty.fault import Fault, with_queries, with_store
from workflows_testing.faulty.history import ChangesWork
from workflows_testing.faulty.instances import ChangesRecords, CountsDifferently
from workflows_testing.faulty.paging import ChangesLists

__all__ = ["FAULTS"]


class FindsMoreStalls(InMemoryWorkflowQueries):
    """Finds other instances stalled."""

    def __init__(self, memory: MemoryState, finds: Callable[[InstanceRow], bool]) -> None:
        super().__init__(memory)
        self._finds = finds

    async def find_stalled(self, *, limit: int = 100) -> Sequence[UUID]:
        rows = [row for row in self._memory.instances.values() if not row.state.status.is_final and self._finds(row)]
        return [row.state.id for row in rows][:limit]


class ListsExpiredEarly(InMemoryWorkflowQueries):
    """Lists work as expired before anybody was told."""

    async def list_work(self, instance_id: UUID) -> Sequence[WorkRecord]:
        now = self._memory.clock.now()

        def shown(record: WorkRecord) -> WorkRecord:
            if record.timeout_at is None or record.timeout_at > now:
                return record
            return replace(record, item=replace(record.item, kind=WorkKind.EXPIRE))

        return [shown(record) for record in await super().list_work(instance_id)]


class EndsDifferently(InMemoryWorkflowStore):
    """Keeps another end of an instance."""

    __slots__ = ("_end",)

    def __init__(self, memory: MemoryState, end: Callable[[InstanceRow, datetime | None], datetime | None]) -> None:
        super().__init__(memory)
        self._end = end

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        before = {row: row.completed_at for row in self.memory.instances.values()}
        results = await super().commit(writes)
        for row, completed_at in before.items():
            row.completed_at = self._end(row, completed_at)
        return results


def _listed(change: Callable[[InstanceRecord], InstanceRecord]) -> Callable[[MemoryState], ChangesLists]:
    def changed(page: Page[Any]) -> Page[Any]:
        return replace(page, items=tuple(map(change, page.items)))

    return lambda memory: ChangesLists(memory, result=changed)


def _record(**changes: Any) -> Callable[[MemoryState], ChangesRecords]:
    return partial(ChangesRecords, change=lambda record: replace(record, **changes))


def _work(change: Callable[[WorkRecord], WorkRecord]) -> Callable[[MemoryState], ChangesWork]:
    return partial(ChangesWork, change=lambda found: [change(record) for record in found])


def _as_written(record: WorkRecord) -> WorkRecord:
    return replace(record, item=replace(record.item, kind=WorkKind.RUN))


def _failed_only(where: InstanceFilter) -> InstanceFilter:
    """Takes parked for failed."""
    if not where.is_parked:
        return where
    return replace(where, is_parked=None, statuses=(WorkflowStatus.FAILED,))


def _parked_or_all(where: InstanceFilter) -> InstanceFilter:
    return replace(where, is_parked=where.is_parked or None)


def _never_none(page: PageRequest) -> PageRequest:
    return replace(page, with_total=False)


FAULTS: Final[tuple[Fault, ...]] = (
    *(
        with_queries(build, name, FailureRules)
        for build, name in (
            (_record(phase=Phase.NORMAL), "tells no phase"),
            (_record(phase=Phase.CANCELING), "tells another phase"),
            (_record(parked=None), "does not tell that an instance is parked"),
            (_record(parked=Parking.DEAD_LETTER), "tells that every instance is parked"),
            (_listed(lambda record: replace(record, parked=None)), "lists parked instances as others"),
            (_listed(lambda record: replace(record, phase=Phase.NORMAL)), "lists no phase"),
            (lambda memory: ChangesLists(memory, page=_never_none), "does not count parked instances"),
            (lambda memory: ChangesLists(memory, instances=_parked_or_all), "lists all for those that are not parked"),
            (lambda memory: ChangesLists(memory, instances=_failed_only), "takes failed instances for parked ones"),
            (partial(CountsDifferently, change=_parked_or_all), "counts all for those that are not parked"),
            (partial(CountsDifferently, change=_failed_only), "counts failed instances for parked ones"),
            (
                partial(FindsMoreStalls, finds=lambda row: not any(row.work) and not row.open_tasks),
                "takes what is parked for a stall",
            ),
            (
                partial(FindsMoreStalls, finds=lambda row: row.state.parked is None and not row.work),
                "takes a deadline for work",
            ),
            (
                partial(FindsMoreStalls, finds=lambda row: all(work.due is None for work in row.work.values())),
                "takes what is never due for a stall",
            ),
            (_work(lambda record: replace(record, timeout_at=None)), "lists no limits"),
            (_work(lambda record: replace(record, timeout_at=record.due_at)), "lists the due time for the limit"),
            (_work(lambda record: replace(record, crashes=0)), "lists no crashes"),
            (_work(lambda record: replace(record, crashes=record.attempt)), "lists attempts for crashes"),
            (_work(_as_written), "lists expired work as it was written"),
            (ListsExpiredEarly, "lists work as expired before anybody was told"),
        )
    ),
    with_store(
        partial(EndsDifferently, end=lambda row, before: before or row.completed_at),
        "keeps the first end",
        FailureRules,
    ),
    with_store(
        partial(EndsDifferently, end=lambda row, _before: row.updated_at if row.state.status.is_final else None),
        "ends an instance again that is given up",
        FailureRules,
    ),
)
