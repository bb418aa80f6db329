"""Use case: start an instance."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from workflows_core.domain.actor import Actor
from workflows_core.domain.commands import Start
from workflows_core.domain.forms import FieldProblem, validate_document
from workflows_core.domain.graph import MOST_URGENT
from workflows_core.domain.kernel import decide, initial_state
from workflows_core.domain.payload import encode_data, encode_value
from workflows_core.domain.transition import Transition
from workflows_core.domain.validation.settings import LONGEST_WAIT
from workflows_core.engine.instances import WorkflowInstance, to_instance
from workflows_core.engine.joining import CommitsTransitions
from workflows_core.engine.limits import check_size
from workflows_core.engine.programs import LoadedProgram, Programs
from workflows_core.engine.seating import Seating
from workflows_core.engine.seats import Seats
from workflows_core.engine.settings import EngineSettings
from workflows_core.errors import (
    IdempotencyConflictError,
    InputValidationError,
    InstanceNotFoundError,
    RevisionConflictError,
)
from workflows_core.ports.clock import Clock
from workflows_core.ports.codec import PayloadCodec
from workflows_core.ports.ids import IdGenerator
from workflows_core.ports.store import Committed, DuplicateKey, StartKey, WorkflowStore, WriteResult

__all__ = ["Starting"]


class Starting:
    """Starts instances."""

    def __init__(
        self,
        *,
        store: WorkflowStore,
        commits: CommitsTransitions,
        programs: Programs,
        codec: PayloadCodec,
        ids: IdGenerator,
        clock: Clock,
        settings: EngineSettings,
        seats: Seats,
    ) -> None:
        self._store = store
        self._commits = commits
        self._programs = programs
        self._codec = codec
        self._ids = ids
        self._clock = clock
        self._settings = settings
        self._seats = seats

    async def start(
        self,
        name: str,
        initial_data: Mapping[str, Any],
        *,
        version: str | None,
        key: str | None,
        actor: Actor,
        metadata: Mapping[str, Any] | None,
        deadline: timedelta | None = None,
        priority: int | None = None,
        delay: timedelta | None = None,
        start_at: datetime | None = None,
    ) -> WorkflowInstance:
        """Start an instance of a workflow; see `WorkflowEngine.start_workflow`."""
        loaded = await self._programs.for_start(name, version)
        graph = loaded.program.graph
        if graph.input_schema is not None:
            problems = validate_document(graph.input_schema, dict(initial_data))
            if problems:
                raise InputValidationError(f"initial data of workflow {graph.name!r}", problems)
        _check(priority, delay, start_at)
        data = encode_data(initial_data, self._codec.encode)
        command = Start(
            instance_id=self._ids.new(),
            data=data,
            actor=actor,
            now=self._clock.now(),
            metadata=None if not metadata else encode_value("metadata", dict(metadata), self._codec.encode),
            deadline_s=None if deadline is None else deadline.total_seconds(),
            priority=priority,
            delay_s=0.0 if delay is None else delay.total_seconds(),
            begin_at=start_at,
        )
        transition = decide(loaded.program, initial_state(loaded.program, command), command, actor.id)
        check_size(transition, self._settings.max_data_bytes)
        start_key = None if key is None else StartKey(key, _digest(graph.name, version, data))
        result = await self._commit(loaded, transition, start_key)
        match result:
            case Committed():
                return to_instance(transition.state, self._codec, updated_at=result.at)
            case DuplicateKey() if start_key is not None and result.digest == start_key.digest:
                found = await self._store.load(result.instance_id)
                if found is None:
                    raise InstanceNotFoundError(result.instance_id)
                return to_instance(found.state, self._codec, updated_at=found.at, is_duplicate=True)
            case DuplicateKey():
                raise IdempotencyConflictError(key or "", result.instance_id)
            case _:
                raise RevisionConflictError(command.instance_id, 1)

    async def _commit(self, loaded: LoadedProgram, transition: Transition, start_key: StartKey | None) -> WriteResult:
        """Commit a start, and its first step as claimed if a worker of this process has a free slot."""
        seating = Seating(self._seats)
        seating.keep(loaded, transition)
        commit = partial(
            self._commits.commit,
            transition,
            take=seating.take,
            lease_s=seating.lease_s,
            start_key=start_key,
            worker=seating.worker,
        )
        return await seating.commit(commit, lambda: transition.state)


def _check(priority: int | None, delay: timedelta | None, start_at: datetime | None) -> None:
    """Refuse a start at no certain moment, or of a priority that no store can keep."""
    problems: list[FieldProblem] = []
    if priority is not None and abs(priority) > MOST_URGENT:
        problems.append(
            FieldProblem("/priority", f"is {priority}; use {-MOST_URGENT} (least) to {MOST_URGENT}", "maximum")
        )
    if delay is not None and not timedelta() <= delay <= LONGEST_WAIT:
        problems.append(
            FieldProblem("/delay", f"is {delay}; use 0 seconds to {LONGEST_WAIT.days} days (100 years)", "maximum")
        )
    if start_at is not None and start_at.utcoffset() is None:
        message = f"{start_at.isoformat()} has no offset from UTC; give it a time zone"
        problems.append(FieldProblem("/start_at", message, "format"))
    if delay is not None and start_at is not None:
        problems.append(FieldProblem("/start_at", "a start has a delay or a moment; leave one of the two out", "oneOf"))
    if problems:
        raise InputValidationError("the start", problems)


def _digest(name: str, version: str | None, data: Mapping[str, bytes]) -> str:
    """Digest of what was asked, whatever the order of the keys."""
    digest = hashlib.sha256(f"{name}\0{version or ''}".encode())
    for key in sorted(data):
        digest.update(len(key.encode()).to_bytes(8, "big") + key.encode())
        digest.update(len(data[key]).to_bytes(8, "big") + data[key])
    return digest.hexdigest()
