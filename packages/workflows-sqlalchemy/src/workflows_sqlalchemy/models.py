"""ORM classes over the tables, for the queries of applications: reports, joins with their own tables, administration.

They are for reading. What an engine does goes through the store, which keeps these rows consistent; a row that is changed here bypasses
revisions, fences and the audit trail. Relationships are read-only; load them eagerly (``selectinload``) or await them
(``await instance.awaitable_attrs.human_tasks``). Decoded values suppose the default codec.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncAttrs
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, foreign, relationship

from workflows_core.domain.payload import decode_data, decode_value
from workflows_core.domain.state import ErrorInfo
from workflows_core.domain.transition import TaskOpening
from workflows_sqlalchemy import encoding, tables

__all__ = [
    "HumanTaskModel",
    "StepExecutionModel",
    "WorkflowDefinitionModel",
    "WorkflowInstanceModel",
    "WorkflowModel",
]


class WorkflowModel(AsyncAttrs, DeclarativeBase):
    """The base class of the models."""

    metadata = tables.metadata


class WorkflowDefinitionModel(WorkflowModel):
    """A stored definition: one row for each content that was ever published."""

    __table__ = tables.definitions

    id: Mapped[int]
    hash: Mapped[str]
    name: Mapped[str]
    version: Mapped[str]
    description: Mapped[str]
    definition_json: Mapped[dict[str, Any]]
    is_active: Mapped[bool]
    created_at: Mapped[datetime]

    instances: Mapped[list[WorkflowInstanceModel]] = relationship(
        primaryjoin=lambda: WorkflowDefinitionModel.hash == foreign(WorkflowInstanceModel.graph_hash),
        order_by=lambda: WorkflowInstanceModel.started_at,
        viewonly=True,
    )


class WorkflowInstanceModel(WorkflowModel):
    """An instance as it stands."""

    __table__ = tables.instances

    id: Mapped[uuid.UUID]
    tenant_id: Mapped[str]
    workflow_name: Mapped[str]
    workflow_version: Mapped[str]
    graph_hash: Mapped[str]
    status: Mapped[str]
    current_step: Mapped[str | None]
    revision: Mapped[int]
    created_by: Mapped[str | None]
    started_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]
    phase: Mapped[str]
    parked: Mapped[str | None]
    encoded_data: Mapped[bytes] = column_property(tables.instances.c["data"])
    encoded_metadata: Mapped[bytes | None] = column_property(tables.instances.c["metadata"])
    encoded_error: Mapped[str | None] = column_property(tables.instances.c["error"])

    definition: Mapped[WorkflowDefinitionModel | None] = relationship(
        primaryjoin=lambda: foreign(WorkflowInstanceModel.graph_hash) == WorkflowDefinitionModel.hash, viewonly=True
    )
    step_executions: Mapped[list[StepExecutionModel]] = relationship(
        primaryjoin=lambda: WorkflowInstanceModel.id == foreign(StepExecutionModel.instance_id),
        order_by=lambda: StepExecutionModel.number,
        viewonly=True,
    )
    human_tasks: Mapped[list[HumanTaskModel]] = relationship(
        primaryjoin=lambda: WorkflowInstanceModel.id == foreign(HumanTaskModel.instance_id),
        order_by=lambda: HumanTaskModel.created_at,
        viewonly=True,
    )

    @property
    def context_data(self) -> dict[str, Any]:
        """The data, decoded anew at each call."""
        return decode_data(encoding.decode_data(self.encoded_data))

    @property
    def start_metadata(self) -> Any:
        """What was said at the start, decoded; None if nothing was."""
        return None if self.encoded_metadata is None else decode_value(self.encoded_metadata)

    @property
    def error(self) -> ErrorInfo | None:
        """Why it failed."""
        return encoding.decode_error(self.encoded_error)


class StepExecutionModel(WorkflowModel):
    """A finished step execution; (instance, number) is its identity."""

    __table__ = tables.executions

    instance_id: Mapped[uuid.UUID]
    number: Mapped[int]
    step_name: Mapped[str]
    step_type: Mapped[str]
    status: Mapped[str]
    scope_id: Mapped[int]
    item: Mapped[int]
    visit: Mapped[int]
    attempts: Mapped[int]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime]
    completed_by: Mapped[str | None]
    compensates: Mapped[int]
    encoded_result: Mapped[bytes | None] = column_property(tables.executions.c["result"])
    encoded_error: Mapped[str | None] = column_property(tables.executions.c["error"])

    instance: Mapped[WorkflowInstanceModel] = relationship(
        primaryjoin=lambda: foreign(StepExecutionModel.instance_id) == WorkflowInstanceModel.id, viewonly=True
    )

    @property
    def output_data(self) -> Any:
        """The result, decoded; None if there is none."""
        return None if self.encoded_result is None else decode_value(self.encoded_result)

    @property
    def error(self) -> ErrorInfo | None:
        """Why it failed."""
        return encoding.decode_error(self.encoded_error)


class HumanTaskModel(WorkflowModel):
    """A human task as it stands."""

    __table__ = tables.tasks

    id: Mapped[uuid.UUID]
    instance_id: Mapped[uuid.UUID]
    workflow_name: Mapped[str]
    workflow_version: Mapped[str]
    tenant_id: Mapped[str]
    execution: Mapped[int]
    step_name: Mapped[str]
    title: Mapped[str]
    status: Mapped[str]
    assignee_id: Mapped[str | None]
    candidates: Mapped[list[str]]
    priority: Mapped[int]
    created_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    reminder_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    completed_by: Mapped[str | None]
    comment: Mapped[str | None]
    encoded_opening: Mapped[bytes] = column_property(tables.tasks.c["opening"])

    instance: Mapped[WorkflowInstanceModel] = relationship(
        primaryjoin=lambda: foreign(HumanTaskModel.instance_id) == WorkflowInstanceModel.id, viewonly=True
    )

    @property
    def opening(self) -> TaskOpening:
        """What was asked when it was opened."""
        return encoding.decode_opening(self.encoded_opening)

    @property
    def description(self) -> str | None:
        """The rendered description."""
        return self.opening.description

    @property
    def form_schema(self) -> dict[str, Any] | None:
        """JSON Schema of its form."""
        return self.opening.form_schema
