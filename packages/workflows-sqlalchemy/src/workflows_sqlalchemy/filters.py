"""From the filters of the port to conditions on the tables."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Boolean, ColumnElement, and_, literal, literal_column, or_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from workflows_core.domain.types import TaskStatus, WorkflowStatus
from workflows_core.ports.queries import InstanceFilter, TaskFilter
from workflows_sqlalchemy.column_types import TextList
from workflows_sqlalchemy.tables import FAILED, OPEN_TASK, UNFINISHED, instances, tasks
from workflows_sqlalchemy.writing import candidates_of

__all__ = ["instance_conditions", "is_open_task", "is_unfinished", "may_be_done", "task_conditions"]


def instance_conditions(where: InstanceFilter) -> list[ColumnElement[bool]]:
    """Conditions on instances."""
    conditions = [
        column == value
        for column, value in (
            (instances.c.tenant_id, where.tenant),
            (instances.c.workflow_name, where.workflow_name),
            (instances.c.workflow_version, where.workflow_version),
            (instances.c.created_by, where.created_by),
        )
        if value is not None
    ]
    if where.statuses is not None:
        conditions.extend(_in_statuses(where.statuses))
    if where.started_after is not None:
        conditions.append(instances.c.started_at >= where.started_after)
    if where.started_before is not None:
        conditions.append(instances.c.started_at < where.started_before)
    if where.is_parked is not None:
        conditions.append(instances.c.parked.is_not(None) if where.is_parked else instances.c.parked.is_(None))
    return conditions


def is_unfinished() -> ColumnElement[bool]:
    """Condition on instances that are not over, in the words of the partial index."""
    return _literal(f"{instances.name}.{UNFINISHED}")


def is_open_task() -> ColumnElement[bool]:
    """Condition on tasks that are open, in the words of the partial indexes."""
    return _literal(f"{tasks.name}.{OPEN_TASK}")


def task_conditions(where: TaskFilter) -> list[ColumnElement[bool]]:
    """Conditions on tasks."""
    conditions = [
        column == value
        for column, value in (
            (tasks.c.tenant_id, where.tenant),
            (tasks.c.assignee_id, where.assignee_id),
            (tasks.c.workflow_name, where.workflow_name),
            (tasks.c.instance_id, where.instance_id),
            (tasks.c.step_name, where.step_name),
        )
        if value is not None
    ]
    if where.statuses is not None:
        conditions.append(tasks.c.status.in_([status.value for status in where.statuses]))
        if where.statuses == (TaskStatus.PENDING,):
            conditions.append(is_open_task())
    if where.user_id is not None:
        conditions.append(may_be_done(where.user_id, where.groups))
    if where.due_before is not None:
        conditions.append(tasks.c.due_at < where.due_before)
    return conditions


def may_be_done(user_id: str, groups: Collection[str] = ()) -> ColumnElement[bool]:
    """Condition on tasks that a user, being in these groups, may do."""
    candidates = candidates_of((user_id,), sorted(groups))
    is_candidate = _HasAny(tasks.c.candidates, literal(candidates, TextList()))
    unassigned = and_(tasks.c.assignee_id.is_(None), or_(is_candidate, tasks.c.candidates == []))
    return or_(tasks.c.assignee_id == user_id, unassigned)


def _literal(condition: str) -> ColumnElement[bool]:
    """A condition word for word; with a type, SQLite would be asked whether it equals 1."""
    return literal_column(condition)


def _in_statuses(statuses: Collection[WorkflowStatus]) -> list[ColumnElement[bool]]:
    """The condition, and once more in the words of a partial index that has all of these."""
    conditions: list[ColumnElement[bool]] = [instances.c.status.in_([status.value for status in statuses])]
    if not any(status.is_final for status in statuses):
        conditions.append(is_unfinished())
    elif set(statuses) == {WorkflowStatus.FAILED}:
        conditions.append(_literal(f"{instances.name}.{FAILED}"))
    return conditions


class _HasAny(FunctionElement[bool]):
    """Whether two lists of texts have one in common."""

    type = Boolean()
    name = "has_any"
    inherit_cache = True


@compiles(_HasAny, "postgresql")
def _on_postgresql(element: _HasAny, compiler: SQLCompiler, **options: Any) -> str:
    column, texts = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} && {texts}"


@compiles(_HasAny, "sqlite")
def _on_sqlite(element: _HasAny, compiler: SQLCompiler, **options: Any) -> str:
    column, texts = (compiler.process(clause, **options) for clause in element.clauses)
    return f"EXISTS (SELECT 1 FROM json_each({column}) WHERE value IN (SELECT value FROM json_each({texts})))"
