"""Committing transitions on SQLite: the conditions are read, then everything is written, while no other process can write."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Delete,
    Insert,
    Table,
    Update,
    and_,
    bindparam,
    case,
    delete,
    func,
    update,
)
from sqlalchemy.dialects.sqlite import insert

from workflows_core.domain.transition import WorkKind
from workflows_core.domain.types import TaskStatus
from workflows_core.ports.leases import fence_before
from workflows_core.ports.store import Committed, DuplicateKey, Write, WriteResult
from workflows_sqlalchemy.column_types import Moment
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
from workflows_sqlalchemy.sqlite.conditions import read_situation
from workflows_sqlalchemy.sqlite.direct import Statement, Values
from workflows_sqlalchemy.tables import definitions, events, executions, instances, scopes, tasks, work_items
from workflows_sqlalchemy.throttles import Throttle, read_throttle
from workflows_sqlalchemy.verdicts import Situation, verdict
from workflows_sqlalchemy.writing import rows_of

__all__ = ["INSERT_DEFINITIONS", "commit"]

INSERT_DEFINITIONS: Final = insert(definitions).on_conflict_do_nothing(index_elements=["hash"])

_AT: Final = bindparam("new_updated_at", type_=Moment)
_CHANGE: Final = (
    update(instances)
    .where(instances.c.id == bindparam("new_instance_id"))
    .values(
        status=bindparam("new_status"),
        current_step=bindparam("new_current_step"),
        revision=bindparam("new_revision"),
        marking=bindparam("new_marking"),
        error=bindparam("new_error"),
        updated_at=_AT,
        completed_at=case(
            (bindparam("new_is_final", type_=Boolean), func.coalesce(instances.c.completed_at, _AT)), else_=None
        ),
        phase=bindparam("new_phase"),
        parked=bindparam("new_parked"),
    )
)


def _delete(table: Table) -> Delete:
    place = table.c.instance_id == bindparam("instance_id"), table.c.number == bindparam("number")
    return delete(table).where(*place)


def _upsert_work(*, keeps_timeout: bool) -> Insert:
    statement = insert(work_items)
    new, old = statement.excluded, work_items.c
    changed: dict[str, ColumnElement[Any]] = {
        column.name: new[column.name] for column in old if column.name not in {"instance_id", "number"}
    }
    changed["fence"] = old.fence + new.attempt  # one more, if it is taken
    # What is taken was due before: its moment stays, as on PostgreSQL.
    stays = and_(new.worker.is_not(None), old.due_at <= new.due_at)
    changed["due_at"] = case((stays, old.due_at), else_=new.due_at)
    if keeps_timeout:
        # A limit that a claim has told of is over from the moment on from which the work item can be claimed again.
        changed["timeout_at"] = case((old.kind == WorkKind.EXPIRE.value, old.due_at), else_=old.timeout_at)
    return statement.on_conflict_do_update(index_elements=["instance_id", "number"], set_=changed)


def _upsert_scope() -> Insert:
    statement = insert(scopes)
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=["instance_id", "home", "scope_id"],
        set_={
            "marking": new.marking,
            "data": func.coalesce(new.data, scopes.c.data),
            "result": func.coalesce(new.result, scopes.c.result),
        },
        where=new.scope_id == new.home,
    )


def _change_task() -> Update:
    status = bindparam("new_status", type_=tasks.c.status.type)
    closes = and_(status != TaskStatus.PENDING.value, tasks.c.completed_at.is_(None))
    kept = {
        name: func.coalesce(bindparam(f"new_{name}", type_=tasks.c[name].type), tasks.c[name])
        for name in ("status", "assignee_id", "completed_by", "comment")
    }
    completed_at = case((closes, bindparam("at", type_=Moment)), else_=tasks.c.completed_at)
    return update(tasks).where(tasks.c.id == bindparam("new_id")).values(**kept, completed_at=completed_at)


def _new(row: type[NamedTuple]) -> list[str]:
    return [f"new_{name}" for name in row._fields]


_START: Final = Statement(
    insert(instances),
    ("place", "id", *InstanceRow._fields[2:], *StartRow._fields, "revision", "updated_at", "completed_at"),
)
_CHANGE_NAMES: Final = *_new(InstanceRow), "new_revision", "new_updated_at"
_CHANGE_ALL_BUT_DATA: Final = Statement(_CHANGE, _CHANGE_NAMES)
_CHANGE_WITH_DATA: Final = Statement(_CHANGE.values(data=bindparam("new_data")), _CHANGE_NAMES)
_DELETE_WORK: Final = Statement(_delete(work_items), WorkGoneRow._fields)
_WORK_NAMES: Final = *WorkRow._fields, "due_at", "lease_until", "timeout_at", "fence", "attempt", "crashes"
_UPSERT_WORK: Final = Statement(_upsert_work(keeps_timeout=False), _WORK_NAMES)
_UPSERT_WORK_WITHIN_ITS_TIME: Final = Statement(_upsert_work(keeps_timeout=True), _WORK_NAMES)
_THROTTLED_NAMES: Final = *_WORK_NAMES, *Throttle._fields
_UPSERT_THROTTLED: Final = Statement(_upsert_work(keeps_timeout=False), _THROTTLED_NAMES)
_UPSERT_THROTTLED_WITHIN_ITS_TIME: Final = Statement(_upsert_work(keeps_timeout=True), _THROTTLED_NAMES)
_DELETE_EXECUTION: Final = Statement(_delete(executions), ExecutionGoneRow._fields)
_INSERT_EXECUTION: Final = Statement(insert(executions), (*ExecutionRow._fields, "completed_at"))
_INSERT_EVENTS: Final = Statement(insert(events), events.c.keys())
_OPEN_TASK: Final = Statement(
    insert(tasks), (*TaskRow._fields, "candidates", "created_at", "due_at", "reminder_at", "completed_at")
)
_CHANGE_TASK: Final = Statement(_change_task(), (*_new(TaskChangeRow), "at"))
_UPSERT_SCOPE: Final = Statement(_upsert_scope(), ScopeRow._fields)
_DELETE_ITEMS: Final = Statement(
    delete(scopes).where(
        scopes.c.instance_id == bindparam("instance_id"),
        scopes.c.home.between(bindparam("first"), bindparam("last")),
    ),
    DroppedRow._fields,
)


def commit(connection: Connection, writes: Sequence[Write], at: datetime) -> list[WriteResult]:
    """Write each transition whose conditions hold, and say why not of the others.

    Args:
        connection: In a transaction that has the write lock.
        writes: No two of one instance.
        at: Time of the commit.
    """
    situation = read_situation(connection, writes)
    results = _judge(writes, situation, at)
    accepted = [write for write, result in zip(writes, results, strict=True) if isinstance(result, Committed)]
    if accepted:
        _write(connection, rows_of(accepted), at)
    return results


def _judge(writes: Sequence[Write], situation: Situation, at: datetime) -> list[WriteResult]:
    results: list[WriteResult] = []
    started: dict[tuple[str, str, str], DuplicateKey] = {}
    for write in writes:
        result = verdict(write, situation)
        if result is None and write.start_key is not None:
            state = write.transition.state
            key = (state.tenant, state.workflow, write.start_key.key)
            result = started.get(key)
            started.setdefault(key, DuplicateKey(state.id, write.start_key.digest))
        results.append(_committed(write, situation, at) if result is None else result)
    return results


def _committed(write: Write, situation: Situation, at: datetime) -> Committed:
    instance_id = write.transition.state.id
    new = fence_before(write.transition.state.revision), None
    fences = {number: situation.fences.get((instance_id, number), new)[0] + 1 for number in write.take}
    return Committed(at, fences)


def _write(connection: Connection, rows: Rows, at: datetime) -> None:
    """Write all rows, table by table."""
    starts = {row.place: row for row in rows.starts}
    changes = [row for row in rows.instances if row.place not in starts]
    throttled = [row for row in rows.work if row.throttle is not None]
    ordinary = [row for row in rows.work if row.throttle is None] if throttled else rows.work
    for statement, values in (
        (_START, [_start(row, starts[row.place], at) for row in rows.instances if row.place in starts]),
        (_CHANGE_ALL_BUT_DATA, [(*row, row.base_revision + 1, at) for row in changes if row.data is None]),
        (_CHANGE_WITH_DATA, [(*row, row.base_revision + 1, at) for row in changes if row.data is not None]),
        (_DELETE_WORK, rows.work_gone),
        (_UPSERT_WORK, [_work(row, at) for row in ordinary if not row.keeps_timeout]),
        (_UPSERT_WORK_WITHIN_ITS_TIME, [_work(row, at) for row in ordinary if row.keeps_timeout]),
        (_UPSERT_THROTTLED, [_throttled(row, at) for row in throttled if not row.keeps_timeout]),
        (_UPSERT_THROTTLED_WITHIN_ITS_TIME, [_throttled(row, at) for row in throttled if row.keeps_timeout]),
        (_DELETE_EXECUTION, rows.executions_gone),
        (_INSERT_EXECUTION, [(*row, at) for row in rows.executions]),
        (_INSERT_EVENTS, [_happened(row, at) for row in rows.instances]),
        (_OPEN_TASK, [_task(row, at) for row in rows.tasks]),
        (_CHANGE_TASK, [(*row, at) for row in rows.task_changes]),
        (_UPSERT_SCOPE, rows.scopes),
        (_DELETE_ITEMS, rows.dropped),
    ):
        if values:
            statement.execute(connection, values)


def _start(row: InstanceRow, start: StartRow, at: datetime) -> Values:
    completed_at = at if row.is_final else None
    return *row, *start._replace(started_at=start.started_at or at), 1, at, completed_at


def _happened(row: InstanceRow, at: datetime) -> Values:
    return row.instance_id, row.base_revision + 1, at, row.actor, row.events, row.transition_id


def _work(row: WorkRow, at: datetime) -> Values:
    due_at = _moment(at, row.delay_s, row.due_at)
    taken = int(row.worker is not None)
    fence = fence_before(row.revision) + taken
    return *row, due_at, _moment(at, row.lease_s), _moment(at, row.timeout_s), fence, taken, 0


def _throttled(row: WorkRow, at: datetime) -> Values:
    return *_work(row, at), *read_throttle(row.throttle)


def _task(row: TaskRow, at: datetime) -> Values:
    due_at, reminder_at = _moment(at, row.due_s, row.due_at), _moment(at, row.reminder_s, row.reminder_at)
    completed_at = None if row.status == TaskStatus.PENDING.value else at
    return *row, json.loads(row.candidates), at, due_at, reminder_at, completed_at


def _moment(at: datetime, seconds: float | None, moment: datetime | None = None) -> datetime | None:
    if moment is not None or seconds is None:
        return moment
    return at + timedelta(seconds=seconds)
