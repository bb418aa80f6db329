"""Committing transitions on SQLite: the conditions are read, then everything is written, while no other process can write."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Boolean, ColumnElement, Connection, Insert, Update, and_, bindparam, case, delete, func, update
from sqlalchemy.dialects.sqlite import insert

from workflows_core.domain.transition import WorkKind
from workflows_core.domain.types import TaskStatus
from workflows_core.ports.store import Committed, DuplicateKey, Write, WriteResult
from workflows_sqlalchemy.rows import DroppedRow, InstanceRow, Rows, StartRow, TaskChangeRow, TaskRow, WorkRow
from workflows_sqlalchemy.tables import definitions, events, executions, instances, scopes, tasks, work_items
from workflows_sqlalchemy.throttles import read_throttle
from workflows_sqlalchemy.verdicts import Situation, situation_of, verdict
from workflows_sqlalchemy.writing import rows_of

__all__ = ["INSERT_DEFINITIONS", "commit"]

INSERT_DEFINITIONS: Final = insert(definitions).on_conflict_do_nothing(index_elements=["hash"])

_CHANGED: Final[dict[str, ColumnElement[Any]]] = {
    "status": bindparam("new_status"),
    "current_step": bindparam("new_current_step"),
    "revision": bindparam("new_revision"),
    "transition_id": bindparam("new_transition_id"),
    "marking": bindparam("new_marking"),
    "error": bindparam("new_error"),
    "updated_at": bindparam("new_updated_at"),
    "completed_at": case(
        (bindparam("is_over", type_=Boolean), func.coalesce(instances.c.completed_at, bindparam("new_updated_at"))),
        else_=None,
    ),
    "phase": bindparam("new_phase"),
    "parked": bindparam("new_parked"),
}
_UPDATE: Final = update(instances).where(instances.c.id == bindparam("of_instance")).values(_CHANGED)
_UPDATE_WITH_DATA: Final = _UPDATE.values(data=bindparam("new_data"))
_DELETE_WORK: Final = delete(work_items).where(
    work_items.c.instance_id == bindparam("of_instance"), work_items.c.number == bindparam("of_number")
)
_DELETE_EXECUTION: Final = delete(executions).where(
    executions.c.instance_id == bindparam("of_instance"), executions.c.number == bindparam("of_number")
)
_DELETE_ITEMS: Final = delete(scopes).where(
    scopes.c.instance_id == bindparam("of_instance"),
    scopes.c.home.between(bindparam("first"), bindparam("last")),
)


def _upsert_work(*, keeps_timeout: bool) -> Insert:
    statement = insert(work_items)
    new, old = statement.excluded, work_items.c
    changed: dict[str, ColumnElement[Any]] = {
        column.name: new[column.name] for column in old if column.name not in {"instance_id", "number"}
    }
    changed["fence"] = old.fence + new.fence
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
    completed_at = case((closes, bindparam("at", type_=tasks.c.completed_at.type)), else_=tasks.c.completed_at)
    return update(tasks).where(tasks.c.id == bindparam("task_id")).values(**kept, completed_at=completed_at)


_UPSERT_WORK: Final = _upsert_work(keeps_timeout=False)
_UPSERT_WORK_WITHIN_ITS_TIME: Final = _upsert_work(keeps_timeout=True)
_UPSERT_SCOPE: Final = _upsert_scope()
_CHANGE_TASK: Final = _change_task()


def commit(connection: Connection, writes: Sequence[Write], at: datetime) -> list[WriteResult]:
    """Write each transition whose conditions hold, and say why not of the others.

    Args:
        connection: In a transaction that has the write lock.
        writes: No two of one instance.
        at: Time of the commit.
    """
    situation = situation_of(connection, writes)
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
    fences = {number: situation.fences.get((instance_id, number), (0, None))[0] + 1 for number in write.take}
    return Committed(at, fences)


def _write(connection: Connection, rows: Rows, at: datetime) -> None:
    """Write all rows, table by table."""
    starts = {row.place: row for row in rows.starts}
    changes = [row for row in rows.instances if row.place not in starts]
    for statement, values in (
        (insert(instances), [_start(row, starts[row.place], at) for row in rows.instances if row.place in starts]),
        (_UPDATE, [_change(row, at) for row in changes if row.data is None]),
        (_UPDATE_WITH_DATA, [_change(row, at) for row in changes if row.data is not None]),
        (_DELETE_WORK, [{"of_instance": row.instance_id, "of_number": row.number} for row in rows.work_gone]),
        (_UPSERT_WORK, [_work(row, at) for row in rows.work if not row.keeps_timeout]),
        (_UPSERT_WORK_WITHIN_ITS_TIME, [_work(row, at) for row in rows.work if row.keeps_timeout]),
        (
            _DELETE_EXECUTION,
            [{"of_instance": row.instance_id, "of_number": row.number} for row in rows.executions_gone],
        ),
        (insert(executions), [{**_values(row), "completed_at": at} for row in rows.executions]),
        (insert(events), [_happened(row, at) for row in rows.instances if row.events is not None]),
        (insert(tasks), [_task(row, at) for row in rows.tasks]),
        (_CHANGE_TASK, [_task_change(row, at) for row in rows.task_changes]),
        (_UPSERT_SCOPE, [_values(row) for row in rows.scopes]),
        (_DELETE_ITEMS, [_dropped(row) for row in rows.dropped]),
    ):
        if values:
            connection.execute(statement, values)


def _values(row: NamedTuple) -> dict[str, Any]:
    values = row._asdict()
    del values["place"]
    return values


def _start(row: InstanceRow, start: StartRow, at: datetime) -> dict[str, Any]:
    values = {name: value for name, value in _values(row).items() if name in instances.c}
    return {
        **values,
        **_values(start),
        "id": row.instance_id,
        "revision": 1,
        "started_at": start.started_at or at,
        "updated_at": at,
        "completed_at": at if row.is_final else None,
    }


def _change(row: InstanceRow, at: datetime) -> dict[str, Any]:
    return {
        "of_instance": row.instance_id,
        "new_status": row.status,
        "new_current_step": row.current_step,
        "new_revision": row.base_revision + 1,
        "new_transition_id": row.transition_id,
        "new_marking": row.marking,
        "new_data": row.data,
        "new_error": row.error,
        "new_updated_at": at,
        "is_over": row.is_final,
        "new_phase": row.phase,
        "new_parked": row.parked,
    }


def _happened(row: InstanceRow, at: datetime) -> dict[str, Any]:
    return {
        "instance_id": row.instance_id,
        "revision": row.base_revision + 1,
        "at": at,
        "actor": row.actor,
        "events": row.events,
    }


def _work(row: WorkRow, at: datetime) -> dict[str, Any]:
    values = _values(row)
    delay_s, lease_s, timeout_s = values.pop("delay_s"), values.pop("lease_s"), values.pop("timeout_s")
    del values["keeps_timeout"]
    values.update(read_throttle(values.pop("throttle"))._asdict())
    taken = row.worker is not None
    return {
        **values,
        "due_at": _moment(at, delay_s, row.due_at),
        "fence": int(taken),
        "attempt": int(taken),
        "lease_until": _moment(at, lease_s, None),
        "timeout_at": _moment(at, timeout_s, None),
        "crashes": 0,
    }


def _task(row: TaskRow, at: datetime) -> dict[str, Any]:
    values = _values(row)
    due_s, reminder_s = values.pop("due_s"), values.pop("reminder_s")
    return {
        **values,
        "candidates": json.loads(row.candidates),
        "created_at": at,
        "due_at": _moment(at, due_s, row.due_at),
        "reminder_at": _moment(at, reminder_s, row.reminder_at),
        "completed_at": None if row.status == TaskStatus.PENDING.value else at,
    }


def _task_change(row: TaskChangeRow, at: datetime) -> dict[str, Any]:
    return {
        "task_id": row.id,
        "new_status": row.status,
        "new_assignee_id": row.assignee_id,
        "new_completed_by": row.completed_by,
        "new_comment": row.comment,
        "at": at,
    }


def _dropped(row: DroppedRow) -> dict[str, Any]:
    return {"of_instance": row.instance_id, "first": row.first, "last": row.last}


def _moment(at: datetime, seconds: float | None, moment: datetime | None) -> datetime | None:
    if moment is not None or seconds is None:
        return moment
    return at + timedelta(seconds=seconds)
