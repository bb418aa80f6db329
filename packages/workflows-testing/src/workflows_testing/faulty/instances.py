"""Faults of queries for instances."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace

from workflows_core.adapters.memory import InMemoryWorkflowQueries, MemoryState
from workflows_core.domain.types import WorkflowStatus
from workflows_core.ports.queries import InstanceFilter, InstanceRecord, Page, PageRequest
from workflows_testing.conformance.queries_instances import InstanceRules
from workflows_testing.faulty.fault import Fault, with_queries
from workflows_testing.faulty.paging import PAGING, Build, ChangesLists, SkipsEquals

__all__ = ["FAULTS"]

EPOCH: Final = datetime.fromtimestamp(0, UTC)


class ChangesRecords(InMemoryWorkflowQueries):
    """Tells something else of an instance."""

    def __init__(self, memory: MemoryState, change: Callable[[InstanceRecord], InstanceRecord]) -> None:
        super().__init__(memory)
        self._change = change

    async def get_instance(self, instance_id: UUID, *, tenant: str | None = None) -> InstanceRecord | None:
        record = await super().get_instance(instance_id, tenant=tenant)
        return None if record is None else self._change(record)


class LooksForAnotherTenant(InMemoryWorkflowQueries):
    def __init__(self, memory: MemoryState, change: Callable[[str | None], str | None]) -> None:
        super().__init__(memory)
        self._change = change

    async def get_instance(self, instance_id: UUID, *, tenant: str | None = None) -> InstanceRecord | None:
        return await super().get_instance(instance_id, tenant=self._change(tenant))


class InventsInstances(InMemoryWorkflowQueries):
    async def get_instance(self, instance_id: UUID, *, tenant: str | None = None) -> InstanceRecord | None:
        found = await super().get_instance(instance_id, tenant=tenant)
        return found or InstanceRecord(
            id=instance_id,
            workflow_name="",
            workflow_version="",
            graph_hash="",
            status=WorkflowStatus.PENDING,
            current_step=None,
            tenant_id="",
            created_by=None,
            started_at=EPOCH,
            updated_at=EPOCH,
            completed_at=None,
            error=None,
            revision=0,
        )


class CountsDifferently(InMemoryWorkflowQueries):
    def __init__(self, memory: MemoryState, change: Callable[[InstanceFilter], InstanceFilter]) -> None:
        super().__init__(memory)
        self._change = change

    async def count_instances(self, where: InstanceFilter) -> dict[WorkflowStatus, int]:
        return await super().count_instances(self._change(where))


class CountsAllStatuses(InMemoryWorkflowQueries):
    async def count_instances(self, where: InstanceFilter) -> dict[WorkflowStatus, int]:
        return dict.fromkeys(WorkflowStatus, 0) | await super().count_instances(where)


class StumblesOverNothing(InMemoryWorkflowQueries):
    async def list_instances(self, where: InstanceFilter, page: PageRequest) -> Page[InstanceRecord]:
        found = await super().list_instances(where, page)
        return Page(found.items, found.next_cursor, found.total or None)


class ListsOldestChange(InMemoryWorkflowQueries):
    """Sorts by the start whatever was asked for, and cuts sort keys to milliseconds."""

    async def list_instances(self, where: InstanceFilter, page: PageRequest) -> Page[InstanceRecord]:
        return await super().list_instances(replace(where, order_by="started_at"), page)


class CutsSortKeys(InMemoryWorkflowQueries):
    async def list_instances(self, where: InstanceFilter, page: PageRequest) -> Page[InstanceRecord]:
        found = await super().list_instances(where, page)

        def key(record: InstanceRecord) -> tuple[int, UUID]:
            moment: datetime = getattr(record, where.order_by)
            return int(moment.timestamp()), record.id if not where.descending else UUID(int=2**128 - 1 - record.id.int)

        return replace(found, items=tuple(sorted(found.items, key=key)))


class ListsOtherRecords(InMemoryWorkflowQueries):
    async def list_instances(self, where: InstanceFilter, page: PageRequest) -> Page[InstanceRecord]:
        found = await super().list_instances(where, page)
        return replace(found, items=tuple(replace(record, tenant_id="") for record in found.items))


def _filters(change: Callable[[InstanceFilter], InstanceFilter]) -> Callable[[MemoryState], ChangesLists]:
    return lambda memory: ChangesLists(memory, instances=change)


def _ignoring(field: str, value: Any = None) -> Callable[[MemoryState], ChangesLists]:
    return _filters(lambda where: replace(where, **{field: value}))


def _shifted(field: str, microseconds: int) -> Callable[[InstanceFilter], InstanceFilter]:
    def change(where: InstanceFilter) -> InstanceFilter:
        moment: datetime | None = getattr(where, field)
        return where if moment is None else replace(where, **{field: moment + timedelta(microseconds=microseconds)})

    return change


def _first_status(where: InstanceFilter) -> InstanceFilter:
    return where if where.statuses is None else replace(where, statuses=where.statuses[:1])


def _record(**changes: Any) -> Callable[[MemoryState], ChangesRecords]:
    return partial(ChangesRecords, change=lambda record: replace(record, **changes))


_QUERIES: Final[tuple[tuple[Build, str], ...]] = (
    (_record(revision=0), "tells another revision"),
    (_record(completed_at=None), "tells no end"),
    (_record(error=None), "tells no error"),
    (_record(current_step="first"), "tells another step"),
    (_record(current_step=None), "tells no step"),
    (
        partial(LooksForAnotherTenant, change=lambda _tenant: None),
        "finds an instance for any tenant",
    ),
    (partial(LooksForAnotherTenant, change=lambda tenant: tenant or "nobody"), "finds an instance for none"),
    (InventsInstances, "makes up instances"),
    (StumblesOverNothing, "takes a total of 0 for none"),
    (ListsOldestChange, "always sorts by the start"),
    (CutsSortKeys, "sorts by whole seconds"),
    (ListsOtherRecords, "lists other records than it finds"),
    (_ignoring("tenant"), "lists for all tenants"),
    (_filters(lambda where: replace(where, tenant=where.tenant or None)), "takes no tenant for all"),
    (_ignoring("workflow_name"), "lists all workflows"),
    (_ignoring("workflow_version"), "lists all versions"),
    (_ignoring("statuses"), "lists all statuses"),
    (_ignoring("created_by"), "lists for all who started"),
    (_ignoring("started_after"), "lists from the beginning"),
    (_ignoring("started_before"), "lists to the end"),
    (_filters(_shifted("started_after", 1)), "leaves out the moment from which it lists"),
    (_filters(_shifted("started_before", 1)), "lists the moment before which it lists"),
    (_filters(_first_status), "looks for one status of several"),
    (_ignoring("descending", value=True), "always lists newest first"),
    (_ignoring("descending", value=False), "always lists oldest first"),
    (
        partial(CountsDifferently, change=lambda _where: InstanceFilter()),
        "counts all instances",
    ),
    (
        partial(CountsDifferently, change=lambda where: replace(where, statuses=(WorkflowStatus.RUNNING,))),
        "counts running instances",
    ),
    (CountsAllStatuses, "counts statuses that none has"),
    (SkipsEquals, "skips instances of the moment at which a page ends"),
    *PAGING,
)

FAULTS: Final[tuple[Fault, ...]] = (*(with_queries(build, name, InstanceRules) for build, name in _QUERIES),)
