"""Everything that a store holds, read through its ports."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec

from workflows_core.domain.events import RecordedEvent
from workflows_core.domain.graph import WorkflowGraph
from workflows_core.domain.state import InstanceState
from workflows_core.ports.queries import (
    ExecutionRecord,
    InstanceFilter,
    InstanceRecord,
    PageRequest,
    TaskFilter,
    TaskRecord,
    WorkflowQueries,
    WorkRecord,
)
from workflows_core.ports.store import WorkflowStore

__all__ = ["Account", "accounts", "history"]

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Account:
    """An instance with all its records.

    Attributes:
        instance: The instance as lists show it.
        executions: Its finished step executions.
        events: What happened.
        work: Its work items.
        tasks: Its tasks, oldest first.
        graph: What it runs; None if it is not stored.
        state: Its state with all active items; None where no store was given.
    """

    instance: InstanceRecord
    executions: list[ExecutionRecord]
    events: list[RecordedEvent]
    work: list[WorkRecord]
    tasks: list[TaskRecord]
    graph: WorkflowGraph | None
    state: InstanceState | None


async def accounts(queries: WorkflowQueries, store: WorkflowStore | None = None) -> AsyncIterator[Account]:
    """All instances, in the order of their starts.

    Args:
        queries: The read side.
        store: The write side, for the states; None leaves them out.
    """
    graphs = {record.graph.hash: record.graph for record in await queries.list_definitions()}
    where, cursor = InstanceFilter(descending=False), None
    while True:
        page = await queries.list_instances(where, PageRequest(limit=_PAGE, cursor=cursor))
        for instance in page.items:
            yield await _account(instance, queries, store, graphs.get(instance.graph_hash))
        cursor = page.next_cursor
        if cursor is None:
            return


async def history(queries: WorkflowQueries, store: WorkflowStore) -> bytes:
    """All records of all instances as bytes; equal for equal histories."""
    encode = msgspec.msgpack.Encoder().encode
    return b"".join([encode(account) async for account in accounts(queries, store)])


async def _account(
    instance: InstanceRecord, queries: WorkflowQueries, store: WorkflowStore | None, graph: WorkflowGraph | None
) -> Account:
    executions: list[ExecutionRecord] = []
    last = 0
    while True:
        found = await queries.list_executions(instance.id, after=last, limit=_PAGE)
        executions.extend(found)
        if len(found) < _PAGE or found[-1].execution.number <= last:  # a broken store may go round in circles
            break
        last = found[-1].execution.number
    events: list[RecordedEvent] = []
    last = 0
    while True:
        more = await queries.list_events(instance.id, after_revision=last, limit=_PAGE)
        events.extend(more)
        if not more or more[-1].revision <= last:
            break
        last = more[-1].revision
    tasks: list[TaskRecord] = []
    cursor: str | None = None
    while True:
        page = await queries.list_tasks(TaskFilter(instance_id=instance.id), PageRequest(limit=_PAGE, cursor=cursor))
        tasks.extend(page.items)
        cursor = page.next_cursor
        if cursor is None:
            break
    loaded = None if store is None else await store.load(instance.id, all_items=True)
    return Account(
        instance=instance,
        executions=executions,
        events=events,
        work=list(await queries.list_work(instance.id)),
        tasks=tasks,
        graph=graph,
        state=None if loaded is None else loaded.state,
    )
