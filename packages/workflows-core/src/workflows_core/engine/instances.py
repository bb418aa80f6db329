"""An instance as the application sees it: decoded, at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from workflows_core.domain.payload import decode_data
from workflows_core.domain.state import ErrorInfo, InstanceState
from workflows_core.domain.types import Parking, Phase, StepStatus, WorkflowStatus
from workflows_core.errors import InstanceNotFoundError
from workflows_core.ports.codec import PayloadCodec
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import WorkflowStore

__all__ = ["ActiveStep", "WorkflowInstance", "active_steps", "read_instance", "to_instance"]


@dataclass(frozen=True, slots=True)
class ActiveStep:
    """A step execution that is under way.

    Attributes:
        step_name: The step.
        status: ``pending`` (at a join), ``scheduled`` (ready for a worker, or with one) or ``waiting``.
        execution: Number of the execution; 0 at a join.
        since: When the step was entered.
        scope: Scope in which it is.
        item: Index of the ``ForEach`` item in which it is; -1 outside.
    """

    step_name: str
    status: StepStatus
    execution: int
    since: datetime | None
    scope: int = 0
    item: int = -1


@dataclass(frozen=True, slots=True)
class WorkflowInstance:
    """One run of a workflow, as it stood when it was read; it does not change afterwards.

    Attributes:
        id: Identity.
        workflow_name: Name of its workflow.
        workflow_version: Its version.
        graph_hash: Identity of the graph that runs.
        status: What it does now.
        active_steps: Step executions under way, in the order of entry.
        data: The instance's data, decoded; a copy.
        metadata: What was given at the start.
        error: Why it failed.
        created_by: Actor who started it.
        tenant_id: Its tenant; empty is "no tenant".
        started_at: When it was started.
        updated_at: Time of its last transition.
        completed_at: When it was over; None before.
        revision: Number of its last transition.
        phase: What it is about, beside its status.
        parked: Why it waits for an operator; None if it does not.
        priority: Of its work, where a step says nothing else.
        is_duplicate: Whether a start found it by its idempotency key instead of starting it.
    """

    id: UUID
    workflow_name: str
    workflow_version: str
    graph_hash: str
    status: WorkflowStatus
    active_steps: tuple[ActiveStep, ...]
    data: dict[str, Any]
    metadata: dict[str, Any]
    error: ErrorInfo | None
    created_by: str | None
    tenant_id: str
    started_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    revision: int
    phase: Phase = Phase.NORMAL
    parked: Parking | None = None
    priority: int = 0
    is_duplicate: bool = False

    @property
    def current_step(self) -> str | None:
        """The first active step; a convenience where only one is active."""
        return self.active_steps[0].step_name if self.active_steps else None


def active_steps(state: InstanceState) -> tuple[ActiveStep, ...]:
    """The step executions under way, in the order of entry; those waiting at a join last."""
    if state.status.is_final:
        return ()
    found = [
        ActiveStep(token.node, token.status, token.execution, token.since, scope.id, scope.index)
        for scope in state.scopes.values()
        for token in scope.tokens.values()
    ]
    return tuple(sorted(found, key=lambda step: (step.execution == 0, step.execution)))


def to_instance(
    state: InstanceState,
    codec: PayloadCodec,
    *,
    updated_at: datetime,
    completed_at: datetime | None = None,
    is_duplicate: bool = False,
) -> WorkflowInstance:
    """Decode a state."""
    return WorkflowInstance(
        id=state.id,
        workflow_name=state.workflow,
        workflow_version=state.version,
        graph_hash=state.graph_hash,
        status=state.status,
        active_steps=active_steps(state),
        data=decode_data(state.data, codec.decode),
        metadata={} if state.metadata is None else codec.decode(state.metadata),
        error=state.error,
        created_by=state.created_by,
        tenant_id=state.tenant,
        started_at=state.started_at or updated_at,
        updated_at=updated_at,
        completed_at=completed_at or (updated_at if state.status.is_final else None),
        revision=state.revision,
        phase=state.phase,
        parked=state.parked,
        priority=state.priority,
        is_duplicate=is_duplicate,
    )


async def read_instance(
    store: WorkflowStore, queries: WorkflowQueries, codec: PayloadCodec, instance_id: UUID, *, tenant: str | None
) -> WorkflowInstance:
    """Read an instance as it stands.

    Raises:
        InstanceNotFoundError: There is none (for that tenant).
    """
    record = await queries.get_instance(instance_id, tenant=tenant)
    found = await store.load(instance_id, tenant=tenant, all_items=True)
    if record is None or found is None:
        raise InstanceNotFoundError(instance_id)
    return to_instance(found.state, codec, updated_at=record.updated_at, completed_at=record.completed_at)
