"""What a step gets: the data of its instance, and the few things it may ask about its surroundings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy, deepcopy
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from workflows_core.authoring.surroundings import (
    ContextServices,
    Dependencies,
    DetachedContextError,
    NoSessionError,
    NoStateTypeError,
    StepSummary,
    Undoing,
)
from workflows_core.domain.payload import encode_data, encode_value
from workflows_core.domain.state import LastExecution
from workflows_core.domain.typed_state import decode_state, encode_state
from workflows_core.ports.queries import ExecutionRecord

__all__ = ["WorkflowContext"]

_NO_HISTORY: Final[Mapping[str, LastExecution]] = MappingProxyType({})
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


class WorkflowContext:
    """What a step gets: one for each attempt, with a private copy of the data.

    What is changed in `data`, in place too, is stored together with the result of the step; if the attempt fails it is dropped.
    ``dataclasses.replace`` does not apply; see `with_step`.

    Attributes:
        data: The data, by key; to be changed freely.
        metadata: What the starter attached to the instance; read-only.
        instance_id: The instance.
        workflow_name: Its workflow.
        workflow_version: The version that runs.
        current_step: Name of the step.
        started_at: When the instance was started.
        user_id: Who completed the task, after a human step; else who started the instance.
        tenant_id: Tenant of the instance.
        execution: Number of the step execution, unique in the instance.
        visit: How many times the scope of the step has entered it, this time included.
        attempt: 1 for the first attempt of this execution, and so on.
        previous_result: Inside a group, the result of the step before; for the callback of a `ParallelGroup`, all results.
        scope: Id of the group's or item's scope in which the step runs; 0 outside.
        additions: What `add` collected.
        undoing: In a compensation, what it is to undo; None elsewhere.
        dependencies: What the code of the step gets beside the context; None if it wants nothing.
    """

    __slots__ = (
        "_last",
        "_services",
        "_session",
        "_state",
        "_state_before",
        "_state_type",
        "additions",
        "attempt",
        "current_step",
        "data",
        "dependencies",
        "execution",
        "instance_id",
        "metadata",
        "previous_result",
        "scope",
        "started_at",
        "tenant_id",
        "undoing",
        "user_id",
        "visit",
        "workflow_name",
        "workflow_version",
    )

    def __init__(
        self,
        *,
        instance_id: UUID,
        workflow_name: str,
        workflow_version: str,
        data: dict[str, Any],
        metadata: Mapping[str, Any],
        current_step: str,
        started_at: datetime | None,
        user_id: str | None = None,
        tenant_id: str | None = None,
        execution: int = 0,
        visit: int = 1,
        attempt: int = 1,
        previous_result: Any = None,
        scope: int = 0,
        state_type: type | None = None,
        services: ContextServices | None = None,
        last: Mapping[str, LastExecution] | None = None,
        session: Any = None,
    ) -> None:
        self.instance_id = instance_id
        self.workflow_name = workflow_name
        self.workflow_version = workflow_version
        self.data = data
        self.metadata: Mapping[str, Any] = MappingProxyType(metadata)
        self.current_step = current_step
        self.started_at = started_at
        self.user_id = user_id
        self.tenant_id = tenant_id
        self.execution = execution
        self.visit = visit
        self.attempt = attempt
        self.previous_result = previous_result
        self.scope = scope
        self.additions: list[tuple[str, Any]] = []
        self.undoing: Undoing | None = None
        self.dependencies: Dependencies | None = None
        self._state_type = state_type
        self._state: Any = None
        self._state_before: dict[str, Any] | None = None
        self._services = services
        self._last = last
        self._session = session

    @classmethod
    def for_testing(
        cls,
        data: Mapping[str, Any] | None = None,
        *,
        metadata: Mapping[str, Any] | None = None,
        current_step: str = "step",
        workflow_name: str = "test",
        workflow_version: str = "1.0.0",
        instance_id: UUID | None = None,
        started_at: datetime = _EPOCH,
        **others: Any,
    ) -> WorkflowContext:
        """A context for the test of one step: ``await MyStep().execute(WorkflowContext.for_testing({"amount": 3}))``.

        Args:
            data: Copied, so that the test can compare before and after.
            metadata: Metadata of the instance.
            current_step: Name of the step.
            workflow_name: Name of the workflow.
            workflow_version: Its version.
            instance_id: Identity of the instance; a new one each time if it is left out.
            started_at: When it was started.
            **others: Any other argument of the constructor.
        """
        return cls(
            data=dict(data or {}),
            metadata=metadata or {},
            current_step=current_step,
            workflow_name=workflow_name,
            workflow_version=workflow_version,
            instance_id=uuid4() if instance_id is None else instance_id,
            started_at=started_at,
            **others,
        )

    # Data

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a data key; the default if it is absent."""
        return self.data.get(key, default)

    def set(self, key: str, value: Any) -> None:
        """Set a data key.

        Raises:
            PayloadError: The value cannot be stored; names the key. Nothing was set.
        """
        encode_value(key, value)
        self.data[key] = value

    def delete(self, key: str) -> None:
        """Remove a data key, if it is there."""
        self.data.pop(key, None)

    def add(self, key: str, value: Any) -> None:
        """Give a value to the reducer of a data key; parallel steps may do so without losing one another's values.

        What is added shows in the data of later steps, not in those of this context.

        Raises:
            PayloadError: The value cannot be stored; names the key. Nothing was added.
        """
        encode_value(key, value)
        self.additions.append((key, value))

    @property
    def state(self) -> Any:
        """The data as the state type of the workflow; its changes are stored like those of `data`.

        Raises:
            NoStateTypeError: The workflow declares none.
            TypedStateError: The data do not fit it.
        """
        if self._state is None:
            if self._state_type is None:
                raise NoStateTypeError(self.workflow_name)
            self._state = decode_state(self._state_type, self.data)
            self._state_before = encode_state(self._state)
        return self._state

    @state.setter
    def state(self, state: Any) -> None:
        if self._state_type is None:
            raise NoStateTypeError(self.workflow_name)
        if not isinstance(state, self._state_type):
            msg = f"the state of workflow {self.workflow_name!r} is a {self._state_type.__name__}, not {state!r}"
            raise TypeError(msg)
        self._state = state

    def collect(self) -> dict[str, Any]:
        """The data with what was changed in `state`; a field wins over the data key only if the step changed the field.

        Raises:
            TypedStateError: A field of the state holds what its type does not allow.
            PayloadError: A field of the state cannot be stored; names it.
        """
        if self._state is None:
            return self.data
        before, after = self._state_before or {}, encode_state(self._state)
        known, merged = encode_data(before), dict(self.data)
        merged.update((key, after[key]) for key, raw in encode_data(after).items() if known.get(key) != raw)
        for key in before.keys() - after.keys():
            merged.pop(key, None)
        return merged

    # Surroundings

    @property
    def session(self) -> Any:
        """In a transactional step, a session of the transaction that records the step's result; its type is that of the store's package.

        What is written through it is committed together with the result, once, or not at all. It may be committed and rolled back
        freely: the former ends nothing, the latter undoes what was written since the last commit.

        Raises:
            NoSessionError: The step is not transactional.
        """
        if self._session is None:
            raise NoSessionError(self.current_step)
        return self._session

    def end_session(self) -> None:
        """Forget the session, whose transaction is over."""
        self._session = None

    @property
    def workflow_id(self) -> UUID:
        """Identity of the definition: follows from its name and version, so it is the same in every process."""
        return uuid5(NAMESPACE_URL, f"workflows:{self.workflow_name}:{self.workflow_version}")

    @property
    def idempotency_key(self) -> str:
        """A key for calls to other systems: the same in every attempt of this execution, also after a crash."""
        return f"{self.instance_id}/{self.execution}"

    @property
    def step_history(self) -> list[StepSummary]:
        """The last finished execution of each step, in the order in which they were entered."""
        last = sorted((self._last or _NO_HISTORY).items(), key=lambda entry: entry[1].number)
        return [StepSummary(step, run.status, run.started_at, run.completed_at) for step, run in last]

    def visits_of(self, step: str) -> int:
        """How many times a step had been entered when its last finished execution began; 0 if it never finished."""
        last = (self._last or _NO_HISTORY).get(step)
        return 0 if last is None else last.visit

    async def history(self) -> Sequence[ExecutionRecord]:
        """Every finished step execution of the instance, ascending by number; reads them from the store.

        Raises:
            DetachedContextError: The context belongs to no engine.
        """
        return await self._asked("context.history()").history(self)

    def webhook_url(self, step: str) -> str:
        """The address that resumes a webhook step; may be given away before the step is entered.

        Raises:
            DetachedContextError: The context belongs to no engine.
        """
        return self._asked("context.webhook_url()").webhook_url(self, step)

    def webhook_token(self, step: str) -> str:
        """The signed token in the address that resumes a webhook step.

        Raises:
            DetachedContextError: The context belongs to no engine.
        """
        return self._asked("context.webhook_token()").webhook_token(self, step)

    @property
    def cancelled(self) -> bool:
        """Whether the step should stop: it was cancelled, timed out or taken over. Always False without an engine."""
        return self._services is not None and self._services.is_cancelled(self)

    def heartbeat(self) -> None:
        """Say that the code is alive, for steps with a ``heartbeat_timeout``; may be called often, and from any thread."""
        if self._services is not None:
            self._services.heartbeat(self)

    def with_step(self, step_name: str) -> WorkflowContext:
        """A context of the same instance for another step; both share data and additions."""
        other = copy(self)
        other.current_step = step_name
        return other

    def inside(self, step_name: str) -> WorkflowContext:
        """A context of the same instance for the inside of a group: its data begin as a copy, its additions are shared."""
        inner = self.with_step(step_name)
        inner.data = deepcopy(self.collect())
        inner.forget_state()
        return inner

    def forget_state(self) -> None:
        """Drop the typed state, so that it is made of the data anew when it is asked for."""
        self._state = None
        self._state_before = None

    def __repr__(self) -> str:
        return (
            f"<WorkflowContext {self.workflow_name} {self.workflow_version} step={self.current_step!r} "
            f"instance={self.instance_id}>"
        )

    def _asked(self, name: str) -> ContextServices:
        if self._services is None:
            raise DetachedContextError(name)
        return self._services
