"""Errors about the moment: the request does not fit the state, or somebody else was first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from workflows_core.errors.root import WorkflowsError

__all__ = [
    "AmbiguousTaskError",
    "ConcurrencyError",
    "IdempotencyConflictError",
    "InstanceEndingError",
    "InstanceFinishedError",
    "ItemsNotLoadedError",
    "LeaseLostError",
    "NotParkedError",
    "NothingToReopenError",
    "RevisionConflictError",
    "SignalAlreadyReceivedError",
    "StaleExecutionError",
    "StateError",
    "TaskAlreadyCompletedError",
    "TaskNotOpenError",
    "UnknownStepError",
    "WebhookAlreadyUsedError",
]


class StateError(WorkflowsError):
    """The request does not fit the state of the thing."""


class InstanceFinishedError(StateError):
    """Raised when something is asked of an instance that is over."""

    def __init__(self, instance_id: UUID, status: str) -> None:
        super().__init__(instance_id, status)
        self.instance_id = instance_id
        self.status = status

    def __str__(self) -> str:
        return f"workflow instance {self.instance_id} is already {self.status}"


class InstanceEndingError(StateError):
    """Raised when something is asked of an instance that is being ended and undoes what it has done."""

    def __init__(self, instance_id: UUID, phase: str) -> None:
        super().__init__(instance_id, phase)
        self.instance_id = instance_id
        self.phase = phase

    def __str__(self) -> str:
        return f"workflow instance {self.instance_id} is {self.phase} and will end by itself; terminate it to end it at once"


class NotParkedError(StateError):
    """Raised when a retry or a discard is asked of an instance that waits for no operator."""

    def __init__(self, instance_id: UUID, status: str) -> None:
        super().__init__(instance_id, status)
        self.instance_id = instance_id
        self.status = status

    def __str__(self) -> str:
        return f"workflow instance {self.instance_id} is {self.status} and no dead letter: there is nothing to retry or discard"


class NothingToReopenError(StateError):
    """Raised when a retry names no step, and the instance has no execution that could be opened again."""

    def __init__(self, instance_id: UUID) -> None:
        super().__init__(instance_id)
        self.instance_id = instance_id

    def __str__(self) -> str:
        return (
            f"workflow instance {self.instance_id} has nothing to open again, for what it had done was undone; "
            "name the step from which it is to go on"
        )


class UnknownStepError(StateError):
    """Raised when an instance cannot go on from the step that a retry names; `known` are those from which it can."""

    def __init__(self, instance_id: UUID, step: str, known: Sequence[str]) -> None:
        super().__init__(instance_id, step, known)
        self.instance_id = instance_id
        self.step = step
        self.known = tuple(known)

    def __str__(self) -> str:
        return (
            f"workflow instance {self.instance_id} cannot go on from {self.step!r}; it can from one of "
            f"{', '.join(self.known)} (from a step inside a group only if it failed inside that group)"
        )


class UnknownSignalError(StateError):
    """Raised when no step of a workflow ever waits for a signal of that name; `known` are the names that are waited for."""

    def __init__(self, instance_id: UUID, signal: str, known: Sequence[str]) -> None:
        super().__init__(instance_id, signal, known)
        self.instance_id = instance_id
        self.signal = signal
        self.known = tuple(known)

    def __str__(self) -> str:
        offer = (
            f"its steps wait for {', '.join(map(repr, self.known))}"
            if self.known
            else "none of its steps waits for a signal"
        )
        return f"workflow instance {self.instance_id} takes no signal {self.signal!r}; {offer}"


class TaskAlreadyCompletedError(StateError):
    """Raised to the second of two who complete the same task; says who was first, and when."""

    def __init__(self, task_id: UUID, completed_by: str | None, completed_at: datetime | None) -> None:
        super().__init__(task_id, completed_by, completed_at)
        self.task_id = task_id
        self.completed_by = completed_by
        self.completed_at = completed_at

    def __str__(self) -> str:
        when = f" at {self.completed_at.isoformat()}" if self.completed_at else ""
        return f"human task {self.task_id} was already completed by {self.completed_by}{when}"


class TaskNotOpenError(StateError):
    """Raised when something is asked of a task that is neither open nor completed."""

    def __init__(self, task_id: UUID, status: str) -> None:
        super().__init__(task_id, status)
        self.task_id = task_id
        self.status = status

    def __str__(self) -> str:
        return f"human task {self.task_id} is {self.status}; nothing can be done with it"


class AmbiguousTaskError(StateError):
    """Raised when several tasks of one step are open and none was named; `task_ids` lists them."""

    def __init__(self, instance_id: UUID, step: str, task_ids: Sequence[UUID]) -> None:
        super().__init__(instance_id, step, task_ids)
        self.instance_id = instance_id
        self.step = step
        self.task_ids = tuple(task_ids)

    def __str__(self) -> str:
        ids = ", ".join(map(str, self.task_ids))
        return (
            f"step {self.step!r} of instance {self.instance_id} has several open tasks; complete one by its id: {ids}"
        )


class WebhookAlreadyUsedError(StateError):
    """Raised by the second call to a webhook address; the first one counts."""

    def __init__(self, instance_id: UUID, step: str) -> None:
        super().__init__(instance_id, step)
        self.instance_id = instance_id
        self.step = step

    def __str__(self) -> str:
        return f"the webhook address of step {self.step!r} (instance {self.instance_id}) was already used"


class SignalAlreadyReceivedError(StateError):
    """Raised by the kernel for a signal whose deduplication key was seen before; the engine answers as it did the first time."""

    def __init__(self, instance_id: UUID, name: str, dedup_key: str) -> None:
        super().__init__(instance_id, name, dedup_key)
        self.instance_id = instance_id
        self.name = name
        self.dedup_key = dedup_key

    def __str__(self) -> str:
        return (
            f"signal {self.name!r} with the key {self.dedup_key!r} was already received by instance {self.instance_id}"
        )


class IdempotencyConflictError(StateError):
    """Raised when an idempotency key was used before with other input; `instance_id` is what it started then."""

    def __init__(self, key: str, instance_id: UUID) -> None:
        super().__init__(key, instance_id)
        self.key = key
        self.instance_id = instance_id

    def __str__(self) -> str:
        return (
            f"idempotency key {self.key!r} already started instance {self.instance_id} with other input; "
            "use a new key for a new request"
        )


class StaleExecutionError(StateError):
    """Raised when a command concerns a step execution that is no longer active; its result is dropped."""

    def __init__(self, instance_id: UUID, step: str, execution: int) -> None:
        super().__init__(instance_id, step, execution)
        self.instance_id = instance_id
        self.step = step
        self.execution = execution

    def __str__(self) -> str:
        where = f"step {self.step!r}" if self.step else "the step"
        return f"execution {self.execution} of {where} (instance {self.instance_id}) is no longer active"


class ItemsNotLoadedError(StateError):
    """Raised by the kernel when it needs item scopes that are not in the state; load all of them and decide again."""

    def __init__(self, instance_id: UUID) -> None:
        super().__init__(instance_id)
        self.instance_id = instance_id

    def __str__(self) -> str:
        return f"the decision about instance {self.instance_id} needs the scopes of all its active items"


class ConcurrencyError(WorkflowsError):
    """Somebody else was first; read again and decide again."""


class RevisionConflictError(ConcurrencyError):
    """Raised when an instance kept changing under a request; nothing was done, ask again."""

    def __init__(self, instance_id: UUID, attempts: int) -> None:
        super().__init__(instance_id, attempts)
        self.instance_id = instance_id
        self.attempts = attempts

    def __str__(self) -> str:
        return f"instance {self.instance_id} changed under the request {self.attempts} times; ask again"


class LeaseLostError(ConcurrencyError):
    """Raised when a worker writes with a fence that is no longer the newest; the write was refused."""

    def __init__(self, instance_id: UUID, number: int) -> None:
        super().__init__(instance_id, number)
        self.instance_id = instance_id
        self.number = number

    def __str__(self) -> str:
        return f"work item {self.number} of instance {self.instance_id} is no longer held by this worker"
