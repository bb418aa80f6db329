"""Somebody outside who uses an engine and insists: what was not answered is asked again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID

from workflows_core import Actor, TaskStatus, WorkflowInstance
from workflows_core.domain.events import RecordedEvent, WorkflowDiscarded, WorkflowRetried
from workflows_core.errors import (
    ConcurrencyError,
    InfrastructureError,
    InstanceEndingError,
    InstanceFinishedError,
    NotParkedError,
    TaskAlreadyCompletedError,
    TaskNotOpenError,
    WebhookAlreadyUsedError,
)
from workflows_core.ports.queries import PageRequest, TaskFilter, TaskRecord
from workflows_testing.simulation.process import Process
from workflows_testing.simulation.simulation import AnyWorkflow

__all__ = ["Client"]

T = TypeVar("T")

_RETRY_S: Final = 0.5


class Client:
    """Plays the outside: starts instances, completes tasks, calls webhooks.

    Each call is repeated until it is answered, and bears that an earlier attempt was done although its answer was lost. So a program that
    uses only a client may be killed and begun anew from its first line: it finds what it did before. The n-th start, task or webhook of
    the program is the same one in each run of it.

    Attributes:
        process: In which it runs.
    """

    def __init__(self, process: Process) -> None:
        self.process = process
        self._engine = process.engine
        self._done: Counter[tuple[object, ...]] = Counter()

    async def start(
        self, workflow: AnyWorkflow | str, data: Mapping[str, Any] | None = None, *, actor: Actor | None = None
    ) -> UUID:
        """Start an instance, once.

        Returns:
            Its id.
        """
        key = f"{self.process.name}/{self._next('start')}"
        instance = await self.insist(
            lambda: self._engine.start_workflow(workflow, data, idempotency_key=key, actor=actor)
        )
        return instance.id

    async def complete(
        self, instance_id: UUID, step: str, user: str, form: Mapping[str, Any], *, groups: Collection[str] = ()
    ) -> None:
        """Wait for a task of a step, and complete it, once; a second call is about the second task of that step.

        Args:
            instance_id: The instance.
            step: Name of the step.
            user: Who completes it.
            form: What that user fills in.
            groups: Groups of that user.

        Raises:
            TaskAlreadyCompletedError: Somebody else was first.
        """
        nth = self._next("complete", instance_id, step)
        while True:
            task = await self._task(instance_id, step, nth)
            actor = Actor(user, groups=frozenset(groups), tenant=task.tenant_id)
            try:
                await self.insist(partial(self._engine.complete_task, task.id, form, actor=actor))
            except TaskNotOpenError:
                continue  # it was withdrawn meanwhile
            except TaskAlreadyCompletedError as error:
                if error.completed_by != user:
                    raise
            return

    async def call_webhook(self, instance_id: UUID, step: str, payload: Any) -> None:
        """Call the address of a step, once; a second call is about the second visit of that step."""
        visit = self._next("webhook", instance_id, step)
        token = self._engine.webhook_token(instance_id, step, visit=visit)
        try:
            await self.insist(lambda: self._engine.receive_webhook(token, payload))
        except WebhookAlreadyUsedError:
            return

    async def cancel(self, instance_id: UUID, reason: str = "") -> None:
        """Cancel an instance, if it is not over and does not end by itself."""
        try:
            await self.insist(lambda: self._engine.cancel_workflow(instance_id, reason))
        except (InstanceEndingError, InstanceFinishedError):
            return

    async def retry(
        self, instance_id: UUID, from_step: str | None = None, *, data: Mapping[str, Any] | None = None
    ) -> None:
        """Wait until an instance is parked, and let it go on, once; a second call is about the second time."""
        nth = self._next("retry", instance_id)
        while await self._retries(instance_id) < nth:
            try:
                await self._engine.retry(instance_id, from_step, data=data)
            except (ConcurrencyError, InfrastructureError, NotParkedError):
                await asyncio.sleep(_RETRY_S)

    async def discard(self, instance_id: UUID) -> None:
        """Wait until an instance is parked, and give it up."""
        while not any(isinstance(event.event, WorkflowDiscarded) for event in await self._events(instance_id)):
            try:
                await self.insist(lambda: self._engine.discard(instance_id))
            except NotParkedError:
                await asyncio.sleep(_RETRY_S)

    async def until(self, instance_id: UUID, condition: Callable[[WorkflowInstance], bool]) -> WorkflowInstance:
        """Wait until an instance is as wanted, or is over: a program that is begun anew may come too late to see what it waits for."""
        return await self.insist(
            lambda: self._engine.wait(instance_id, until=lambda found: found.status.is_final or condition(found))
        )

    async def end_of(self, instance_id: UUID) -> WorkflowInstance:
        """Wait until an instance is over."""
        return await self.until(instance_id, lambda instance: instance.status.is_final)

    async def insist(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call of the engine again and again, until the store answers and nobody else is in the way."""
        while True:
            try:
                return await call()
            except (InfrastructureError, ConcurrencyError):
                await asyncio.sleep(_RETRY_S)

    async def _task(self, instance_id: UUID, step: str, nth: int) -> TaskRecord:
        """The n-th task of a step, once there is one; those that were withdrawn do not count."""
        statuses = (TaskStatus.PENDING, TaskStatus.COMPLETED)
        where = TaskFilter(instance_id=instance_id, step_name=step, statuses=statuses)
        while True:
            found = (await self._engine.queries.list_tasks(where, PageRequest(limit=1000))).items
            if len(found) >= nth:
                return found[nth - 1]
            await asyncio.sleep(_RETRY_S)

    async def _events(self, instance_id: UUID) -> Sequence[RecordedEvent]:
        return await self._engine.queries.list_events(instance_id, limit=100_000)

    async def _retries(self, instance_id: UUID) -> int:
        return sum(isinstance(event.event, WorkflowRetried) for event in await self._events(instance_id))

    def _next(self, *what: object) -> int:
        self._done[what] += 1
        return self._done[what]
