"""Human tasks as clients see them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from workflows_core import TaskStatus
from workflows_core.domain.payload import to_json_value
from workflows_core.ports.queries import TaskRecord

__all__ = ["HumanTaskDTO", "HumanTaskDetailDTO"]


class HumanTaskDTO(msgspec.Struct, frozen=True, kw_only=True):
    """A human task as a list shows it."""

    id: UUID
    instance_id: UUID
    workflow_name: Annotated[str, Meta(examples=["document_approval"])]
    workflow_version: Annotated[str, Meta(examples=["1.0.0"])]
    step_name: Annotated[str, Meta(examples=["review"])]
    title: Annotated[str, Meta(examples=["Review Document"])]
    description: str | None
    status: TaskStatus
    assignee_id: Annotated[str | None, Meta(description="Who is to do it; null leaves it to the candidates.")]
    candidate_users: Annotated[list[str], Meta(description="Who may do it.")]
    candidate_groups: Annotated[list[str], Meta(description="Whose members may do it.")]
    priority: Annotated[int, Meta(description="0 (least) to 100.", examples=[50])]
    created_at: datetime
    due_at: datetime | None
    completed_at: Annotated[datetime | None, Meta(description="When it was completed or cancelled.")]
    completed_by: str | None
    comment: Annotated[str | None, Meta(description="What that person said.")]

    @classmethod
    def of(cls, task: TaskRecord) -> HumanTaskDTO:
        """Show a task."""
        return cls(**_shared(task))


class HumanTaskDetailDTO(HumanTaskDTO, frozen=True, kw_only=True):
    """A human task with its form and what a person needs to decide."""

    form_schema: Annotated[dict[str, Any] | None, Meta(description="JSON Schema of the form; null accepts any object.")]
    workflow_context: Annotated[dict[str, Any], Meta(description="The instance's data as they stand now.")]

    @classmethod
    def detail_of(cls, task: TaskRecord, data: Mapping[str, Any]) -> HumanTaskDetailDTO:
        """Show a task beside the data of its instance."""
        return cls(**_shared(task), form_schema=task.opening.form_schema, workflow_context=to_json_value(data))


def _shared(task: TaskRecord) -> dict[str, Any]:
    opening = task.opening
    return {
        "id": task.id,
        "instance_id": task.instance_id,
        "workflow_name": task.workflow_name,
        "workflow_version": task.workflow_version,
        "step_name": opening.step_name,
        "title": opening.title,
        "description": opening.description,
        "status": task.status,
        "assignee_id": task.assignee_id,
        "candidate_users": list(opening.candidate_users),
        "candidate_groups": list(opening.candidate_groups),
        "priority": opening.priority,
        "created_at": task.created_at,
        "due_at": task.due_at,
        "completed_at": task.completed_at,
        "completed_by": task.completed_by,
        "comment": task.comment,
    }
