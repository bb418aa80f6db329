"""The part of the engine that operators use: cancel, retry, give up, move timers, and see what needs them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from workflows_core.domain.actor import SYSTEM, Actor
from workflows_core.domain.commands import Cancel, Command, Discard, Reschedule, Retry
from workflows_core.domain.payload import encode_data
from workflows_core.domain.state import InstanceState
from workflows_core.domain.types import StepStatus
from workflows_core.engine.desk import Desk
from workflows_core.engine.instances import WorkflowInstance, to_instance
from workflows_core.engine.programs import LoadedProgram
from workflows_core.engine.requests import MakeCommand
from workflows_core.errors import RevisionConflictError
from workflows_core.ports.codec import PayloadCodec
from workflows_core.ports.queries import (
    InstanceFilter,
    InstanceRecord,
    Page,
    PageRequest,
    UnservedWork,
    WorkflowQueries,
)
from workflows_core.ports.store import Loaded

__all__ = ["InstanceControl"]


class InstanceControl(ABC):
    """Steers instances from outside.

    Attributes:
        queries: Lists and look-ups.
    """

    queries: WorkflowQueries
    _codec: PayloadCodec

    async def cancel_workflow(
        self, instance_id: UUID, reason: str = "", *, actor: Actor | None = None, session: Any = None
    ) -> WorkflowInstance:
        """Cancel an instance: its open steps, timers and tasks. Code under way is asked to stop; its result is dropped.

        What was done is undone first, if steps have compensations: then the instance is CANCELED when that is over, and its phase
        tells how far it is. A step that can be undone and is running is waited for.

        Raises:
            InstanceNotFoundError: There is none (for the actor's tenant).
            InstanceFinishedError: It is over.
            InstanceEndingError: It is already undoing what it has done.
        """
        who = actor if actor is not None else SYSTEM
        return await self._ask(
            instance_id, lambda found, _: Cancel(actor=who, now=found.at, reason=reason), actor, session
        )

    async def terminate_workflow(
        self, instance_id: UUID, reason: str = "", *, actor: Actor | None = None, session: Any = None
    ) -> WorkflowInstance:
        """End an instance at once as CANCELED; nothing is undone.

        Raises:
            InstanceNotFoundError: There is none (for the actor's tenant).
            InstanceFinishedError: It is over.
        """
        who = actor if actor is not None else SYSTEM
        return await self._ask(
            instance_id, lambda found, _: Cancel(actor=who, now=found.at, reason=reason, terminate=True), actor, session
        )

    async def signal(
        self,
        instance_id: UUID,
        name: str,
        payload: Any = None,
        *,
        dedup_key: str | None = None,
        actor: Actor | None = None,
        session: Any = None,
    ) -> WorkflowInstance:
        """Send a named signal to an instance. It is applied once: to the step that has waited longest for it, else to the next that waits.

        Args:
            instance_id: The instance.
            name: Name of the signal, as the step says it.
            payload: What it brings; becomes the step's result.
            dedup_key: A signal with a key that the instance has seen before changes nothing, and is answered as the first one was;
                each instance remembers its last 1000 keys.
            actor: Who sends it.
            session: See `start_workflow`.

        Raises:
            InstanceNotFoundError: There is none (for the actor's tenant).
            InstanceFinishedError: It is over.
            InstanceEndingError: It is being ended, and undoes what it has done.
            UnknownSignalError: No step of the workflow waits for that name; names those that are waited for.
            InputValidationError: The payload does not satisfy the schema of the step that waits; it goes on waiting. A signal that comes
                early is checked when a step takes it, and then fails that step.
            PayloadError: The payload cannot be stored.
            PayloadTooLargeError: The data, or the signals that nobody has taken yet, would exceed ``max_data_bytes``.
        """
        signals = (await self._at(session)).signals
        return await signals.receive(instance_id, name, payload, dedup_key=dedup_key, actor=actor)

    async def list_dead_letters(
        self,
        *,
        tenant: str | None = None,
        workflow_name: str | None = None,
        page: PageRequest | None = None,
    ) -> Page[InstanceRecord]:
        """Instances that wait for an operator, newest first: those that have failed, and those of which a compensation failed.

        Each leaves the list when it is retried or discarded. `get_instance` and the history show what there is to know of one.
        """
        where = InstanceFilter(tenant=tenant, workflow_name=workflow_name, is_parked=True)
        return await self.queries.list_instances(where, page if page is not None else PageRequest())

    async def retry(
        self,
        instance_id: UUID,
        from_step: str | None = None,
        *,
        data: Mapping[str, Any] | None = None,
        delete: Collection[str] = (),
        actor: Actor | None = None,
        session: Any = None,
    ) -> WorkflowInstance:
        """Let a dead letter go on.

        Without a step, what has failed is opened again, together with every execution that the failure cancelled; they keep their
        idempotency keys. With a step, the workflow goes on from there with a new visit and new keys. A step of the top drops all that
        was kept. A step inside a group, if something has failed in there, drops what was kept in that group, but for the other branches
        of a parallel one; of a ``ForEach`` the item that has failed goes on from there. All else is opened again.

        Args:
            instance_id: The instance.
            from_step: Step from which it goes on.
            data: Data keys of the instance to be set first.
            delete: Data keys to be removed first.
            actor: Who wants it.
            session: See `start_workflow`.

        Raises:
            InstanceNotFoundError: There is none (for the actor's tenant).
            NotParkedError: It is no dead letter.
            RevisionConflictError: Another failure has taken the place of the one that there was: somebody else was first, or the
                answer to this very call was lost. Look again.
            NothingToReopenError: What it had done was undone; name a step.
            UnknownStepError: It cannot go on from that step; names those from which it can.
            PayloadError: A value cannot be stored; names its key.
            PayloadTooLargeError: The data would exceed ``max_data_bytes``.
        """
        who = actor if actor is not None else SYSTEM
        changed = encode_data(data or {}, self._codec.encode)

        def command(found: Loaded, _loaded: LoadedProgram) -> Command:
            return Retry(actor=who, now=found.at, from_step=from_step, changed=changed, deleted=tuple(delete))

        return await self._ask(instance_id, _of_one_failure(command), actor, session)

    async def discard(
        self, instance_id: UUID, reason: str = "", *, actor: Actor | None = None, session: Any = None
    ) -> WorkflowInstance:
        """Give up a dead letter: a failed instance stays failed, a compensation that failed is left out and the next one follows.

        Raises:
            InstanceNotFoundError: There is none (for the actor's tenant).
            NotParkedError: It is no dead letter.
            RevisionConflictError: As by `retry`.
        """
        who = actor if actor is not None else SYSTEM

        def command(found: Loaded, _loaded: LoadedProgram) -> Command:
            return Discard(actor=who, now=found.at, reason=reason)

        return await self._ask(instance_id, _of_one_failure(command), actor, session)

    async def find_stalled(self, *, limit: int = 100) -> Sequence[UUID]:
        """Instances that are not over although nothing is there that would move them, oldest first; there should be none.

        A worker that has their code, a moment, a person or a call moves all others.
        """
        return await self.queries.find_stalled(limit=limit)

    async def find_unserved(self, *, overdue: timedelta, limit: int = 100) -> Sequence[UnservedWork]:
        """Work that has been due for so long and that nobody takes, the longest due first.

        No worker that runs has the code of its workflow and serves its queue, or all that do are busy. It goes on as soon as one comes.
        """
        return await self.queries.find_unserved(overdue_s=overdue.total_seconds(), limit=limit)

    async def schedule_step(self, instance_id: UUID, step_name: str, delay: timedelta | None = None) -> None:
        """Move the moment of a timer that an instance waits for to ``delay`` from now; None is now.

        Raises:
            InstanceNotFoundError: There is no such instance.
            StaleExecutionError: The step is no timer, or does not wait.
        """
        delay_s = delay.total_seconds() if delay is not None else 0.0
        await self._ask(instance_id, lambda _found, _loaded: Reschedule(step=step_name, delay_s=delay_s), None, None)

    @abstractmethod
    async def _at(self, session: Any) -> Desk:
        """Where requests are taken: the store itself, or the inside of a session's transaction."""

    async def _ask(self, instance_id: UUID, make: MakeCommand, actor: Actor | None, session: Any) -> WorkflowInstance:
        state, at = await (await self._at(session)).requests.apply(
            instance_id,
            make,
            actor=SYSTEM.id if actor is None else actor.id,
            tenant=None if actor is None else actor.tenant,
            all_items=True,
        )
        return self._shown(state, at)

    def _shown(self, state: InstanceState, at: datetime) -> WorkflowInstance:
        return to_instance(state, self._codec, updated_at=at)


def _of_one_failure(make: MakeCommand) -> MakeCommand:
    """Commands about the failure that is found at first: an operator has decided on that one, and on none that comes later."""
    seen: frozenset[tuple[int, int]] | None = None

    def command(found: Loaded, loaded: LoadedProgram) -> Command:
        nonlocal seen
        failure = _failure_of(found.state)
        if seen is not None and seen != failure and found.state.parked is not None:
            raise RevisionConflictError(found.state.id, 1)
        seen = failure
        return make(found, loaded)

    return command


def _failure_of(state: InstanceState) -> frozenset[tuple[int, int]]:
    """The executions that a failure has stopped, and how often each had been opened again by then."""
    return frozenset(
        (token.execution, token.round)
        for scope in state.scopes.values()
        for token in scope.tokens.values()
        if token.status in (StepStatus.FAILED, StepStatus.CANCELED)
    )
