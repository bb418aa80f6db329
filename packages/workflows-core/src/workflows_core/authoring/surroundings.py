"""What a context has beside its data: what it asks its engine for, what it tells of other steps, and why it refuses."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from workflows_core.domain.types import StepStatus
from workflows_core.errors import DefinitionError, StateError
from workflows_core.ports.queries import ExecutionRecord

if TYPE_CHECKING:
    from workflows_core.authoring.context import WorkflowContext

__all__ = [
    "ContextServices",
    "Dependencies",
    "DetachedContextError",
    "NoSessionError",
    "NoStateTypeError",
    "StepSummary",
    "Undoing",
]


class DetachedContextError(StateError):
    """Raised when a context that belongs to no engine is asked for what only an engine knows; `name` is what was asked."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return (
            f"{self.name} needs an engine, and this context has none; give `services=` to WorkflowContext.for_testing"
        )


class NoStateTypeError(DefinitionError):
    """Raised when ``context.state`` is used in a workflow that declares no state type."""

    def __init__(self, workflow: str) -> None:
        super().__init__(workflow)
        self.workflow = workflow

    def __str__(self) -> str:
        return f"workflow {self.workflow!r} declares no state type; give it one with `state=`, or use context.data"


class NoSessionError(DefinitionError):
    """Raised when ``context.session`` is used in a step that is not transactional; `step` is its name."""

    def __init__(self, step: str) -> None:
        super().__init__(step)
        self.step = step

    def __str__(self) -> str:
        return (
            f"step {self.step!r} has no session: declare it with `transactional=True`, or give `session=` to "
            "WorkflowContext.for_testing; its on_failure has none either, because what the step wrote is undone by then"
        )


class StepSummary(NamedTuple):
    """The last finished execution of one step, as `WorkflowContext.step_history` lists them."""

    step_name: str
    status: StepStatus
    started_at: datetime | None
    completed_at: datetime | None


class Undoing(NamedTuple):
    """What a compensation is to undo.

    Attributes:
        execution: Number of the execution.
        idempotency_key: The key that it gave to other systems.
        result: What it returned; None if nothing, or if that is not known.
        is_known: Whether it is known to have succeeded; else its worker was lost, and it may have done its work or not.
    """

    execution: int
    idempotency_key: str
    result: Any
    is_known: bool


class Dependencies(Protocol):
    """What the code of an attempt gets beside its context."""

    @abstractmethod
    async def of(self, function: Callable[..., Any]) -> Mapping[str, Any]:
        """The arguments that a function of the step wants, by name of the parameter; none for a function that wants nothing.

        Raises:
            InvalidDefinitionError: It wants what nothing provides; says what and how to mend it.
            Exception: What was raised while a value was made.
        """


class ContextServices(Protocol):
    """What a context asks its engine for."""

    @abstractmethod
    async def history(self, context: WorkflowContext) -> Sequence[ExecutionRecord]:
        """All finished step executions of the instance, ascending by number."""

    @abstractmethod
    def webhook_token(self, context: WorkflowContext, step: str) -> str:
        """The signed token for the next visit of a webhook step, in the scope of the context."""

    @abstractmethod
    def webhook_url(self, context: WorkflowContext, step: str) -> str:
        """The address to be called for the next visit of a webhook step, in the scope of the context."""

    @abstractmethod
    def is_cancelled(self, context: WorkflowContext) -> bool:
        """Whether the step is to stop; its result will be dropped. Called from any thread."""

    @abstractmethod
    def heartbeat(self, context: WorkflowContext) -> None:
        """Take a sign of life of the step's code. Called from any thread."""
