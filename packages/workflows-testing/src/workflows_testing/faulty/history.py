"""Faults of queries for executions, events, work, definitions and stalled instances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace

from workflows_core.adapters.memory import InMemoryWorkflowQueries, MemoryState
from workflows_core.domain.events import RecordedEvent, StepCompleted
from workflows_core.domain.state import ErrorInfo
from workflows_core.ports.queries import DefinitionRecord, ExecutionRecord, WorkRecord
from workflows_core.ports.store import Write
from workflows_testing.conformance.queries_history import HistoryRules
from workflows_testing.faulty.fault import ChangesWrites, Fault, with_queries, with_store
from workflows_testing.faulty.rewriting import with_transition

__all__ = ["FAULTS"]

EPOCH: Final = datetime.fromtimestamp(0, UTC)


class ChangesExecutions(InMemoryWorkflowQueries):
    """Lists other executions."""

    def __init__(self, memory: MemoryState, change: Callable[[list[ExecutionRecord]], list[ExecutionRecord]]) -> None:
        super().__init__(memory)
        self._change = change

    async def list_executions(
        self, instance_id: UUID, *, after: int = 0, limit: int = 1000
    ) -> Sequence[ExecutionRecord]:
        return self._change(list(await super().list_executions(instance_id, after=after, limit=limit)))


class ListsAllExecutions(InMemoryWorkflowQueries):
    async def list_executions(
        self, instance_id: UUID, *, after: int = 0, limit: int = 1000
    ) -> Sequence[ExecutionRecord]:
        return await super().list_executions(instance_id)


class ListsExecutionsOfAll(InMemoryWorkflowQueries):
    async def list_executions(
        self, instance_id: UUID, *, after: int = 0, limit: int = 1000
    ) -> Sequence[ExecutionRecord]:
        rows = list(self._memory.instances.values())
        found = [await super(ListsExecutionsOfAll, self).list_executions(row.state.id) for row in rows]
        return [record for records in found for record in records]


class ChangesEvents(InMemoryWorkflowQueries):
    """Lists other events."""

    def __init__(self, memory: MemoryState, change: Callable[[list[RecordedEvent]], list[RecordedEvent]]) -> None:
        super().__init__(memory)
        self._change = change

    async def list_events(
        self, instance_id: UUID, *, after_revision: int = 0, limit: int = 1000
    ) -> Sequence[RecordedEvent]:
        return self._change(
            list(await super().list_events(instance_id, after_revision=after_revision, limit=limit))
        )  # fmt: skip


class CutsRevisions(InMemoryWorkflowQueries):
    async def list_events(
        self, instance_id: UUID, *, after_revision: int = 0, limit: int = 1000
    ) -> Sequence[RecordedEvent]:
        return (await super().list_events(instance_id, after_revision=after_revision))[:limit]


class ListsAllEvents(InMemoryWorkflowQueries):
    async def list_events(
        self, instance_id: UUID, *, after_revision: int = 0, limit: int = 1000
    ) -> Sequence[RecordedEvent]:
        return await super().list_events(instance_id)


class ListsEventsOfAll(InMemoryWorkflowQueries):
    async def list_events(
        self, instance_id: UUID, *, after_revision: int = 0, limit: int = 1000
    ) -> Sequence[RecordedEvent]:
        rows = list(self._memory.instances.values())
        found = [await super(ListsEventsOfAll, self).list_events(row.state.id) for row in rows]
        return [event for events in found for event in events]


class ChangesWork(InMemoryWorkflowQueries):
    """Lists other work."""

    def __init__(self, memory: MemoryState, change: Callable[[list[WorkRecord]], list[WorkRecord]]) -> None:
        super().__init__(memory)
        self._change = change

    async def list_work(self, instance_id: UUID) -> Sequence[WorkRecord]:
        return self._change(list(await super().list_work(instance_id)))


class ListsWorkOfAll(InMemoryWorkflowQueries):
    async def list_work(self, instance_id: UUID) -> Sequence[WorkRecord]:
        rows = list(self._memory.instances.values())
        found = [await super(ListsWorkOfAll, self).list_work(row.state.id) for row in rows]
        return [work for records in found for work in records]


class ListsWorkAsWritten(InMemoryWorkflowQueries):
    """Lists work in the order in which it was written."""

    async def list_work(self, instance_id: UUID) -> Sequence[WorkRecord]:
        found = {work.item.number: work for work in await super().list_work(instance_id)}
        row = self._memory.instances.get(instance_id.int)
        return [found[number] for number in row.work] if row is not None else []


class ChangesDefinitions(InMemoryWorkflowQueries):
    """Lists other definitions."""

    def __init__(self, memory: MemoryState, change: Callable[[list[DefinitionRecord]], list[DefinitionRecord]]) -> None:
        super().__init__(memory)
        self._change = change

    async def list_definitions(self, *, name: str | None = None) -> Sequence[DefinitionRecord]:
        return self._change(list(await super().list_definitions(name=name)))


class ListsAllDefinitions(InMemoryWorkflowQueries):
    async def list_definitions(self, *, name: str | None = None) -> Sequence[DefinitionRecord]:
        return await super().list_definitions()


class ChangesStalled(InMemoryWorkflowQueries):
    """Finds other stalled instances."""

    def __init__(self, memory: MemoryState, change: Callable[[list[UUID]], list[UUID]]) -> None:
        super().__init__(memory)
        self._change = change

    async def find_stalled(self, *, limit: int = 100) -> Sequence[UUID]:
        return self._change(list(await super().find_stalled(limit=limit)))


class FindsAllStalled(InMemoryWorkflowQueries):
    async def find_stalled(self, *, limit: int = 100) -> Sequence[UUID]:
        return await super().find_stalled()


class TakesWaitingForStalled(InMemoryWorkflowQueries):
    """Forgets that open tasks are no stall."""

    async def find_stalled(self, *, limit: int = 100) -> Sequence[UUID]:
        rows = self._memory.instances.values()
        return [row.state.id for row in rows if not row.state.status.is_final and not row.work][:limit]


class TakesDoneTasksForOpen(InMemoryWorkflowQueries):
    """Takes an instance that ever had a task for one that waits."""

    async def find_stalled(self, *, limit: int = 100) -> Sequence[UUID]:
        waiting = {task.instance_id for task in self._memory.tasks.values()}
        return [found for found in await super().find_stalled(limit=limit) if found not in waiting]


def _each_execution(**changes: Any) -> Callable[[MemoryState], ChangesExecutions]:
    return partial(ChangesExecutions, change=lambda found: [replace(record, **changes) for record in found])


def _without_errors(found: list[ExecutionRecord]) -> list[ExecutionRecord]:
    blank = ErrorInfo("", "")
    return [
        replace(record, execution=replace(record.execution, error=record.execution.error and blank)) for record in found
    ]


def _each_event(**changes: Any) -> Callable[[MemoryState], ChangesEvents]:
    return partial(ChangesEvents, change=lambda found: [replace(event, **changes) for event in found])


def _without_comments(found: list[RecordedEvent]) -> list[RecordedEvent]:
    return [
        replace(event, event=replace(event.event, comment=None)) if hasattr(event.event, "comment") else event
        for event in found
    ]


def _completed_only(found: list[RecordedEvent]) -> list[RecordedEvent]:
    return [event for event in found if isinstance(event.event, StepCompleted)]


def _each_work(**changes: Any) -> Callable[[MemoryState], ChangesWork]:
    return partial(ChangesWork, change=lambda found: [replace(work, **changes) for work in found])


def _due_now_at_least(found: list[WorkRecord]) -> list[WorkRecord]:
    return [replace(work, due_at=work.due_at or EPOCH) for work in found]


def _by_version(found: list[DefinitionRecord]) -> list[DefinitionRecord]:
    return sorted(found, key=lambda record: (record.graph.name, record.graph.version, record.graph.hash))


def _by_time(found: list[DefinitionRecord]) -> list[DefinitionRecord]:
    return sorted(found, key=lambda record: record.created_at)


def _keep_deleted(_memory: MemoryState, write: Write) -> Write:
    kept = {number: item for number, item in write.transition.work.items() if item is not None}
    return with_transition(write, work=kept)


FAULTS: Final[tuple[Fault, ...]] = (
    *(
        with_queries(build, name, HistoryRules)
        for build, name in (
            (_each_execution(completed_at=EPOCH), "tells another end of an execution"),
            (partial(ChangesExecutions, change=_without_errors), "forgets the error of an execution"),
            (partial(ChangesExecutions, change=lambda found: found[::-1]), "lists executions last first"),
            (partial(ChangesExecutions, change=lambda found: found[:-1]), "leaves out the last execution"),
            (ListsAllExecutions, "lists all executions of an instance"),
            (ListsExecutionsOfAll, "lists executions of all instances"),
            (_each_event(at=EPOCH), "tells another time of an event"),
            (_each_event(actor="system"), "tells another actor"),
            (_each_event(position=0), "tells no positions"),
            (partial(ChangesEvents, change=_without_comments), "forgets a part of an event"),
            (partial(ChangesEvents, change=_completed_only), "lists completions only"),
            (partial(ChangesEvents, change=lambda found: found[::-1]), "lists events last first"),
            (CutsRevisions, "cuts a revision"),
            (ListsAllEvents, "lists all events of an instance"),
            (ListsEventsOfAll, "lists events of all instances"),
            (_each_work(worker=None, lease_until=None), "tells no holder"),
            (_each_work(worker="somebody"), "tells a holder"),
            (_each_work(attempt=7), "tells other attempts"),
            (_each_work(due_at=None), "tells no due time"),
            (partial(ChangesWork, change=_due_now_at_least), "tells a due time for what is never due"),
            (ListsWorkOfAll, "lists work of all instances"),
            (ListsWorkAsWritten, "lists work as it was written"),
            (partial(ChangesDefinitions, change=_by_version), "sorts definitions by version"),
            (partial(ChangesDefinitions, change=_by_time), "sorts definitions by time"),
            (
                partial(ChangesDefinitions, change=lambda found: [replace(one, is_active=False) for one in found]),
                "takes definitions for inactive",
            ),
            (ListsAllDefinitions, "lists definitions of all names"),
            (partial(ChangesStalled, change=lambda _found: []), "finds no stall"),
            (partial(ChangesStalled, change=lambda found: found[::-1]), "finds stalls last first"),
            (FindsAllStalled, "finds more stalls than asked for"),
            (TakesWaitingForStalled, "takes waiting for a stall"),
            (TakesDoneTasksForOpen, "takes a done task for an open one"),
        )
    ),
    with_store(partial(ChangesWrites, change=_keep_deleted), "keeps finished work", HistoryRules),
)
