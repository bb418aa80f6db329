"""The rows that a transition writes, the same for every database. Moments that count from the commit are still open in them.

Each row begins with its ``place``: the place in the batch of the write that it belongs to. The other fields are named as the columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

__all__ = [
    "DroppedRow",
    "ExecutionGoneRow",
    "ExecutionRow",
    "InstanceRow",
    "Rows",
    "ScopeRow",
    "StartRow",
    "TaskChangeRow",
    "TaskRow",
    "WorkGoneRow",
    "WorkRow",
]


class InstanceRow(NamedTuple):
    """What changes of an instance, and the conditions; ``data`` None leaves the data as they are.

    ``held_numbers`` are the work items of ``held_worker`` under which it was decided, each with its fence. ``events`` are those of the
    transition.
    """

    place: int
    instance_id: UUID
    base_revision: int
    status: str
    current_step: str | None
    transition_id: UUID
    marking: bytes
    data: bytes | None
    error: str | None
    is_final: bool
    phase: str
    parked: str | None
    held_numbers: tuple[int, ...]
    held_fences: tuple[int, ...]
    held_worker: str | None
    actor: str
    events: bytes


class StartRow(NamedTuple):
    """What is written once of an instance."""

    place: int
    tenant_id: str
    workflow_name: str
    workflow_version: str
    graph_hash: str
    metadata: bytes | None
    created_by: str | None
    started_at: datetime | None
    start_key: str | None
    start_digest: str | None


class WorkRow(NamedTuple):
    """A work item; due at ``due_at``, else so many seconds after the commit, else never. ``worker`` is who takes it.

    ``throttle`` is what it may have to wait for, see `workflows_sqlalchemy.throttles`; ``turn_of`` is its tenant, None if it is due later.
    """

    place: int
    instance_id: UUID
    number: int
    kind: str
    step_name: str
    scope_id: int
    home: int
    execution: int
    queue: str
    priority: int
    delay_s: float | None
    due_at: datetime | None
    revision: int
    worker: str | None
    lease_s: float | None
    timeout_s: float | None
    keeps_timeout: bool
    throttle: str | None
    turn_of: str | None


class WorkGoneRow(NamedTuple):
    """A work item to be deleted."""

    place: int
    instance_id: UUID
    number: int


class ExecutionRow(NamedTuple):
    """A finished step execution."""

    place: int
    instance_id: UUID
    number: int
    step_name: str
    step_type: str
    status: str
    scope_id: int
    item: int
    visit: int
    attempts: int
    started_at: datetime | None
    result: bytes | None
    error: str | None
    completed_by: str | None
    compensates: int


class ExecutionGoneRow(NamedTuple):
    """A finished step execution that is open again."""

    place: int
    instance_id: UUID
    number: int


class TaskRow(NamedTuple):
    """A task to be opened; ``candidates`` is a JSON list."""

    place: int
    id: UUID
    instance_id: UUID
    workflow_name: str
    workflow_version: str
    tenant_id: str
    execution: int
    step_name: str
    title: str
    status: str
    assignee_id: str | None
    candidates: str
    priority: int
    due_s: float | None
    due_at: datetime | None
    reminder_s: float | None
    reminder_at: datetime | None
    completed_by: str | None
    comment: str | None
    opening: bytes


class TaskChangeRow(NamedTuple):
    """A change of a task; None leaves a field as it is."""

    place: int
    id: UUID
    status: str | None
    assignee_id: str | None
    completed_by: str | None
    comment: str | None


class ScopeRow(NamedTuple):
    """The scope of an item (``scope_id`` is ``home``; ``data`` and ``result`` None are left as they are), or one inside it."""

    place: int
    instance_id: UUID
    home: int
    scope_id: int
    parent_home: int
    marking: bytes | None
    data: bytes | None
    result: bytes | None


class DroppedRow(NamedTuple):
    """Items to be deleted, with all that is inside them."""

    place: int
    instance_id: UUID
    first: int
    last: int


@dataclass(slots=True)
class Rows:
    """The rows of a batch of writes, by table."""

    instances: list[InstanceRow] = field(default_factory=list)
    starts: list[StartRow] = field(default_factory=list)
    work: list[WorkRow] = field(default_factory=list)
    work_gone: list[WorkGoneRow] = field(default_factory=list)
    executions: list[ExecutionRow] = field(default_factory=list)
    executions_gone: list[ExecutionGoneRow] = field(default_factory=list)
    tasks: list[TaskRow] = field(default_factory=list)
    task_changes: list[TaskChangeRow] = field(default_factory=list)
    scopes: list[ScopeRow] = field(default_factory=list)
    dropped: list[DroppedRow] = field(default_factory=list)
