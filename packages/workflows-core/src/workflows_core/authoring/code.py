"""The code of a step as a worker calls it: what the author wrote, and nothing for what was left at its default."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Concatenate, Final, NamedTuple, TypeAlias, TypeVar

from workflows_core.authoring.context import WorkflowContext
from workflows_core.errors import StepExecutionError

__all__ = [
    "AuthorFunction",
    "ContextFunction",
    "MaybeAwaitable",
    "StepCode",
    "ask",
    "default_hook",
    "is_coroutine_function",
    "overridden",
]

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

MaybeAwaitable: TypeAlias = T | Awaitable[T]
"""What a method may return that can be written with ``def`` and with ``async def``."""

ContextFunction: TypeAlias = (
    Callable[[WorkflowContext], MaybeAwaitable[T]] | Callable[Concatenate[WorkflowContext, ...], MaybeAwaitable[T]]
)
"""A function of the context, ``def`` or ``async def``, that may also want dependencies. The first half alone tells type checkers about lambdas."""

_DEFAULT: Final = "__workflow_default__"


def default_hook(function: F) -> F:
    """Mark a method of ours as doing nothing of its own, so that it is never called unless a subclass overrides it."""
    function.__dict__[_DEFAULT] = True
    return function


def overridden(step: object, method: str) -> Callable[..., Any] | None:
    """The bound method of a step if its author wrote it; None if it is absent or our default."""
    bound = getattr(step, method, None)
    if not callable(bound):
        return None
    return None if getattr(bound, _DEFAULT, False) else bound


def is_coroutine_function(function: object) -> bool:
    """Whether calling it gives a coroutine; also for objects with an ``async def __call__`` and for partials."""
    call = getattr(function, "__call__", None)  # noqa: B004 - not whether it can be called, but by what
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


async def ask(function: Callable[..., Any], context: WorkflowContext, *arguments: Any) -> Any:
    """Call a function of the author, with the dependencies that it wants: awaited if it is a coroutine function, else in a thread."""
    wanted = {} if context.dependencies is None else await context.dependencies.of(function)
    if is_coroutine_function(function):
        return await function(context, *arguments, **wanted)
    answer = await asyncio.to_thread(_call, function, (context, *arguments), wanted)
    return await answer if inspect.isawaitable(answer) else answer


def _call(function: Callable[..., Any], arguments: tuple[Any, ...], wanted: Mapping[str, Any]) -> Any:
    """Call in a thread; what a thread cannot hand over as an error, or must not end the process with, becomes an ordinary one."""
    try:
        return function(*arguments, **wanted)
    except (StopIteration, SystemExit) as error:
        msg = f"it raised {type(error).__name__}: {error}"
        raise RuntimeError(msg) from error


class AuthorFunction(NamedTuple):
    """A function of the author that is called for a step.

    Attributes:
        name: What the author would call it.
        function: The function.
        given: How many arguments it gets by position, the context first; what else it wants are dependencies.
    """

    name: str
    function: Callable[..., Any]
    given: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCode:
    """What a worker may call for one step of a definition; None where the author wrote nothing.

    Attributes:
        step: The author's object; for a decorated method an object that stands for it.
        execute: Called with the context (see also ``runs_engine``) for machine steps, for gateways that choose by code, and after
            the completion of a human step with a handler.
        can_execute: Guard, called before ``execute``. The guard of a step that waits is part of its ``prepare``.
        on_success: Called with the context and the result, before the commit.
        on_failure: Called with the context and the exception when the step has failed for good.
        compensate: Called with the context to undo what ``execute`` did.
        prepare: Called before a computed step is entered. Gives the `Assignment` of a human step, the duration or moment of a
            timer, the branch key of a conditional group, the items of a ``ForEach``; or ``Outcome.SKIPPED``, when the guard of the
            step says no.
        asked: What ``prepare``, which is ours, asks of the author, by name.
        validate_submission: Called with the context and the form data before a task is completed; raises ``ValueError`` or returns
            messages.
        is_async: Whether ``execute`` is a coroutine function; others are to run in a thread.
        routes: Whether the result of ``execute`` names the successors.
        runs_engine: Whether ``execute`` also wants the engine: an application's own `StepGroup`.
    """

    step: object
    execute: Callable[..., Any] | None = None
    can_execute: Callable[..., Any] | None = None
    on_success: Callable[..., Any] | None = None
    on_failure: Callable[..., Any] | None = None
    compensate: Callable[..., Any] | None = None
    prepare: Callable[..., Any] | None = None
    asked: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    validate_submission: Callable[..., Any] | None = None
    is_async: bool = False
    routes: bool = False
    runs_engine: bool = False

    @classmethod
    def missing(cls, step: str) -> StepCode:
        """Stand-in for a step whose code this process does not have: whatever is called fails, saying so."""

        async def fail(*_arguments: object) -> None:
            reason = "its code is not registered in this process; deploy the version of the workflow that has it"
            raise StepExecutionError(step, reason)

        return cls(step=None, execute=fail, prepare=fail, compensate=fail, is_async=True)

    def functions(self) -> Iterator[AuthorFunction]:
        """All that the author wrote for the step."""
        for name, given in _GIVEN.items():
            function = getattr(self, name)
            if function is not None:
                yield AuthorFunction(name, function, 2 if name == "execute" and self.runs_engine else given)
        for name, function in self.asked.items():
            yield AuthorFunction(name, function)


_GIVEN: Final = {
    "can_execute": 1,
    "execute": 1,
    "on_success": 2,
    "on_failure": 2,
    "compensate": 1,
    "validate_submission": 2,
}
"""How many arguments a function of a step gets by position."""
