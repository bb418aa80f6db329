"""One transition: its conditions, then everything that it changes."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec.structs import replace

from workflows_core.adapters.memory.backlog import Backlog
from workflows_core.adapters.memory.items import ItemScopes
from workflows_core.adapters.memory.rows import InstanceRow, WorkRow
from workflows_core.adapters.memory.state import MemoryState
from workflows_core.adapters.memory.times import moment_of
from workflows_core.domain.state import ROOT, InstanceState
from workflows_core.domain.transition import TaskChange, TaskOpening, Transition, WorkItem
from workflows_core.domain.types import TaskStatus, WorkflowStatus
from workflows_core.ports.queries import TaskRecord
from workflows_core.ports.store import Committed, Conflict, DuplicateKey, Held, LeaseLost, Write, WriteResult

__all__ = ["apply"]

_CONFLICT: Final = Conflict()
_LEASE_LOST: Final = LeaseLost()


def apply(memory: MemoryState, write: Write, now: datetime) -> WriteResult:
    """Write one transition if its conditions hold; nothing is changed before all of them were looked at."""
    after = write.transition.state
    row = memory.instances.get(after.id.int)
    if write.start_key is not None:
        known = memory.start_keys.get((after.tenant, after.workflow, write.start_key.key))
        if known is not None:
            return DuplicateKey(*known)
    if row is None:
        if after.revision != 1:
            return _CONFLICT
        row = _create(memory, write, now)
    else:
        for held in write.holds:
            if not _holds(row, held):
                return _LEASE_LOST
        if row.state.revision != after.revision - 1:
            return _CONFLICT
    return _change(memory, row, write, now)


def _holds(row: InstanceRow, held: Held) -> bool:
    """Whether a claim is the newest one of its work item."""
    work = row.work.get(held.number)
    return work is not None and work.fence == held.fence and work.worker == held.worker


def _create(memory: MemoryState, write: Write, now: datetime) -> InstanceRow:
    state = write.transition.state
    row = InstanceRow(state, len(memory.instances), now)
    memory.instances[state.id.int] = row
    if write.start_key is not None:
        memory.start_keys[state.tenant, state.workflow, write.start_key.key] = (state.id, write.start_key.digest)
    return row


def _change(memory: MemoryState, row: InstanceRow, write: Write, now: datetime) -> Committed:
    transition = write.transition
    before = row.state
    row.state = _state_to_keep(row, transition)
    row.writes.append((write.id, now))
    row.updated_at = now
    if transition.reopened:
        gone = frozenset(transition.reopened)
        row.executions = [
            (at, tuple(execution for execution in executions if execution.number not in gone))
            for at, executions in row.executions
        ]
    if transition.executions:
        row.executions.append((now, transition.executions))
    if transition.events:
        row.events.append((transition.state.revision, now, transition.actor, transition.events))
    if transition.opened or transition.tasks:
        _change_tasks(memory, row, transition, now)
    fences = _change_work(memory, row, write, now) if transition.work else {}
    if row.state.status is not before.status or row.state.revision == 1:
        _follow_status(memory, row, before, now)
    return Committed(now, fences)


def _state_to_keep(row: InstanceRow, transition: Transition) -> InstanceState:
    """The state after the transition, without the items' scopes; its data are the stored ones unless they changed."""
    state = transition.state
    if len(state.scopes) > 1 or transition.items or transition.dropped_items:
        if row.items is None:
            row.items = ItemScopes()
        row.items.write(transition)
        state = state.without_items()
    if not transition.data_changed:
        root, stored = state.scopes[ROOT], row.state.scopes[ROOT].data
        if root.data is not stored:
            state = replace(state, scopes={**state.scopes, ROOT: replace(root, data=stored)})
    return state


