"""From the filters of the port to conditions on the tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from sqlalchemy import Boolean, Column, ColumnElement, and_, literal_column, or_

from workflows_core.domain.types import TaskStatus, WorkflowStatus
from workflows_core.ports.queries import InstanceFilter, TaskFilter
from workflows_sqlalchemy.tables import NOT_COMPLETED, OPEN_TASK, instances, tasks
from workflows_sqlalchemy.writing import candidates_of

__all__ = ["AnyOf", "instance_conditions", "is_open_task", "is_unfinished", "task_conditions"]

AnyOf: TypeAlias = Callable[[Column[list[str]], Sequence[str]], ColumnElement[bool]]
"""Whether a list in a column has one of these texts; each database says it in its own way."""

UNFINISHED = tuple(status for status in WorkflowStatus if not status.is_final)


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
    return conditions


def is_unfinished() -> list[ColumnElement[bool]]:
    """Conditions on instances that are not over."""
    return _in_statuses(UNFINISHED)


def is_open_task() -> ColumnElement[bool]:
    """Condition on tasks that are open, in the words of the partial indexes."""
    return literal_column(f"{tasks.name}.{OPEN_TASK}", Boolean())


def task_conditions(where: TaskFilter, any_of: AnyOf) -> list[ColumnElement[bool]]:
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
        conditions.append(_may_be_done(where, any_of))
    if where.due_before is not None:
        conditions.append(tasks.c.due_at < where.due_before)
    return conditions


def _in_statuses(statuses: Sequence[WorkflowStatus]) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [instances.c.status.in_([status.value for status in statuses])]
    if WorkflowStatus.COMPLETED not in statuses:
        conditions.append(
            literal_column(f"{instances.name}.{NOT_COMPLETED}", Boolean())
        )  # the words of the partial index
    return conditions


def _may_be_done(where: TaskFilter, any_of: AnyOf) -> ColumnElement[bool]:
    user = where.user_id or ""
    mine = any_of(tasks.c.candidates, candidates_of((user,), sorted(where.groups)))
    unassigned = and_(tasks.c.assignee_id.is_(None), or_(mine, tasks.c.candidates == []))
    return or_(tasks.c.assignee_id == user, unassigned)
