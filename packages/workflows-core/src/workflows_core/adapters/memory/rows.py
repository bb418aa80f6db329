"""What the memory store keeps of an instance and of a work item."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from workflows_core.adapters.memory.items import ItemScopes
from workflows_core.domain.events import Event
from workflows_core.domain.state import InstanceState
from workflows_core.domain.transition import StepExecution, WorkItem
from workflows_core.domain.types import WorkflowStatus
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.leases import Lease, fence_before
from workflows_core.ports.store import code_key

__all__ = ["NOT_QUEUED", "InstanceRow", "WorkRow"]

NOT_QUEUED: Final = 0


class WorkRow:
    """A work item with what the store knows of it.

    Attributes:
        item: The work item.
        instance: Its instance.
        due: When it may be claimed; None for never.
        attempt: Claims since a transition wrote it.
        fence: That of its last claim, see `fence_before`.
        worker: Who has the last claim; None when it was given back, or written anew.
        lease_until: When the last claim ends; None when it was seen to have ended. Set as long as the worker's list has it.
        ticket: Number of its entry in a lane; `NOT_QUEUED` if it has none.
        crashes: How often a claim found that the lease before had ended.
        limit: When its time is over; None for never, and once a claim has told so.
        limit_ticket: Number of the entry in a lane that watches its limit; `NOT_QUEUED` if there is none.
        is_expired: Whether a claim has told that its time is over.
    """

    __slots__ = (
        "attempt",
        "crashes",
        "due",
        "fence",
        "instance",
        "is_expired",
        "item",
        "lease_until",
        "limit",
        "limit_ticket",
        "ticket",
        "worker",
    )

    def __init__(self, item: WorkItem, instance: InstanceRow, due: datetime | None) -> None:
        self.item = item
        self.instance = instance
        self.due = due
        self.attempt = 0
        self.fence = fence_before(instance.state.revision)
        self.worker: str | None = None
        self.lease_until: datetime | None = None
        self.ticket = NOT_QUEUED
        self.crashes = 0
        self.limit: datetime | None = None
        self.limit_ticket = NOT_QUEUED
        self.is_expired = False

    @property
    def ref(self) -> WorkRef:
        """Identity of the work item."""
        return WorkRef(self.instance.state.id, self.item.number)

    @property
    def lease(self) -> Lease:
        """What its last claim holds, or held."""
        return Lease(self.instance.state.id, self.item.number, self.fence)

    @property
    def neglected_since(self) -> datetime | None:
        """When it was due, or its last lease ended, which may lie ahead; None if it is never due."""
        return self.due if self.worker is None or self.lease_until is None else self.lease_until

    def is_held(self, now: datetime) -> bool:
        """Whether a claim has not ended."""
        return self.worker is not None and self.lease_until is not None and self.lease_until > now

    def is_over(self, now: datetime) -> bool:
        """Whether its time is over, and no claim has told so yet."""
        return self.limit is not None and self.limit <= now


class InstanceRow:
    """An instance with its history.

    Attributes:
        state: Its state, without the scopes of items.
        code: Name of its code, as workers say it.
        place: Its number in the order of starts.
        writes: Identity and time of each transition, in their order.
        started_at: When it was started.
        updated_at: Time of its last transition.
        completed_at: When it was over; None before.
        work: Its work items by number.
        items: Scopes of ``ForEach`` items; None if it never had any.
        open_tasks: How many of its tasks are open.
        executions: Finished step executions by transition, each with the time of its end.
        events: Revision, time, actor and events by transition; those without events are left out.
    """

    __slots__ = (
        "code",
        "completed_at",
        "events",
        "executions",
        "items",
        "open_tasks",
        "place",
        "started_at",
        "state",
        "updated_at",
        "work",
        "writes",
    )

    def __init__(self, state: InstanceState, place: int, now: datetime) -> None:
        self.state = state
        self.code = code_key(state.workflow, state.version)
        self.place = place
        self.started_at = state.started_at or now
        self.updated_at = now
        self.completed_at: datetime | None = None
        self.work: dict[int, WorkRow] = {}
        self.items: ItemScopes | None = None
        self.open_tasks = 0
        self.executions: list[tuple[datetime, tuple[StepExecution, ...]]] = []
        self.writes: list[tuple[UUID, datetime]] = []
        self.events: list[tuple[int, datetime, str, tuple[Event, ...]]] = []

    @property
    def is_open(self) -> bool:
        """Whether its work may be claimed: it is neither paused nor over."""
        status = self.state.status
        return status is not WorkflowStatus.PAUSED and not status.is_final
