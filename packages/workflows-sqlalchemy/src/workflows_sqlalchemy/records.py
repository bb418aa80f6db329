"""From rows to the records of the port."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from workflows_core.domain.events import RecordedEvent
from workflows_core.domain.graph import WorkflowGraph
from workflows_core.domain.transition import StepExecution
from workflows_core.domain.types import Parking, Phase, StepStatus, StepType, TaskStatus, WorkflowStatus
from workflows_core.ports.queries import (
    DefinitionRecord,
    ExecutionRecord,
    InstanceRecord,
    TaskRecord,
    UnservedWork,
    WorkRecord,
)
from workflows_sqlalchemy.encoding import decode_error, decode_events, decode_opening
from workflows_sqlalchemy.loading import WORK_COLUMNS, AnyRow, work_item_of
from workflows_sqlalchemy.tables import instances, work_items

__all__ = [
    "INSTANCE_COLUMNS",
    "WORK_RECORD_COLUMNS",
    "definition_record",
    "execution_record",
    "instance_record",
    "recorded_events",
    "task_record",
    "unserved_work",
    "work_record",
]

INSTANCE_COLUMNS: Final = (
    instances.c.id,
    instances.c.workflow_name,
    instances.c.workflow_version,
    instances.c.graph_hash,
    instances.c.status,
    instances.c.current_step,
    instances.c.tenant_id,
    instances.c.created_by,
    instances.c.started_at,
    instances.c.updated_at,
    instances.c.completed_at,
    instances.c.error,
    instances.c.revision,
    instances.c.phase,
    instances.c.parked,
)
"""The columns of an instance's record; none of the large ones."""

WORK_RECORD_COLUMNS: Final = (
    *WORK_COLUMNS,
    work_items.c.worker,
    work_items.c.lease_until,
)


def definition_record(row: AnyRow) -> DefinitionRecord:
    """The record of a row of definitions."""
    return DefinitionRecord(msgspec.convert(row.definition_json, WorkflowGraph), row.created_at, row.is_active)


def instance_record(row: AnyRow) -> InstanceRecord:
    """The record of a row of instances."""
    return InstanceRecord(
        id=row.id,
        workflow_name=row.workflow_name,
        workflow_version=row.workflow_version,
        graph_hash=row.graph_hash,
        status=WorkflowStatus(row.status),
        current_step=row.current_step,
        tenant_id=row.tenant_id,
        created_by=row.created_by,
        started_at=row.started_at,
        updated_at=row.updated_at,
        completed_at=row.completed_at,
        error=decode_error(row.error),
        revision=row.revision,
        phase=Phase(row.phase),
        parked=None if row.parked is None else Parking(row.parked),
    )


def execution_record(row: AnyRow) -> ExecutionRecord:
    """The record of a row of step executions."""
    execution = StepExecution(
        row.number,
        row.step_name,
        StepType(row.step_type),
        StepStatus(row.status),
        row.started_at,
        row.scope_id,
        row.item,
        row.visit,
        row.attempts,
        row.result,
        decode_error(row.error),
        row.completed_by,
        row.compensates,
    )
    return ExecutionRecord(execution, row.completed_at)


def recorded_events(row: AnyRow) -> list[RecordedEvent]:
    """The events of one transition."""
    return [
        RecordedEvent(row.revision, position, row.at, row.actor, event)
        for position, event in enumerate(decode_events(row.events))
    ]


def work_record(row: AnyRow, now: datetime) -> WorkRecord:
    """The record of a row of work items; a lease that has ended is nobody's."""
    held = row.lease_until is not None and row.lease_until > now
    return WorkRecord(
        work_item_of(row),
        row.due_at,
        row.worker if held else None,
        row.lease_until if held else None,
        row.attempt,
        row.timeout_at,
        row.crashes,
    )


def unserved_work(row: AnyRow, now: datetime) -> UnservedWork:
    """Work that nobody takes, of a row of work items and instances."""
    return UnservedWork(
        instance_id=row.id,
        workflow_name=row.workflow_name,
        workflow_version=row.workflow_version,
        tenant_id=row.tenant_id,
        work=work_record(row, now),
    )


def task_record(row: AnyRow) -> TaskRecord:
    """The record of a row of tasks."""
    return TaskRecord(
        opening=decode_opening(row.opening),
        instance_id=row.instance_id,
        workflow_name=row.workflow_name,
        workflow_version=row.workflow_version,
        tenant_id=row.tenant_id,
        status=TaskStatus(row.status),
        assignee_id=row.assignee_id,
        created_at=row.created_at,
        due_at=row.due_at,
        reminder_at=row.reminder_at,
        completed_at=row.completed_at,
        completed_by=row.completed_by,
        comment=row.comment,
    )
