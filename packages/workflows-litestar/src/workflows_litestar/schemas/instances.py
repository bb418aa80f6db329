"""Instances, their history and their events, as clients see them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from workflows_core import ActiveStep, Parking, Phase, StepStatus, StepType, WorkflowInstance, WorkflowStatus
from workflows_core.domain.events import RecordedEvent
from workflows_core.domain.payload import to_json_value
from workflows_core.domain.state import ErrorInfo
from workflows_core.ports.queries import ExecutionRecord, InstanceRecord

__all__ = [
    "ActiveStepDTO",
    "ErrorDTO",
    "EventDTO",
    "StepExecutionDTO",
    "WorkflowInstanceDTO",
    "WorkflowInstanceDetailDTO",
]


class ErrorDTO(msgspec.Struct, frozen=True, kw_only=True):
    """Why something failed; the traceback stays on the server."""

    type: Annotated[str, Meta(description="Name of the exception's class.", examples=["ConnectionError"])]
    message: str
    step_name: Annotated[str | None, Meta(description="Step that failed; null if the instance failed as a whole.")]

    @classmethod
    def of(cls, error: ErrorInfo | None) -> ErrorDTO | None:
        """Show an error, if there is one."""
        return None if error is None else cls(type=error.type, message=error.message, step_name=error.step or None)


class WorkflowInstanceDTO(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow instance as a list shows it."""

    id: UUID
    workflow_name: Annotated[str, Meta(examples=["document_approval"])]
    workflow_version: Annotated[str, Meta(examples=["1.0.0"])]
    status: WorkflowStatus
    phase: Annotated[
        Phase, Meta(description="Whether it does its work, or is being ended and undoes what it has done.")
    ]
    parked: Annotated[
        Parking | None,
        Meta(description="Why it waits for an operator, who may retry or discard it; null if it does not."),
    ]
    current_step: Annotated[str | None, Meta(description="The first active step; see `active_steps` of the detail.")]
    created_by: Annotated[str | None, Meta(description="Actor who started it.", examples=["alice"])]
    tenant_id: Annotated[str, Meta(description="Its tenant; empty for no tenant.")]
    started_at: datetime
    updated_at: Annotated[datetime, Meta(description="Time of its last change.")]
    completed_at: Annotated[datetime | None, Meta(description="When it was over.")]
    error: ErrorDTO | None
    revision: Annotated[int, Meta(description="Grows with each change.", examples=[3])]

    @classmethod
    def of(cls, instance: WorkflowInstance | InstanceRecord) -> WorkflowInstanceDTO:
        """Show an instance."""
        return cls(**_shared(instance))


class ActiveStepDTO(msgspec.Struct, frozen=True, kw_only=True):
    """A step execution that is under way."""

    step_name: str
    status: StepStatus
    execution: Annotated[int, Meta(description="Number of the execution; 0 while it waits for other branches.")]
    since: Annotated[datetime | None, Meta(description="When the step was entered.")]
    item: Annotated[int | None, Meta(description="Index of the `ForEach` item in which it is.")]

    @classmethod
    def of(cls, step: ActiveStep) -> ActiveStepDTO:
        """Show an active step."""
        return cls(
            step_name=step.step_name,
            status=step.status,
            execution=step.execution,
            since=step.since,
            item=_item(step.item),
        )


class StepExecutionDTO(msgspec.Struct, frozen=True, kw_only=True):
    """A finished visit of a step."""

    number: Annotated[int, Meta(description="Unique in the instance, ascending in the order of entry.")]
    step_name: str
    step_type: StepType
    status: StepStatus
    started_at: datetime | None
    completed_at: datetime
    attempts: Annotated[int, Meta(description="How often its code was begun.")]
    visit: Annotated[int, Meta(description="How many times the step had been entered by then.")]
    item: Annotated[int | None, Meta(description="Index of the `ForEach` item in which it ran.")]
    error: ErrorDTO | None
    completed_by: Annotated[str | None, Meta(description="Who completed it, for human steps.")]
    compensates: Annotated[int | None, Meta(description="Number of the execution that this one has undone.")]

    @classmethod
    def of(cls, record: ExecutionRecord) -> StepExecutionDTO:
        """Show a finished step execution."""
        execution = record.execution
        return cls(
            number=execution.number,
            step_name=execution.step_name,
            step_type=execution.step_type,
            status=execution.status,
            started_at=execution.started_at,
            completed_at=record.completed_at,
            attempts=execution.attempts,
            visit=execution.visit,
            item=_item(execution.item),
            error=ErrorDTO.of(execution.error),
            completed_by=execution.completed_by,
            compensates=execution.compensates or None,
        )


class WorkflowInstanceDetailDTO(WorkflowInstanceDTO, frozen=True, kw_only=True):
    """A workflow instance with what it holds and how it came there."""

    context_data: Annotated[dict[str, Any], Meta(description="The instance's data.")]
    metadata: Annotated[dict[str, Any], Meta(description="What was given at the start.")]
    active_steps: list[ActiveStepDTO]
    step_history: Annotated[
        list[StepExecutionDTO], Meta(description="The first finished step executions, oldest first.")
    ]
    priority: Annotated[int, Meta(description="Of its work, where a step says nothing else.", examples=[0])]
    has_more_history: Annotated[bool, Meta(description="Whether `…/history` has more of them.")]

    @classmethod
    def detail_of(
        cls, instance: WorkflowInstance, history: Sequence[ExecutionRecord], *, has_more_history: bool
    ) -> WorkflowInstanceDetailDTO:
        """Show an instance with its history."""
        return cls(
            **_shared(instance),
            context_data=to_json_value(instance.data),
            metadata=to_json_value(instance.metadata),
            active_steps=[ActiveStepDTO.of(step) for step in instance.active_steps],
            step_history=[StepExecutionDTO.of(record) for record in history],
            priority=instance.priority,
            has_more_history=has_more_history,
        )


class EventDTO(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to an instance."""

    revision: Annotated[int, Meta(description="Change of the instance that it belongs to.")]
    position: Annotated[int, Meta(description="Its place in that change, from 0.")]
    type: Annotated[str, Meta(examples=["human_task_completed"])]
    at: datetime
    actor: Annotated[str, Meta(description="Who caused it.", examples=["alice"])]
    data: Annotated[dict[str, Any], Meta(description="What belongs to an event of this type.")]

    @classmethod
    def of(cls, recorded: RecordedEvent) -> EventDTO:
        """Show an event."""
        data = msgspec.to_builtins(recorded.event)
        kind = data.pop("type")
        for shared in ("instance_id", "workflow_name", "tenant_id"):
            data.pop(shared, None)
        return cls(
            revision=recorded.revision,
            position=recorded.position,
            type=kind,
            at=recorded.at,
            actor=recorded.actor,
            data=data,
        )


def _shared(instance: WorkflowInstance | InstanceRecord) -> dict[str, Any]:
    return {
        "id": instance.id,
        "workflow_name": instance.workflow_name,
        "workflow_version": instance.workflow_version,
        "status": instance.status,
        "phase": instance.phase,
        "parked": instance.parked,
        "current_step": instance.current_step,
        "created_by": instance.created_by,
        "tenant_id": instance.tenant_id,
        "started_at": instance.started_at,
        "updated_at": instance.updated_at,
        "completed_at": instance.completed_at,
        "error": ErrorDTO.of(instance.error),
        "revision": instance.revision,
    }


def _item(index: int) -> int | None:
    return None if index < 0 else index
