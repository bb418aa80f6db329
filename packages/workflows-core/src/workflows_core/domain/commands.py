"""What can be asked of the kernel. A command carries all that the decision needs from outside: results, ids, times."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from workflows_core.domain.actor import Actor
from workflows_core.domain.state import ErrorInfo
from workflows_core.domain.types import Outcome

__all__ = [
    "AbandonStep",
    "Assignment",
    "Cancel",
    "Command",
    "CompleteStep",
    "CompleteTask",
    "Discard",
    "EnterStep",
    "ExpireInstance",
    "ExpireStep",
    "FailStep",
    "FireTimer",
    "GatherItems",
    "Place",
    "Prepared",
    "ReassignTask",
    "ReceiveSignal",
    "ReceiveWebhook",
    "Reschedule",
    "Retry",
    "RouteStep",
    "Start",
    "Writes",
]


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a step execution is: the address that a worker's command carries."""

    scope: int
    token: int
    execution: int


class Writes(msgspec.Struct, frozen=True, gc=False):
    """Changes of data, already encoded.

    Attributes:
        changed: New value by key.
        deleted: Keys that were removed.
        added: (key, value) pairs for the declared reducers, in order.
    """

    changed: dict[str, bytes] = {}
    deleted: tuple[str, ...] = ()
    added: tuple[tuple[str, bytes], ...] = ()


NO_WRITES = Writes()


class _Routing(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a worker found out about the ways out.

    Attributes:
        conditions: Truth of the computed edges, by edge index; None when nobody has evaluated them.
        route: Successors that the result named; None when it named none.
    """

    conditions: dict[int, bool] | None = None
    route: tuple[str, ...] | None = None


class Start(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Start a new instance.

    Attributes:
        deadline_s: Seconds after its beginning at which it fails if it is not over; None is the graph's own deadline.
        priority: Of its work; None is the graph's own.
        delay_s: Seconds from the commit until it begins.
        begin_at: Moment at which it begins; wins over ``delay_s``.
    """

    instance_id: UUID
    data: dict[str, bytes]
    actor: Actor
    now: datetime
    metadata: bytes | None = None
    deadline_s: float | None = None
    priority: int | None = None
    delay_s: float = 0.0
    begin_at: datetime | None = None


class CompleteStep(_Routing, frozen=True, gc=False):
    """The code of a step has returned (or its guard said no)."""

    place: Place
    now: datetime
    started_at: datetime | None = None
    writes: Writes = NO_WRITES
    result: bytes | None = None
    outcome: Outcome = Outcome.SUCCESS
    attempts: int = 1


class FailStep(_Routing, frozen=True, gc=False):
    """An attempt of a step has failed: for good, or to be repeated.

    Attributes:
        place: The step execution.
        now: Time of the decision.
        error: Why.
        started_at: When the attempt began.
        outcome: Which edges the failure takes, if it is for good.
        attempts: Attempts of the execution so far, this one included.
        retry_s: Seconds until the next attempt, as `retry_delay` gave them; None if there is none.
    """

    place: Place
    now: datetime
    error: ErrorInfo
    started_at: datetime | None = None
    outcome: Outcome = Outcome.FAILURE
    attempts: int = 1
    retry_s: float | None = None


class ExpireStep(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The time of a step is over, whatever it is doing; with notes on what went wrong beside that."""

    place: Place
    now: datetime
    attempts: int = 0
    notes: tuple[str, ...] = ()


class ExpireInstance(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The time of the instance is over."""

    now: datetime


class AbandonStep(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A step of a scope that is being ended has no worker (any more); ``began`` says whether its code may have run."""

    place: Place
    now: datetime
    began: bool
    attempts: int = 0


class EnterStep(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Enter a step whose entry had to wait for the data of its item."""

    place: Place
    now: datetime


class Assignment(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What the hooks of a human step said; None leaves it to the definition."""

    title: str | None = None
    description: str | None = None
    assignee: str | None = None
    candidate_users: tuple[str, ...] | None = None
    candidate_groups: tuple[str, ...] | None = None
    due_at: datetime | None = None
    reminder_at: datetime | None = None


class Prepared(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a step's code said before its entry; one of the last four, as its kind wants.

    Attributes:
        place: The step execution.
        now: Time of the decision.
        assignment: For human steps.
        delay_s: For timers: seconds from now.
        until: For timers: the moment.
        branch: For conditional groups: the branch key.
        items: For ``ForEach``: the encoded items.
    """

    place: Place
    now: datetime
    assignment: Assignment | None = None
    delay_s: float | None = None
    until: datetime | None = None
    branch: str | None = None
    items: tuple[bytes, ...] | None = None


class RouteStep(_Routing, frozen=True, gc=False):
    """A worker has evaluated the ways out of a step that is finished."""

    place: Place
    now: datetime


class FireTimer(_Routing, frozen=True, gc=False):
    """The moment of a timer has come."""

    place: Place
    now: datetime


class GatherItems(_Routing, frozen=True, gc=False):
    """All items of a ``ForEach`` have finished; here are their results, in order."""

    place: Place
    now: datetime
    results: tuple[bytes, ...]


class CompleteTask(_Routing, frozen=True, gc=False):
    """A person has completed a task; permission and form were checked."""

    place: Place
    now: datetime
    task_id: UUID
    actor: Actor
    form: dict[str, bytes]
    form_document: bytes
    comment: str | None = None


class ReassignTask(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Give a task to somebody else; permission was checked."""

    place: Place
    task_id: UUID
    actor: Actor
    assignee_id: str
    previous_assignee_id: str | None = None
    reason: str | None = None


class ReceiveWebhook(_Routing, frozen=True, gc=False):
    """A call arrived at the signed address of (scope, step, visit)."""

    scope: int
    step: str
    visit: int
    payload: bytes
    now: datetime


class ReceiveSignal(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A signal arrived; one with a ``dedup_key`` that was seen before is refused."""

    name: str
    payload: bytes
    now: datetime
    dedup_key: str | None = None


class Cancel(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Cancel the whole instance, and undo what it has done unless ``terminate``."""

    actor: Actor
    now: datetime
    reason: str = ""
    terminate: bool = False


class Retry(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Let a parked instance go on.

    Attributes:
        actor: Who wants it.
        now: Time of the decision.
        from_step: Step at which it goes on with a new visit: one of the top, or of a group from inside which the failure came; None
            opens again what failed and what that cancelled.
        changed: Data keys to be set first.
        deleted: Data keys to be removed first.
    """

    actor: Actor
    now: datetime
    from_step: str | None = None
    changed: dict[str, bytes] = {}
    deleted: tuple[str, ...] = ()


class Discard(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Give up what is parked: a failed instance for good, or a compensation that failed."""

    actor: Actor
    now: datetime
    reason: str = ""


class Reschedule(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Move the moment of every timer that waits at a step."""

    step: str
    delay_s: float


Command = (
    Start
    | CompleteStep
    | FailStep
    | ExpireStep
    | ExpireInstance
    | AbandonStep
    | EnterStep
    | Prepared
    | RouteStep
    | FireTimer
    | GatherItems
    | CompleteTask
    | ReassignTask
    | ReceiveWebhook
    | ReceiveSignal
    | Cancel
    | Retry
    | Discard
    | Reschedule
)
