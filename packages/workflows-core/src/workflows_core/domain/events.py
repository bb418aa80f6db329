"""Domain events: what happened to an instance. They are published after the commit and kept as the audit record.

The place of an event is (instance, revision, position in that revision); time and actor stand beside it in `RecordedEvent`.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from workflows_core.domain.types import StepStatus

__all__ = [
    "Event",
    "HumanTaskCanceled",
    "HumanTaskCompleted",
    "HumanTaskCreated",
    "HumanTaskReassigned",
    "RecordedEvent",
    "SignalReceived",
    "StepCanceled",
    "StepCompensated",
    "StepCompensationFailed",
    "StepCompleted",
    "StepFailed",
    "StepRetryScheduled",
    "StepSkipped",
    "WebhookReceived",
    "WorkflowCanceled",
    "WorkflowCompensating",
    "WorkflowCompleted",
    "WorkflowDiscarded",
    "WorkflowEvent",
    "WorkflowFailed",
    "WorkflowRetried",
    "WorkflowStarted",
]


class WorkflowEvent(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What every event carries.

    Attributes:
        instance_id: The instance it happened to.
        workflow_name: Name of its workflow.
        tenant_id: Its tenant.
    """

    instance_id: UUID
    workflow_name: str
    tenant_id: str = ""


class WorkflowStarted(WorkflowEvent, frozen=True, gc=False, tag="workflow_started"):
    """An instance was started."""

    workflow_version: str


class WorkflowCompleted(WorkflowEvent, frozen=True, gc=False, tag="workflow_completed"):
    """The last token of an instance ended."""


class WorkflowFailed(WorkflowEvent, frozen=True, gc=False, tag="workflow_failed"):
    """An instance failed."""

    step_name: str
    error: str


class WorkflowCanceled(WorkflowEvent, frozen=True, gc=False, tag="workflow_canceled"):
    """An instance was cancelled."""

    reason: str


class WorkflowCompensating(WorkflowEvent, frozen=True, gc=False, tag="workflow_compensating"):
    """An instance has failed or was cancelled, and what it has done is going to be undone; ``error`` is empty for a cancellation."""

    error: str = ""


class WorkflowRetried(WorkflowEvent, frozen=True, gc=False, tag="workflow_retried"):
    """A failed instance goes on: its failed and cancelled executions again, or from a step with those of them that are not in its way."""

    executions: tuple[int, ...] = ()
    from_step: str | None = None


class WorkflowDiscarded(WorkflowEvent, frozen=True, gc=False, tag="workflow_discarded"):
    """An operator has given up what was parked."""

    reason: str = ""


class _StepEvent(WorkflowEvent, frozen=True, gc=False):
    """What happened to one step execution."""

    step_name: str
    execution: int

    @property
    def status(self) -> StepStatus:
        """The status that the execution has now."""
        return _STATUS[type(self)]


class StepCompleted(_StepEvent, frozen=True, gc=False, tag="step_completed"):
    """A step execution succeeded."""


class StepFailed(_StepEvent, frozen=True, gc=False, tag="step_failed"):
    """A step execution failed for good."""

    error: str


class StepRetryScheduled(_StepEvent, frozen=True, gc=False, tag="step_retry_scheduled"):
    """An attempt of a step execution failed; the next one begins after ``delay_s`` seconds."""

    attempt: int
    delay_s: float
    error: str


class StepCompensated(_StepEvent, frozen=True, gc=False, tag="step_compensated"):
    """A step execution was undone; ``compensates`` is its number, ``execution`` that of the undoing."""

    compensates: int


class StepCompensationFailed(_StepEvent, frozen=True, gc=False, tag="step_compensation_failed"):
    """The undoing of a step execution has failed for good."""

    compensates: int
    error: str


class StepSkipped(_StepEvent, frozen=True, gc=False, tag="step_skipped"):
    """The guard of a step said no."""


class StepCanceled(_StepEvent, frozen=True, gc=False, tag="step_canceled"):
    """A step execution was cancelled by a join, a race, a failure or a cancel."""


class _TaskEvent(WorkflowEvent, frozen=True, gc=False):
    """What happened to a human task."""

    task_id: UUID
    step_name: str


class HumanTaskCreated(_TaskEvent, frozen=True, gc=False, tag="human_task_created"):
    """A task was opened."""

    title: str
    assignee_id: str | None = None
    candidate_users: tuple[str, ...] = ()
    candidate_groups: tuple[str, ...] = ()


class HumanTaskCompleted(_TaskEvent, frozen=True, gc=False, tag="human_task_completed"):
    """A task was completed."""

    completed_by: str
    comment: str | None = None


class HumanTaskReassigned(_TaskEvent, frozen=True, gc=False, tag="human_task_reassigned"):
    """A task was given to somebody else."""

    assignee_id: str
    previous_assignee_id: str | None = None
    reason: str | None = None


class HumanTaskCanceled(_TaskEvent, frozen=True, gc=False, tag="human_task_canceled"):
    """A task was withdrawn because its step is no longer active."""


class WebhookReceived(WorkflowEvent, frozen=True, gc=False, tag="webhook_received"):
    """A call from outside arrived; ``early`` says that its step was not yet waiting."""

    step_name: str
    early: bool = False


class SignalReceived(WorkflowEvent, frozen=True, gc=False, tag="signal_received"):
    """A signal arrived; ``early`` says that no step was waiting for it yet."""

    name: str
    early: bool = False
    dedup_key: str | None = None


Event = (
    WorkflowStarted
    | WorkflowCompleted
    | WorkflowFailed
    | WorkflowCanceled
    | WorkflowCompensating
    | WorkflowRetried
    | WorkflowDiscarded
    | StepCompleted
    | StepFailed
    | StepRetryScheduled
    | StepCompensated
    | StepCompensationFailed
    | StepSkipped
    | StepCanceled
    | HumanTaskCreated
    | HumanTaskCompleted
    | HumanTaskReassigned
    | HumanTaskCanceled
    | WebhookReceived
    | SignalReceived
)

_STATUS: dict[type[WorkflowEvent], StepStatus] = {
    StepCompleted: StepStatus.SUCCEEDED,
    StepFailed: StepStatus.FAILED,
    StepRetryScheduled: StepStatus.SCHEDULED,
    StepCompensated: StepStatus.SUCCEEDED,
    StepCompensationFailed: StepStatus.FAILED,
    StepSkipped: StepStatus.SKIPPED,
    StepCanceled: StepStatus.CANCELED,
}


class RecordedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event with its place in the history.

    Attributes:
        revision: Transition that it belongs to.
        position: Its place in that transition, from 0.
        at: Time of the commit, by the store's clock.
        actor: Who caused it.
        event: What happened.
    """

    revision: int
    position: int
    at: datetime
    actor: str
    event: Event