def _change_work(memory: MemoryState, row: InstanceRow, write: Write, now: datetime) -> dict[int, int]:
    backlog, rows, take = memory.backlog, row.work, write.take
    fences: dict[int, int] = {}
    for number, item in write.transition.work.items():
        work = rows.get(number)
        if item is None:
            if work is not None:
                backlog.withdraw(work)
                del rows[number]
            continue
        if number not in take:
            _put(backlog, row, item, now)
            continue
        since = work.due if work is not None and work.due is not None and work.due <= now else now
        if work is not None and work.lease_until is not None and work.worker == write.worker:
            backlog.unqueue(work)
            _rewrite(work, item, since, now)
            backlog.hold_on(work, now, write.lease_s)
        else:
            work = _renewed(backlog, row, item, since, now)
            backlog.hold(work, write.worker, now, write.lease_s)
        fences[number] = work.fence
    return fences


def _put(backlog: Backlog, row: InstanceRow, item: WorkItem, now: datetime) -> None:
    """Write a work item that nobody holds."""
    backlog.enqueue(_renewed(backlog, row, item, moment_of(now, item.delay_s, item.due_at), now), now)


def _renewed(backlog: Backlog, row: InstanceRow, item: WorkItem, due: datetime | None, now: datetime) -> WorkRow:
    """The row of a work item, made or written anew, out of every lane and every hand."""
    work = row.work.get(item.number)
    if work is None:
        work = row.work[item.number] = WorkRow(item, row, due)
        work.limit = moment_of(now, item.timeout_s, None)
        return work
    backlog.withdraw(work)
    work.worker = None
    _rewrite(work, item, due, now)
    return work


def _rewrite(work: WorkRow, item: WorkItem, due: datetime | None, now: datetime) -> None:
    """Write a work item that is out of its lane anew. A limit that it keeps is still over after a claim that told so."""
    if not item.keeps_timeout:
        work.limit = moment_of(now, item.timeout_s, None)
    elif work.is_expired:
        work.limit = work.due
    work.item, work.due, work.attempt, work.crashes, work.is_expired = item, due, 0, 0, False


def _follow_status(memory: MemoryState, row: InstanceRow, before: InstanceState, now: datetime) -> None:
    """Take the work out of reach when the instance is over or paused, and back when it goes on."""
    status, backlog = row.state.status, memory.backlog
    row.completed_at = (row.completed_at or now) if status.is_final else None
    was_open = before.status is not WorkflowStatus.PAUSED and not before.status.is_final
    if row.is_open is not was_open:
        for work in row.work.values():
            backlog.follow(work, now)


def _change_tasks(memory: MemoryState, row: InstanceRow, transition: Transition, now: datetime) -> None:
    for opening in transition.opened:
        memory.tasks[opening.id] = _open(row.state, opening, now)
        row.open_tasks += 1
    for change in transition.tasks:
        task = memory.tasks.get(change.id)
        if task is not None:
            changed = memory.tasks[change.id] = _changed(task, change, now)
            row.open_tasks += (changed.status is TaskStatus.PENDING) - (task.status is TaskStatus.PENDING)


def _open(state: InstanceState, opening: TaskOpening, now: datetime) -> TaskRecord:
    return TaskRecord(
        opening=opening,
        instance_id=state.id,
        workflow_name=state.workflow,
        workflow_version=state.version,
        tenant_id=state.tenant,
        status=TaskStatus.PENDING,
        assignee_id=opening.assignee_id,
        created_at=now,
        due_at=moment_of(now, opening.due_s, opening.due_at),
        reminder_at=moment_of(now, opening.reminder_s, opening.reminder_at),
    )


def _changed(task: TaskRecord, change: TaskChange, now: datetime) -> TaskRecord:
    status = change.status or task.status
    return replace(
        task,
        status=status,
        assignee_id=task.assignee_id if change.assignee_id is None else change.assignee_id,
        completed_at=now if status is not TaskStatus.PENDING and task.completed_at is None else task.completed_at,
        completed_by=task.completed_by if change.completed_by is None else change.completed_by,
        comment=task.comment if change.comment is None else change.comment,
    )
