"""From a transition to the rows that it writes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from workflows_core.domain.state import ROOT, InstanceState
from workflows_core.domain.transition import StepExecution, TaskChange, TaskOpening, Transition, WorkItem
from workflows_core.domain.types import TaskStatus
from workflows_core.ports.projections import current_step
from workflows_core.ports.store import Write
from workflows_sqlalchemy.column_types import safe_text
from workflows_sqlalchemy.encoding import (
    encode_data,
    encode_error,
    encode_events,
    encode_item,
    encode_marking,
    encode_opening,
)
from workflows_sqlalchemy.rows import (
    DroppedRow,
    ExecutionGoneRow,
    ExecutionRow,
    InstanceRow,
    Rows,
    ScopeRow,
    StartRow,
    TaskChangeRow,
    TaskRow,
    WorkGoneRow,
    WorkRow,
)
from workflows_sqlalchemy.throttles import encode_throttle

__all__ = ["LAST_MOMENT", "bounded", "candidates_of", "rows_of"]

LAST_MOMENT: Final = datetime(9999, 12, 31, tzinfo=UTC)
"""Stands for every moment that is too far to be told."""

_FAR_S: Final = 1000 * 366 * 86_400.0


def rows_of(writes: Sequence[Write]) -> Rows:
    """The rows of all these writes; the place of a row is the index of its write."""
    rows = Rows()
    for place, write in enumerate(writes):
        transition = write.transition
        state = transition.state
        rows.instances.append(_instance(place, write))
        if state.revision == 1:
            rows.starts.append(_start(place, write))
        for number, item in transition.work.items():
            if item is None:
                rows.work_gone.append(WorkGoneRow(place, state.id, number))
            else:
                rows.work.append(_work(place, write, item))
        rows.executions_gone.extend(ExecutionGoneRow(place, state.id, number) for number in transition.reopened)
        rows.executions.extend(_execution(place, state.id, execution) for execution in transition.executions)
        if transition.opened or transition.tasks:
            _add_tasks(rows, place, transition)
        if transition.items or transition.item_results or transition.dropped_items:
            _add_scopes(rows, place, transition)
    return rows


def candidates_of(users: Sequence[str], groups: Sequence[str]) -> list[str]:
    """Candidates as they are stored and searched."""
    return [*(f"user:{safe_text(user)}" for user in users), *(f"group:{safe_text(group)}" for group in groups)]


def bounded(seconds: float) -> float:
    """Seconds of a lease or a delay that every database can add to the present moment: from 0 to a thousand years."""
    return min(max(seconds, 0.0), _FAR_S)


def _instance(place: int, write: Write) -> InstanceRow:
    transition, holds = write.transition, write.holds
    state = transition.state
    step = current_step(state)
    return InstanceRow(
        place,
        state.id,
        transition.base_revision,
        str(state.status),
        None if step is None else safe_text(step),
        write.id,
        encode_marking(state),
        encode_data(state.data) if transition.data_changed or state.revision == 1 else None,
        encode_error(state.error),
        state.status.is_final,
        str(state.phase),
        None if state.parked is None else str(state.parked),
        tuple(held.number for held in holds),
        tuple(held.fence for held in holds),
        safe_text(holds[0].worker) if holds else None,
        safe_text(transition.actor),
        encode_events(transition.events),
    )


def _start(place: int, write: Write) -> StartRow:
    state, key = write.transition.state, write.start_key
    return StartRow(
        place,
        safe_text(state.tenant),
        safe_text(state.workflow),
        safe_text(state.version),
        state.graph_hash,
        state.metadata,
        _text(state.created_by),
        state.started_at,
        None if key is None else safe_text(key.key),
        None if key is None else safe_text(key.digest),
    )


def _work(place: int, write: Write, item: WorkItem) -> WorkRow:
    state = write.transition.state
    taken = item.number in write.take
    delay_s, due_at = (0.0, None) if taken else _when(item.delay_s, item.due_at)
    return WorkRow(
        place,
        state.id,
        item.number,
        str(item.kind),
        safe_text(item.step),
        item.scope,
        _home(state, item.scope),
        item.execution,
        safe_text(item.queue),
        item.priority,
        delay_s,
        due_at,
        state.revision,
        safe_text(write.worker) if taken else None,
        bounded(write.lease_s) if taken else None,
        None if item.timeout_s in (None, math.inf) else bounded(item.timeout_s),
        item.keeps_timeout,
        encode_throttle(item),
        safe_text(state.tenant) if delay_s == 0 else None,
    )


def _execution(place: int, instance_id: UUID, execution: StepExecution) -> ExecutionRow:
    return ExecutionRow(
        place,
        instance_id,
        execution.number,
        safe_text(execution.step_name),
        str(execution.step_type),
        str(execution.status),
        execution.scope,
        execution.item,
        execution.visit,
        execution.attempts,
        execution.started_at,
        execution.result,
        encode_error(execution.error),
        _text(execution.completed_by),
        execution.compensates,
    )


def _add_tasks(rows: Rows, place: int, transition: Transition) -> None:
    """A task that is opened and changed at once is written as it is then; several changes of a task become one."""
    opened = {opening.id: _task(place, transition.state, opening) for opening in transition.opened}
    changes: dict[UUID, TaskChangeRow] = {}
    for change in transition.tasks:
        said = _said(change)
        if change.id in opened:
            opened[change.id] = opened[change.id]._replace(**said)
        else:
            known = changes.get(change.id, TaskChangeRow(place, change.id, None, None, None, None))
            changes[change.id] = known._replace(**said)
    rows.tasks.extend(opened.values())
    rows.task_changes.extend(changes.values())


def _said(change: TaskChange) -> dict[str, Any]:
    """The fields of a task that a change names."""
    fields = {
        "status": None if change.status is None else change.status.value,
        "assignee_id": _text(change.assignee_id),
        "completed_by": _text(change.completed_by),
        "comment": _text(change.comment),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _task(place: int, state: InstanceState, opening: TaskOpening) -> TaskRow:
    return TaskRow(
        place,
        opening.id,
        state.id,
        safe_text(state.workflow),
        safe_text(state.version),
        safe_text(state.tenant),
        opening.execution,
        safe_text(opening.step_name),
        safe_text(opening.title),
        TaskStatus.PENDING.value,
        _text(opening.assignee_id),
        json.dumps(candidates_of(opening.candidate_users, opening.candidate_groups)),
        opening.priority,
        *_when(opening.due_s, opening.due_at),
        *_when(opening.reminder_s, opening.reminder_at),
        None,
        None,
        encode_opening(opening),
    )


def _add_scopes(rows: Rows, place: int, transition: Transition) -> None:
    state, dropped = transition.state, transition.dropped_items
    written = {item.id: item for item in transition.items}
    gone = [range(run.first, run.first + run.total) for run in dropped]
    for item_id in dict.fromkeys((*written, *transition.item_results)):
        if any(item_id in numbers for numbers in gone):
            continue
        item = written.get(item_id)
        rows.scopes.append(
            ScopeRow(
                place,
                state.id,
                item_id,
                item_id,
                ROOT if item is None else _home(state, item.parent),
                None if item is None else encode_item(item, state),
                None if item is None or item.data is None else encode_data(item.data),
                transition.item_results.get(item_id),
            )
        )
    rows.scopes.extend(_inner_scopes(place, state, written.keys() - {number for run in gone for number in run}))
    rows.dropped.extend(DroppedRow(place, state.id, run.first, run.first + run.total - 1) for run in dropped)


def _inner_scopes(place: int, state: InstanceState, homes: set[int]) -> Iterator[ScopeRow]:
    for scope in state.scopes.values():
        if scope.home in homes and scope.id != scope.home:
            yield ScopeRow(place, state.id, scope.home, scope.id, ROOT, None, None, None)


def _home(state: InstanceState, scope_id: int) -> int:
    scope = state.scopes.get(scope_id)
    return ROOT if scope is None else scope.home


def _text(text: str | None) -> str | None:
    return None if text is None else safe_text(text)


def _when(seconds: float | None, moment: datetime | None) -> tuple[float | None, datetime | None]:
    """A delay or a moment, one of them None; both for never. What lies centuries ahead becomes the last moment."""
    if moment is not None:
        return None, moment
    if seconds is None or seconds == math.inf:
        return None, None
    return (None, LAST_MOMENT) if seconds > _FAR_S else (max(seconds, 0.0), None)
