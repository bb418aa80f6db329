"""Work items as operators see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from workflows_core.domain.transition import WorkKind
from workflows_core.ports.queries import UnservedWork, WorkRecord

__all__ = ["UnservedListDTO", "UnservedWorkDTO", "WorkItemDTO", "WorkListDTO"]


class WorkItemDTO(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a worker is to do for an instance, or does."""

    number: Annotated[int, Meta(description="Unique in the instance; 0 is its deadline.")]
    kind: Annotated[WorkKind, Meta(description="What is to be done; `await` means nothing, the step only waits.")]
    step_name: Annotated[str, Meta(description="Its step; empty for the deadline of the instance.")]
    execution: Annotated[int, Meta(description="Number of the step execution that it belongs to.")]
    queue: Annotated[str, Meta(description="Whose workers may take it.")]
    priority: Annotated[int, Meta(description="Higher is taken first.")]
    due_at: Annotated[datetime | None, Meta(description="Not before this moment; null for never.")]
    worker: Annotated[str | None, Meta(description="Who holds it.")]
    lease_until: Annotated[datetime | None, Meta(description="Until when, unless the worker renews it.")]
    attempts: Annotated[int, Meta(description="How often it was taken since it was written.")]
    crashes: Annotated[int, Meta(description="How many of these workers died, or froze past their lease.")]
    timeout_at: Annotated[datetime | None, Meta(description="When the time of its step is over; null for never.")]

    @classmethod
    def of(cls, record: WorkRecord) -> WorkItemDTO:
        """Show a work item."""
        item = record.item
        return cls(
            number=item.number,
            kind=item.kind,
            step_name=item.step,
            execution=item.execution,
            queue=item.queue,
            priority=item.priority,
            due_at=record.due_at,
            worker=record.worker,
            lease_until=record.lease_until,
            attempts=record.attempt,
            crashes=record.crashes,
            timeout_at=record.timeout_at,
        )


class UnservedWorkDTO(msgspec.Struct, frozen=True, kw_only=True):
    """Work that is due and that nobody takes."""

    instance_id: UUID
    workflow_name: Annotated[str, Meta(description="The workflow whose code it needs.")]
    workflow_version: str
    tenant_id: Annotated[str, Meta(description="Empty for no tenant.")]
    work: WorkItemDTO

    @classmethod
    def of(cls, found: UnservedWork) -> UnservedWorkDTO:
        """Show it."""
        return cls(
            instance_id=found.instance_id,
            workflow_name=found.workflow_name,
            workflow_version=found.workflow_version,
            tenant_id=found.tenant_id,
            work=WorkItemDTO.of(found.work),
        )


class UnservedListDTO(msgspec.Struct, frozen=True, kw_only=True):
    """Work that nobody takes, the longest due first."""

    items: list[UnservedWorkDTO]


class WorkListDTO(msgspec.Struct, frozen=True, kw_only=True):
    """All work of an instance."""

    items: list[WorkItemDTO]
