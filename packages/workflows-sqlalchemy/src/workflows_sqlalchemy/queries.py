"""The queries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final, TypeAlias, TypeVar
from uuid import UUID

from sqlalchemy import Executable, Select, bindparam, func, select

from workflows_core.domain.events import RecordedEvent
from workflows_core.domain.types import WorkflowStatus
from workflows_core.ports.cursors import instance_order, task_order
from workflows_core.ports.queries import (
    DefinitionRecord,
    ExecutionRecord,
    InstanceFilter,
    InstanceRecord,
    Page,
    PageRequest,
    TaskFilter,
    TaskRecord,
    UnservedWork,
    WorkflowQueries,
    WorkRecord,
)
from workflows_sqlalchemy.backend import Backend, Work
from workflows_sqlalchemy.column_types import safe_text
from workflows_sqlalchemy.encoding import NO_EVENTS
from workflows_sqlalchemy.filters import instance_conditions, is_open_task, is_unfinished, task_conditions
from workflows_sqlalchemy.loading import AnyRow
from workflows_sqlalchemy.paging import Cut, Sorting, read_page
from workflows_sqlalchemy.records import (
    INSTANCE_COLUMNS,
    WORK_RECORD_COLUMNS,
    definition_record,
    execution_record,
    instance_record,
    recorded_events,
    task_record,
    unserved_work,
    work_record,
)
from workflows_sqlalchemy.tables import definitions, events, executions, instances, tasks, work_items
from workflows_sqlalchemy.throttled_claims import has_to_wait

__all__ = ["SQLAlchemyWorkflowQueries"]

T = TypeVar("T")

_Kept: TypeAlias = Select[*tuple[Any, ...]]

# Kept, because making a query costs as much as running it.
_INSTANCE: Final = select(*INSTANCE_COLUMNS).where(instances.c.id == bindparam("wanted"))
_INSTANCE_OF_TENANT: Final = _INSTANCE.where(instances.c.tenant_id == bindparam("tenant"))
_TASK: Final = select(tasks).where(tasks.c.id == bindparam("wanted"))
_TASK_OF_TENANT: Final = _TASK.where(tasks.c.tenant_id == bindparam("tenant"))


class SQLAlchemyWorkflowQueries(WorkflowQueries):
    """Answers from the database of a `SQLAlchemyWorkflowStore`. Made by `create_store`.

    Args:
        backend: The database; shared with the store.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def list_definitions(self, *, name: str | None = None) -> Sequence[DefinitionRecord]:
        query = select(definitions).order_by(definitions.c.name, definitions.c.id)
        if name is not None:
            query = query.where(definitions.c.name == name)
        return [definition_record(row) for row in await self._rows(query)]

    async def list_instances(self, where: InstanceFilter, page: PageRequest) -> Page[InstanceRecord]:
        sorting = Sorting(instance_order(where), instances.c[where.order_by], instances.c.id, where.descending)
        conditions = instance_conditions(where)
        return await self._page(
            lambda connection: read_page(connection, INSTANCE_COLUMNS, conditions, sorting, page), page, instance_record
        )

    async def get_instance(self, instance_id: UUID, *, tenant: str | None = None) -> InstanceRecord | None:
        rows = await self._found(_INSTANCE, _INSTANCE_OF_TENANT, instance_id, tenant)
        return instance_record(rows[0]) if rows else None

    async def count_instances(self, where: InstanceFilter) -> dict[WorkflowStatus, int]:
        query = select(instances.c.status, func.count()).where(*instance_conditions(where)).group_by(instances.c.status)
        return {WorkflowStatus(status): count for status, count in await self._rows(query)}

    async def list_executions(
        self, instance_id: UUID, *, after: int = 0, limit: int = 1000
    ) -> Sequence[ExecutionRecord]:
        query = (
            select(executions)
            .where(executions.c.instance_id == instance_id, executions.c.number > after)
            .order_by(executions.c.number)
            .limit(limit)
        )
        return [execution_record(row) for row in await self._rows(query)]

    async def list_events(
        self, instance_id: UUID, *, after_revision: int = 0, limit: int = 1000
    ) -> Sequence[RecordedEvent]:
        query = (
            select(events)
            .where(events.c.instance_id == instance_id, events.c.revision > after_revision)
            .where(events.c.events != NO_EVENTS)
            .order_by(events.c.revision)
            .limit(limit)
        )
        found: list[RecordedEvent] = []
        for row in await self._rows(query):  # each has at least one event
            if len(found) >= limit:
                break
            found.extend(recorded_events(row))
        return found

    async def list_work(self, instance_id: UUID) -> Sequence[WorkRecord]:
        query = (
            select(*WORK_RECORD_COLUMNS).where(work_items.c.instance_id == instance_id).order_by(work_items.c.number)
        )
        rows = await self._rows(query)
        now = await self._backend.now()
        return [work_record(row, now) for row in rows]

    async def list_tasks(self, where: TaskFilter, page: PageRequest) -> Page[TaskRecord]:
        sorting = Sorting(task_order(where), tasks.c[where.order_by], tasks.c.id, where.descending)
        conditions = task_conditions(where)
        return await self._page(
            lambda connection: read_page(connection, tuple(tasks.c), conditions, sorting, page), page, task_record
        )

    async def get_task(self, task_id: UUID, *, tenant: str | None = None) -> TaskRecord | None:
        rows = await self._found(_TASK, _TASK_OF_TENANT, task_id, tenant)
        return task_record(rows[0]) if rows else None

    async def find_stalled(self, *, limit: int = 100) -> Sequence[UUID]:
        unfinished = select(instances.c.id, instances.c.started_at).where(is_unfinished(), instances.c.parked.is_(None))
        # Apart, lest a database walks through the finished ones for the sake of the order.
        found = unfinished.cte("unfinished").prefix_with("MATERIALIZED")
        work = select(work_items.c.number).where(work_items.c.instance_id == found.c.id, work_items.c.number != 0)
        task = select(tasks.c.id).where(tasks.c.instance_id == found.c.id, is_open_task())
        query = (
            select(found.c.id)
            .where(~work.exists(), ~task.exists())
            .order_by(found.c.started_at, found.c.id)
            .limit(limit)
        )
        return [row.id for row in await self._rows(query)]

    async def find_unserved(self, *, overdue_s: float, limit: int = 100) -> Sequence[UnservedWork]:
        now = await self._backend.now()
        columns = instances.c.id, instances.c.workflow_name, instances.c.workflow_version, instances.c.tenant_id
        since = func.coalesce(work_items.c.lease_until, work_items.c.due_at)
        query = (
            select(*columns, *WORK_RECORD_COLUMNS)
            .join(instances, instances.c.id == work_items.c.instance_id)
            .where(since <= now - timedelta(seconds=overdue_s))
            .where(~has_to_wait(now))
            .where(is_unfinished(), instances.c.status != WorkflowStatus.PAUSED.value)
            .order_by(since, work_items.c.instance_id, work_items.c.number)
            .limit(limit)
        )
        return [unserved_work(row, now) for row in await self._rows(query)]

    async def _found(self, query: _Kept, of_tenant: _Kept, wanted: UUID, tenant: str | None) -> Sequence[AnyRow]:
        if tenant is None:
            return await self._backend.select(query, {"wanted": wanted})
        return await self._backend.select(of_tenant, {"wanted": wanted, "tenant": safe_text(tenant)})

    async def _rows(self, query: Executable) -> Sequence[AnyRow]:
        return await self._backend.read(lambda connection: connection.execute(query).all())

    async def _page(self, read: Work[Cut], page: PageRequest, record: Callable[[AnyRow], T]) -> Page[T]:
        cut = await (self._backend.snapshot(read) if page.with_total else self._backend.read(read))
        return Page(tuple(record(row) for row in cut.rows), cut.next_cursor, cut.total)
