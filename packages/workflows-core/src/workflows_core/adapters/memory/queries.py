"""The read side of the memory store."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec.structs import replace

from workflows_core.adapters.memory.paging import cut
from workflows_core.adapters.memory.rows import InstanceRow, WorkRow
from workflows_core.adapters.memory.state import MemoryState
from workflows_core.domain.events import RecordedEvent
from workflows_core.domain.transition import WorkKind
from workflows_core.domain.types import WorkflowStatus
from workflows_core.ports.cursors import SortKey, instance_order, task_order
from workflows_core.ports.projections import current_step
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

__all__ = ["InMemoryWorkflowQueries"]


class InMemoryWorkflowQueries(WorkflowQueries):
    """Answers from the memory of an `InMemoryWorkflowStore`. Lists look at everything there is.

    Args:
        memory: What the store keeps.
    """

    __slots__ = ("_memory",)

    def __init__(self, memory: MemoryState) -> None:
        self._memory = memory

    async def list_definitions(self, *, name: str | None = None) -> Sequence[DefinitionRecord]:
        with self._memory.lock:
            kept = [entry for entry in self._memory.graphs.values() if name in (None, entry[0].name)]
        kept.sort(key=lambda entry: (entry[0].name, entry[1]))
        return [DefinitionRecord(graph, created_at) for graph, created_at in kept]

    async def list_instances(self, where: InstanceFilter, page: PageRequest) -> Page[InstanceRecord]:
        def key(row: InstanceRow) -> SortKey:
            moment: datetime = getattr(row, where.order_by)
            return moment

        with self._memory.lock:
            found = cut(
                self._matching(where),
                page,
                order=instance_order(where),
                descending=where.descending,
                key=key,
                identity=lambda row: row.state.id,
            )
            return Page(tuple(map(_instance_record, found.items)), found.next_cursor, found.total)

    async def get_instance(self, instance_id: UUID, *, tenant: str | None = None) -> InstanceRecord | None:
        with self._memory.lock:
            row = self._memory.instances.get(instance_id.int)
            if row is None or tenant not in (None, row.state.tenant):
                return None
            return _instance_record(row)

    async def count_instances(self, where: InstanceFilter) -> dict[WorkflowStatus, int]:
        with self._memory.lock:
            return dict(Counter(row.state.status for row in self._matching(where)))

    async def list_executions(
        self, instance_id: UUID, *, after: int = 0, limit: int = 1000
    ) -> Sequence[ExecutionRecord]:
        with self._memory.lock:
            row = self._memory.instances.get(instance_id.int)
            history = list(row.executions) if row is not None else []
        found = [
            ExecutionRecord(execution, at)
            for at, executions in history
            for execution in executions
            if execution.number > after
        ]
        found.sort(key=lambda record: record.execution.number)
        return found[:limit]

    async def list_events(
        self, instance_id: UUID, *, after_revision: int = 0, limit: int = 1000
    ) -> Sequence[RecordedEvent]:
        with self._memory.lock:
            row = self._memory.instances.get(instance_id.int)
            history = row.events if row is not None else []
            history = history[bisect_right(history, after_revision, key=lambda entry: entry[0]) :]
        found: list[RecordedEvent] = []
        for revision, at, actor, events in history:
            if len(found) >= limit:
                break
            found.extend(
                RecordedEvent(revision, position, at, actor, event) for position, event in enumerate(events)
            )  # fmt: skip
        return found

    async def list_work(self, instance_id: UUID) -> Sequence[WorkRecord]:
        with self._memory.lock:
            row = self._memory.instances.get(instance_id.int)
            if row is None:
                return []
            now = self._memory.clock.now()
            return [_work_record(work, now) for _, work in sorted(row.work.items())]

    async def list_tasks(self, where: TaskFilter, page: PageRequest) -> Page[TaskRecord]:
        def key(task: TaskRecord) -> SortKey:
            if where.order_by == "priority":
                return task.opening.priority
            return task.created_at if where.order_by == "created_at" else task.due_at

        with self._memory.lock:
            return cut(
                [task for task in self._memory.tasks.values() if _task_matches(task, where)],
                page,
                order=task_order(where),
                descending=where.descending,
                key=key,
                identity=lambda task: task.id,
            )

    async def get_task(self, task_id: UUID, *, tenant: str | None = None) -> TaskRecord | None:
        with self._memory.lock:
            task = self._memory.tasks.get(task_id)
        return task if task is not None and tenant in (None, task.tenant_id) else None

    async def find_stalled(self, *, limit: int = 100) -> Sequence[UUID]:
        with self._memory.lock:
            stalled = [
                row
                for row in self._memory.instances.values()
                if not row.state.status.is_final
                and row.state.parked is None
                and not any(row.work)
                and not row.open_tasks
            ]
        stalled.sort(key=lambda row: row.started_at)
        return [row.state.id for row in stalled[:limit]]

    async def find_unserved(self, *, overdue_s: float, limit: int = 100) -> Sequence[UnservedWork]:
        with self._memory.lock:
            now = self._memory.clock.now()
            latest = now - timedelta(seconds=overdue_s)
            found = [
                (since, work.ref, work)
                for row in self._memory.instances.values()
                if row.state.status is not WorkflowStatus.PAUSED and not row.state.status.is_final
                for work in row.work.values()
                if (since := work.neglected_since) is not None
                and since <= latest
                and not self._memory.backlog.has_to_wait(work, now)
            ]
            return [_unserved(work, now) for _, _, work in sorted(found, key=lambda entry: entry[:2])[:limit]]

    def _matching(self, where: InstanceFilter) -> Iterator[InstanceRow]:
        return (row for row in self._memory.instances.values() if _instance_matches(row, where))


def _instance_matches(row: InstanceRow, where: InstanceFilter) -> bool:
    state = row.state
    return (
        where.tenant in (None, state.tenant)
        and where.workflow_name in (None, state.workflow)
        and where.workflow_version in (None, state.version)
        and (where.statuses is None or state.status in where.statuses)
        and where.created_by in (None, state.created_by)
        and (where.started_after is None or row.started_at >= where.started_after)
        and (where.started_before is None or row.started_at < where.started_before)
        and where.is_parked in (None, state.parked is not None)
    )


def _task_matches(task: TaskRecord, where: TaskFilter) -> bool:
    return (
        where.tenant in (None, task.tenant_id)
        and (where.statuses is None or task.status in where.statuses)
        and (where.user_id is None or _may_do(task, where.user_id, where.groups))
        and where.assignee_id in (None, task.assignee_id)
        and where.workflow_name in (None, task.workflow_name)
        and where.instance_id in (None, task.instance_id)
        and where.step_name in (None, task.opening.step_name)
        and (where.due_before is None or (task.due_at is not None and task.due_at < where.due_before))
    )


def _may_do(task: TaskRecord, user_id: str, groups: frozenset[str]) -> bool:
    if task.assignee_id is not None:
        return task.assignee_id == user_id
    opening = task.opening
    if not opening.candidate_users and not opening.candidate_groups:
        return True
    return user_id in opening.candidate_users or not groups.isdisjoint(opening.candidate_groups)


def _instance_record(row: InstanceRow) -> InstanceRecord:
    state = row.state
    return InstanceRecord(
        id=state.id,
        workflow_name=state.workflow,
        workflow_version=state.version,
        graph_hash=state.graph_hash,
        status=state.status,
        current_step=current_step(state),
        tenant_id=state.tenant,
        created_by=state.created_by,
        started_at=row.started_at,
        updated_at=row.updated_at,
        completed_at=row.completed_at,
        error=state.error,
        revision=state.revision,
        phase=state.phase,
        parked=state.parked,
    )


def _unserved(work: WorkRow, now: datetime) -> UnservedWork:
    state = work.instance.state
    return UnservedWork(
        instance_id=state.id,
        workflow_name=state.workflow,
        workflow_version=state.version,
        tenant_id=state.tenant,
        work=_work_record(work, now),
    )


def _work_record(work: WorkRow, now: datetime) -> WorkRecord:
    held = work.is_held(now)
    return WorkRecord(
        replace(work.item, kind=WorkKind.EXPIRE) if work.is_expired else work.item,
        work.due,
        work.worker if held else None,
        work.lease_until if held else None,
        work.attempt,
        work.limit,
        work.crashes,
    )
