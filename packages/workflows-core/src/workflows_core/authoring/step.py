"""What a step is, and the classes from which machine steps are written."""

# ruff: noqa: ARG002 - hooks are written to be overridden

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

from workflows_core.authoring.code import MaybeAwaitable, default_hook
from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.naming import snake_case
from workflows_core.domain.retry import RetryPolicy
from workflows_core.domain.throttles import ConcurrencyLimit, RateLimit
from workflows_core.domain.types import StepType

__all__ = ["AnyStep", "BaseMachineStep", "BaseStep", "Step", "StepAttributes", "StepLike", "StepRunner"]

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    T = TypeVar("T", default=Any)
else:
    from typing import TypeVar

    T = TypeVar("T")


class StepLike(Protocol):
    """The least that a machine step must have; any object with these is one.

    It may also have what `Step` and `StepAttributes` name; `step_type` says what it is if it is no machine step.
    """

    @property
    def name(self) -> str:
        """Name in the graph, unless the definition gives it another."""
        ...

    def execute(self, context: WorkflowContext, /, *args: Any, **kwargs: Any) -> Any:
        """Do the step's work; ``def`` or ``async def``."""
        ...


class Step(Protocol[T]):
    """A step; subclass it, or write any class that has the same members.

    Every method may be ``def`` or ``async def``; the former run in a thread. The guard, the work and `on_success` run at least
    once: after a crash they run again, with the same ``context.idempotency_key``.
    """

    name: str
    description: str = ""

    @abstractmethod
    def execute(self, context: WorkflowContext, *args: Any, **kwargs: Any) -> MaybeAwaitable[T]:
        """Do the step's work; what is returned is the step's result."""

    @default_hook
    def can_execute(self, context: WorkflowContext, *args: Any, **kwargs: Any) -> MaybeAwaitable[bool]:
        """Whether to run at all; if not, the step is skipped."""
        return True

    @default_hook
    def on_success(self, context: WorkflowContext, result: T, *args: Any, **kwargs: Any) -> MaybeAwaitable[None]:
        """Called after `execute`, before its result is stored; an error fails the attempt."""
        return None

    @default_hook
    def on_failure(self, context: WorkflowContext, error: Exception, *args: Any, **kwargs: Any) -> MaybeAwaitable[None]:
        """Called when the step has failed for good; an error here is recorded beside the first."""
        return None


class StepRunner(Protocol):
    """The part of an engine that groups use when they run by themselves."""

    @abstractmethod
    async def execute_step(self, step: Any, context: WorkflowContext, previous_result: Any = None) -> Any:
        """Run one step or group at once, in this process, and return its result; nothing is stored."""


