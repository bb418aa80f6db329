"""What a decision of the kernel changes; a store commits all of it or nothing."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum, auto
from typing import Any
from uuid import UUID

import msgspec

from workflows_core.domain.events import Event
from workflows_core.domain.state import ErrorInfo, InstanceState, Scope
from workflows_core.domain.types import StepStatus, StepType, TaskStatus

__all__ = [
    "ItemRange",
    "Rate",
    "Slot",
    "StepExecution",
    "TaskChange",
    "TaskOpening",
    "Transition",
    "WorkItem",
    "WorkKind",
]


class WorkKind(StrEnum):
    """What a worker is to do with a work item."""

    RUN = auto()
    """Run the step's code."""
    PREPARE = auto()
    """Ask the step's code for what the kernel needs to enter it: assignment, duration, branch or items."""
    ENTER = auto()
    """Enter the step again, now with the data of its item at hand."""
    TIMER = auto()
    """The moment has come."""
    ROUTE = auto()
    """Choose the way out of a finished step with the application's conditions."""
    GATHER = auto()
    """Collect the results of a ``ForEach``."""
    AWAIT = auto()
    """Nothing: the row says that the token waits, and is never due (``delay_s`` is infinite); its time may be limited."""
    UNDO = auto()
    """Run the step's compensation."""
    EXPIRE = auto()
    """The time of the step is over. Never written: a claim makes it of a work item whose time limit has passed."""
    DEADLINE = auto()
    """The time of the instance is over; number 0."""


class Slot(msgspec.Struct, frozen=True, gc=False):
    """A work item may be taken only while fewer than ``limit`` work items with this key are held.

    Attributes:
        key: What is limited.
        limit: How many may be held at once.
    """

    key: str
    limit: int


class Rate(msgspec.Struct, frozen=True, gc=False):
    """A work item may be taken only so often: ``limit`` at once after a pause, then one more each time that ``per_s / limit`` has passed.

    Attributes:
        key: What is limited.
        limit: How many may be taken ``per_s``.
        per_s: In how many seconds.
    """

    key: str
    limit: int
    per_s: float

    @property
    def interval_s(self) -> float:
        """Seconds between two, on average."""
        return self.per_s / self.limit


class WorkItem(msgspec.Struct, frozen=True, gc=False):
    """A durable piece of work; (instance, number) is its identity.

    Attributes:
        number: Id of the token that it moves.
        kind: What is to be done.
        step: Step that it concerns.
        scope: Scope of the token.
        execution: Step execution that it concerns.
        queue: Whose workers may take it.
        delay_s: Seconds from the commit before it may be taken; infinite for never.
        due_at: Moment before which it may not be taken; wins over ``delay_s``.
        priority: Higher is taken first.
        timeout_s: Seconds from the commit after which whoever claims next gets it as `WorkKind.EXPIRE`, held or not; None for no limit.
        keeps_timeout: Leave the limit as it was written before, if the row exists; one that has passed stays so, told or not.
        slot: The slot that it needs; its lease is the slot.
        rate: The rate that it counts to when it is taken.
        admission: The slot that its instance needs; an instance keeps it until it is over. Its limit is of instances that have one.
    """

    number: int
    kind: WorkKind
    step: str
    scope: int = 0
    execution: int = 0
    queue: str = "default"
    delay_s: float = 0.0
    due_at: datetime | None = None
    priority: int = 0
    timeout_s: float | None = None
    keeps_timeout: bool = False
    slot: Slot | None = None
    rate: Rate | None = None
    admission: Slot | None = None

    @property
    def is_throttled(self) -> bool:
        """Whether it may have to wait although its moment has come."""
        return self.slot is not None or self.rate is not None or self.admission is not None


