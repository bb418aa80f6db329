"""Port: the read side, for people and programs that look at instances and tasks. Nothing here is used while a step runs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Generic, Literal, Protocol, TypeVar
from uuid import UUID

import msgspec

from workflows_core.domain.events import RecordedEvent
from workflows_core.domain.graph import WorkflowGraph
from workflows_core.domain.state import ErrorInfo
from workflows_core.domain.transition import StepExecution, TaskOpening, WorkItem
from workflows_core.domain.types import Parking, Phase, TaskStatus, WorkflowStatus

__all__ = [
    "DefinitionRecord",
    "ExecutionRecord",
    "InstanceFilter",
    "InstanceRecord",
    "Page",
    "PageRequest",
    "TaskFilter",
    "TaskRecord",
    "UnservedWork",
    "WorkRecord",
    "WorkflowQueries",
]

T = TypeVar("T")


class PageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list is wanted.

    Attributes:
        limit: Most items, 1 to 1000.
        cursor: What the page before gave as ``next_cursor``; wins over ``offset``.
        offset: Items to leave out from the start.
        with_total: Also count all items that match.
    """

    limit: int = 50
    cursor: str | None = None
    offset: int = 0
    with_total: bool = False


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A part of a list.

    Attributes:
        items: In the order that was asked for.
        next_cursor: For the page after this one; None at the end.
        total: How many match in all, if that was asked.
    """

    items: tuple[T, ...]
    next_cursor: str | None = None
    total: int | None = None


class DefinitionRecord(msgspec.Struct, frozen=True):
    """A stored definition.

    Attributes:
        graph: The graph.
        created_at: When it was first stored.
        is_active: Whether new instances may be started from it.
    """

    graph: WorkflowGraph
    created_at: datetime
    is_active: bool = True


class InstanceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An instance as a list shows it.

    Attributes:
        id: Identity.
        workflow_name: Name of its workflow.
        workflow_version: Its version.
        graph_hash: Identity of the graph that runs.
        status: Derived by the kernel.
        current_step: The first active step, in the order of entry; None when none is active.
        tenant_id: Its tenant; empty is "no tenant".
        created_by: Actor who started it.
        started_at: When it was started.
        updated_at: Time of its last transition.
        completed_at: When it was over; None before.
        error: Why it failed.
        revision: Number of its last transition.
        phase: What it is about, beside its status.
        parked: Why it waits for an operator.
    """

    id: UUID
    workflow_name: str
    workflow_version: str
    graph_hash: str
    status: WorkflowStatus
    current_step: str | None
    tenant_id: str
    created_by: str | None
    started_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    error: ErrorInfo | None
    revision: int
    phase: Phase = Phase.NORMAL
    parked: Parking | None = None


class ExecutionRecord(msgspec.Struct, frozen=True):
    """A finished step execution with the time of its end."""

    execution: StepExecution
    completed_at: datetime


class WorkRecord(msgspec.Struct, frozen=True):
    """A work item as an operator sees it.

    Attributes:
        item: The work item; its delay is spent.
        due_at: When it may be claimed; None for never.
        worker: Who holds it; None when nobody does, or the lease has ended.
        lease_until: Until when.
        attempt: How often it was claimed since a transition wrote it.
        timeout_at: When its time is over; None for never.
        crashes: How many of those claims ended with their lease.
    """

    item: WorkItem
    due_at: datetime | None
    worker: str | None
    lease_until: datetime | None
    attempt: int
    timeout_at: datetime | None = None
    crashes: int = 0


class UnservedWork(msgspec.Struct, frozen=True, kw_only=True):
    """Work that is due and that nobody takes.

    Attributes:
        instance_id: Its instance.
        workflow_name: The workflow whose code it needs.
        workflow_version: The version of that.
        tenant_id: Tenant of the instance.
        work: The work item.
    """

    instance_id: UUID
    workflow_name: str
    workflow_version: str
    tenant_id: str
    work: WorkRecord


class TaskRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A human task as it stands.

    Attributes:
        opening: What was asked when it was opened; ``assignee_id`` there is the first assignee.
        instance_id: Instance that waits for it.
        workflow_name: Its workflow.
        workflow_version: Its version.
        tenant_id: Its tenant.
        status: Open, completed or cancelled.
        assignee_id: Who is to do it now.
        created_at: When it was opened.
        due_at: When it is due.
        reminder_at: When a reminder is due.
        completed_at: When it was completed or cancelled.
        completed_by: Who completed it.
        comment: What that person said.
    """

    opening: TaskOpening
    instance_id: UUID
    workflow_name: str
    workflow_version: str
    tenant_id: str
    status: TaskStatus
    assignee_id: str | None
    created_at: datetime
    due_at: datetime | None = None
    reminder_at: datetime | None = None
    completed_at: datetime | None = None
    completed_by: str | None = None
    comment: str | None = None

    @property
    def id(self) -> UUID:
        """Identity of the task."""
        return self.opening.id


class InstanceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which instances are wanted; what is None does not restrict.

    Attributes:
        tenant: Only this tenant's; None is for operators, across tenants.
        workflow_name: Name of the workflow.
        workflow_version: Version of the workflow.
        statuses: Any of these.
        created_by: Actor who started it.
        started_after: Started at or after.
        started_before: Started before.
        is_parked: Whether it waits for an operator: dead letters, and compensations that failed.
        order_by: Sort key; ties by id, in the same direction.
        descending: Newest (or greatest) first.
    """

    tenant: str | None = None
    workflow_name: str | None = None
    workflow_version: str | None = None
    statuses: tuple[WorkflowStatus, ...] | None = None
    created_by: str | None = None
    started_after: datetime | None = None
    started_before: datetime | None = None
    is_parked: bool | None = None
    order_by: Literal["started_at", "updated_at"] = "started_at"
    descending: bool = True


class TaskFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which tasks are wanted; what is None does not restrict.

    Attributes:
        tenant: Only this tenant's; None is for operators, across tenants.
        statuses: Any of these.
        user_id: Tasks that this user may do: assigned to the user, or unassigned with the user or one of ``groups`` as candidate,
            or unassigned without any candidate.
        groups: Groups of that user.
        assignee_id: Assigned to exactly this user.
        workflow_name: Of instances of this workflow.
        instance_id: Of this instance.
        step_name: Of this step.
        due_before: Due before this moment.
        order_by: Sort key; ties by id, in the same direction. Tasks without a due date come last in both directions.
        descending: Latest (or greatest) first.
    """

    tenant: str | None = None
    statuses: tuple[TaskStatus, ...] | None = None
    user_id: str | None = None
    groups: frozenset[str] = frozenset()
    assignee_id: str | None = None
    workflow_name: str | None = None
    instance_id: UUID | None = None
    step_name: str | None = None
    due_before: datetime | None = None
    order_by: Literal["created_at", "due_at", "priority"] = "created_at"
    descending: bool = False


class WorkflowQueries(Protocol):
    """Answers questions about what the store holds. Reads committed state; each call is consistent in itself."""

    @abstractmethod
    async def list_definitions(self, *, name: str | None = None) -> Sequence[DefinitionRecord]:
        """Stored definitions, by name, then oldest first; of one name and version the newest content comes last."""

    @abstractmethod
    async def list_instances(self, where: InstanceFilter, page: PageRequest) -> Page[InstanceRecord]:
        """Instances in the order asked for.

        A cursor continues after the last item of its page, so nothing is shown twice or left out when rows come and go.

        Raises:
            InvalidCursorError: The cursor was not made by a query of this order.
        """

    @abstractmethod
    async def get_instance(self, instance_id: UUID, *, tenant: str | None = None) -> InstanceRecord | None:
        """One instance, or None if there is none (for that tenant)."""

    @abstractmethod
    async def count_instances(self, where: InstanceFilter) -> dict[WorkflowStatus, int]:
        """How many instances match, by status; statuses without any are left out."""

    @abstractmethod
    async def list_executions(
        self, instance_id: UUID, *, after: int = 0, limit: int = 1000
    ) -> Sequence[ExecutionRecord]:
        """Finished step executions with a number above ``after``, ascending by number."""

    @abstractmethod
    async def list_events(
        self, instance_id: UUID, *, after_revision: int = 0, limit: int = 1000
    ) -> Sequence[RecordedEvent]:
        """Events of revisions above ``after_revision``, ascending by revision and position; whole revisions only.

        Stops with a revision that reaches ``limit``, or before one that would pass it; at least one revision is given.
        """

    @abstractmethod
    async def list_work(self, instance_id: UUID) -> Sequence[WorkRecord]:
        """Work items of one instance, ascending by number."""

    @abstractmethod
    async def list_tasks(self, where: TaskFilter, page: PageRequest) -> Page[TaskRecord]:
        """Tasks in the order asked for; cursors as for instances.

        Raises:
            InvalidCursorError: The cursor was not made by a query of this order.
        """

    @abstractmethod
    async def get_task(self, task_id: UUID, *, tenant: str | None = None) -> TaskRecord | None:
        """One task, or None if there is none (for that tenant)."""

    @abstractmethod
    async def find_stalled(self, *, limit: int = 100) -> Sequence[UUID]:
        """Instances that are neither over nor parked, nor have a work item or an open task or wait for a call: always none.

        A deadline alone does not count as work.

        Oldest first.
        """

    @abstractmethod
    async def find_unserved(self, *, overdue_s: float, limit: int = 100) -> Sequence[UnservedWork]:
        """Work that nobody has taken for at least so many seconds, the longest first, ties by instance and number.

        The time counts from the moment when it was due, or from the end of the last lease. No worker that runs has its code and serves its
        queue, or all that do are busy. Work of paused instances is left out, and so is work that waits for a slot or for its rate.
        """