class StepAttributes:
    """What every step and group can say about its place in the graph; to be set on the class or given to the constructor.

    Attributes:
        name: Name in the graph; by default made of the name of the class, or of the attribute of a workflow class that holds it.
        description: For people.
        summary: One line for readers of the workflow, where there is no description; by default that of a function's docstring.
        join: What the step does with several incoming edges: ``"auto"`` waits for every token that can still come (the default),
            ``"all"`` for one on each edge, ``"any"`` or a number for the first or the n-th, ``"each"`` runs once for each. None is
            ``"auto"``, but ``"each"`` for a step that is only entered after failures and timeouts.
        terminal: True ends the token here; ``"instance"`` ends the whole instance.
        queue: Name of the queue whose workers run it; None is that of the workflow, which is ``default`` unless it says otherwise.
        priority: Of its work among what is due, higher is taken first, 0 is usual; None is that of the instance. A human step has
            the priority of its task instead, see `BaseHumanStep`.
        next: Successors: one name is an edge to it; a collection are those among which the result chooses, by name. None looks at
            the edges only.
        retry: When a failed attempt of its code is repeated: a policy, or just the number of attempts. None never.
        timeout: Time that the step may take, from its entry to its end, with all attempts and waits; then it follows its ``timeout``
            edges. None is as long as it takes.
        attempt_timeout: Time that one attempt of its code may take. One that takes longer has failed, and may be repeated.
        heartbeat_timeout: Time for which its code may go without calling ``context.heartbeat()``; after that the attempt has failed.
        concurrency: How many executions of its code may run at once, in all processes; a number is a limit without a key. For a
            `ForEach`, how many of its items are active at once.
        rate: How many executions of its code may begin in a time, in all processes.
    """

    name: str = ""
    description: str = ""
    summary: str = ""
    join: str | int | None = None
    terminal: bool | str = False
    queue: str | None = None
    priority: int | None = None
    next: str | AnyStep | Sequence[str | AnyStep] | None = None
    retry: RetryPolicy | int | None = None
    timeout: timedelta | None = None
    attempt_timeout: timedelta | None = None
    heartbeat_timeout: timedelta | None = None
    concurrency: ConcurrencyLimit | int | None = None
    rate: RateLimit | None = None

    _name_suffix: ClassVar[str] = "Step"
    _class_has_name: ClassVar[bool] = False
    _name_is_derived: bool = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" in cls.__dict__:
            cls._class_has_name = True
        elif not cls._class_has_name:
            cls.name = snake_case(cls.__name__, cls._name_suffix)

    def __init__(
        self,
        *,
        name: str | None = None,
        description: str | None = None,
        summary: str | None = None,
        join: str | int | None = None,
        terminal: bool | str | None = None,
        queue: str | None = None,
        priority: int | None = None,
        next: str | AnyStep | Sequence[str | AnyStep] | None = None,  # noqa: A002 - the name of the attribute
        retry: RetryPolicy | int | None = None,
        timeout: timedelta | None = None,
        attempt_timeout: timedelta | None = None,
        heartbeat_timeout: timedelta | None = None,
        concurrency: ConcurrencyLimit | int | None = None,
        rate: RateLimit | None = None,
    ) -> None:
        self._assign(name=name, description=description, summary=summary, join=join, queue=queue, next=next)
        self._assign(priority=priority, terminal=terminal, retry=retry, timeout=timeout)
        self._assign(attempt_timeout=attempt_timeout, heartbeat_timeout=heartbeat_timeout)
        self._assign(concurrency=concurrency, rate=rate)

    def __set_name__(self, owner: type, attribute: str) -> None:
        if self._name_is_derived or not self._has_name:
            self._assign(name=attribute)

    @property
    def _has_name(self) -> bool:
        """Whether it has another name than the one that follows from its class."""
        return self._class_has_name or "name" in vars(self)

    def _derive_name(self, name: str) -> None:
        """Take a name that anything else may replace."""
        self.name = name
        self._name_is_derived = True

    def _assign(self, **attributes: Any) -> None:
        """Set what was given; what is None stays as the class has it."""
        for attribute, value in attributes.items():
            if value is not None:
                setattr(self, attribute, value)
        if attributes.get("name") is not None:
            self._name_is_derived = False


class BaseStep(StepAttributes):
    """Root of the step classes of this library; write your own from `BaseMachineStep`, `BaseHumanStep` and their like."""

    step_type: StepType = StepType.MACHINE

    @default_hook
    def can_execute(self, context: WorkflowContext, *args: Any, **kwargs: Any) -> MaybeAwaitable[bool]:
        """Whether to run at all; if not, the step is skipped."""
        return True

    @default_hook
    def on_success(self, context: WorkflowContext, result: Any, *args: Any, **kwargs: Any) -> MaybeAwaitable[None]:
        """Called after `execute`, before its result is stored; an error fails the attempt."""

    @default_hook
    def on_failure(self, context: WorkflowContext, error: Exception, *args: Any, **kwargs: Any) -> MaybeAwaitable[None]:
        """Called when the step has failed for good; an error here is recorded beside the first."""

    @default_hook
    def compensate(self, context: WorkflowContext, *args: Any, **kwargs: Any) -> MaybeAwaitable[Any]:
        """Undo what `execute` did; write it for steps that something can and must be done about when the workflow fails or is cancelled.

        Called once for each execution that succeeded, last first, with what it did in ``context.undoing``; and also for one whose
        worker was lost, so it must bear that nothing was done. It is repeated as the step's ``retry`` says.
        """


class BaseMachineStep(BaseStep):
    """A step that runs code; subclass it and write `execute`.

    Attributes:
        transactional: Whether ``context.session`` is a session of the transaction that records the result: both are committed, or
            neither is. Needs ``async def execute``, and a store that has transactions.
    """

    transactional: bool = False

    def __init__(self, *, transactional: bool | None = None, **attributes: Any) -> None:
        """Set attributes; those beside ``transactional`` are described at `StepAttributes`."""
        super().__init__(**attributes)
        self._assign(transactional=transactional)

    @default_hook
    def execute(self, context: WorkflowContext, *args: Any, **kwargs: Any) -> Any:
        """Do the step's work; what is returned is the step's result. ``def`` (runs in a thread) or ``async def``."""
        msg = f"{type(self).__name__} must define execute(self, context); step {context.current_step!r}"
        raise TypeError(msg)


AnyStep: TypeAlias = StepLike | StepAttributes | type[Any] | Callable[..., Any]
"""A step object, a step class with a constructor without arguments, a group, or a function with ``@step``."""