class StepExecution(msgspec.Struct, frozen=True, gc=False):
    """The record of one finished visit of a step; appended once, never changed, taken back if the execution is opened again.

    Attributes:
        number: Unique in the instance, ascending in the order of entry.
        step_name: The step.
        step_type: Its classification.
        status: A final status.
        started_at: When the step was entered.
        scope: Scope in which it ran.
        item: Index of the ``ForEach`` item in which it ran; -1 outside.
        visit: How many times its scope had entered the step by then.
        attempts: How often its code was begun.
        result: Encoded result.
        error: Why it failed.
        completed_by: Actor who completed it, for human steps.
        compensates: Number of the execution that it undid; 0 for one that did work.
    """

    number: int
    step_name: str
    step_type: StepType
    status: StepStatus
    started_at: datetime | None = None
    scope: int = 0
    item: int = -1
    visit: int = 1
    attempts: int = 1
    result: bytes | None = None
    error: ErrorInfo | None = None
    completed_by: str | None = None
    compensates: int = 0


class TaskOpening(msgspec.Struct, frozen=True, gc=False):
    """A human task to be opened.

    Attributes:
        id: Its identity, derived from instance and execution.
        execution: Step execution that waits for it.
        token: Token of that execution.
        scope: Scope of that token.
        step_name: Its step.
        title: Rendered title.
        description: Rendered description.
        form_schema: JSON Schema of the form, frozen.
        assignee_id: Who is to do it.
        candidate_users: Who may do it.
        candidate_groups: Whose members may do it.
        due_s: Seconds from the commit until it is due.
        due_at: Moment when it is due; wins over ``due_s``.
        reminder_s: Seconds from the commit until a reminder.
        reminder_at: Moment of the reminder; wins over ``reminder_s``.
        priority: 0 to 100.
    """

    id: UUID
    execution: int
    token: int
    scope: int
    step_name: str
    title: str
    description: str | None = None
    form_schema: dict[str, Any] | None = None
    assignee_id: str | None = None
    candidate_users: tuple[str, ...] = ()
    candidate_groups: tuple[str, ...] = ()
    due_s: float | None = None
    due_at: datetime | None = None
    reminder_s: float | None = None
    reminder_at: datetime | None = None
    priority: int = 50


class TaskChange(msgspec.Struct, frozen=True, gc=False):
    """A change of a task's row; None leaves a field as it is.

    Attributes:
        id: The task.
        status: Its new status.
        assignee_id: Its new assignee.
        completed_by: Who completed it.
        comment: What that person said.
    """

    id: UUID
    status: TaskStatus | None = None
    assignee_id: str | None = None
    completed_by: str | None = None
    comment: str | None = None


class ItemRange(msgspec.Struct, frozen=True, gc=False):
    """A run of item scopes, ``first`` … ``first + total - 1``."""

    first: int
    total: int


class Transition(msgspec.Struct, frozen=True, gc=False):
    """One atomic change of one instance.

    Attributes:
        state: The state after it; its revision is one more than the revision that it was decided on.
        actor: Who caused it.
        data_changed: Whether the instance's own data differ from before.
        items: Item scopes to be written; those with ``data`` None keep their stored data.
        item_results: Encoded result by scope id, of items that have finished.
        dropped_items: Item scopes to be deleted.
        executions: Step executions that have finished.
        reopened: Numbers of finished executions that are open again: their records are deleted.
        work: Work items to be written, by number; None deletes one.
        opened: Tasks to be opened.
        tasks: Changes of tasks.
        events: What happened, in order.
    """

    state: InstanceState
    actor: str
    data_changed: bool = False
    items: tuple[Scope, ...] = ()
    item_results: dict[int, bytes] = {}
    dropped_items: tuple[ItemRange, ...] = ()
    executions: tuple[StepExecution, ...] = ()
    work: dict[int, WorkItem | None] = {}
    opened: tuple[TaskOpening, ...] = ()
    tasks: tuple[TaskChange, ...] = ()
    events: tuple[Event, ...] = ()
    reopened: tuple[int, ...] = ()

    @property
    def base_revision(self) -> int:
        """The revision that it was decided on; 0 creates the instance."""
        return self.state.revision - 1
