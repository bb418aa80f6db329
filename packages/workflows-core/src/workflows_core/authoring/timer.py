"""Steps that wait for time to pass; the wait is a row in the store and survives restarts."""

# ruff: noqa: ARG002 - hooks are written to be overridden

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from workflows_core.authoring.code import ContextFunction, MaybeAwaitable, StepCode, ask, default_hook, overridden
from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.report import Report
from workflows_core.authoring.step import BaseStep
from workflows_core.domain.graph import TimerNode
from workflows_core.domain.types import Outcome, StepType
from workflows_core.errors import StepExecutionError

__all__ = ["DelayStep", "ScheduledStep", "TimerStep", "read_timer"]

_MEND: Final = "give a timedelta, a datetime with a time zone, or a callable of the context that returns one"

Delay: TypeAlias = timedelta | datetime
Computed: TypeAlias = ContextFunction[Delay]


class TimerStep(BaseStep):
    """Waits for a duration, or until the moment that its callable or its `get_delay` gives.

    Attributes:
        duration: How long to wait from the entry; or a callable of the context that gives the duration, or a moment with a time
            zone. A moment in the past fires at once.
    """

    step_type = StepType.TIMER
    duration: timedelta | Computed | None = None

    def __init__(
        self, name: str | None = None, duration: timedelta | Computed | None = None, **attributes: Any
    ) -> None:
        """Set what was given; ``attributes`` are those of `StepAttributes`."""
        super().__init__(name=name, **attributes)
        self._assign(duration=duration)

    @default_hook
    def get_delay(self, context: WorkflowContext, *args: Any, **kwargs: Any) -> MaybeAwaitable[Delay]:
        """The duration, or the moment with a time zone; override it to compute one."""
        source = _source(self)
        delay: MaybeAwaitable[Delay] = source(context) if callable(source) else source
        return delay


class DelayStep(TimerStep):
    """Waits for a number of seconds or a duration: ``DelayStep("cool_down", seconds=30)``.

    Attributes:
        seconds: How long to wait, if no `duration` is given.
    """

    seconds: float = 0.0

    def __init__(
        self,
        name: str | None = None,
        duration: timedelta | Computed | None = None,
        *,
        seconds: float | None = None,
        **attributes: Any,
    ) -> None:
        """Set what was given; ``attributes`` are those of `StepAttributes`."""
        super().__init__(name, duration, **attributes)
        self._assign(seconds=seconds)


class ScheduledStep(TimerStep):
    """Waits until a moment: ``ScheduledStep("opening", at=datetime(2030, 1, 1, tzinfo=UTC))``.

    Attributes:
        at: The moment, with a time zone, or a callable of the context that gives it. In the past it fires at once.
    """

    at: datetime | Computed | None = None

    def __init__(self, name: str | None = None, at: datetime | Computed | None = None, **attributes: Any) -> None:
        """Set what was given; ``attributes`` are those of `StepAttributes`."""
        super().__init__(name, **attributes)
        self._assign(at=at)


def read_timer(name: str, step: Any, report: Report) -> tuple[TimerNode, StepCode]:
    """The node and the code of a timer."""
    report.refuse_hooks(name, step, "timer", "execute", "on_success")
    guard, hook = overridden(step, "can_execute"), overridden(step, "get_delay")
    source = _source(step)
    if hook is None and callable(source):
        hook = source
    code = StepCode(step=step, on_failure=overridden(step, "on_failure"))
    if hook is not None or guard is not None:
        asked = {"can_execute": guard, "get_delay": hook}
        code = replace(
            code,
            prepare=_preparation(name, hook, source, guard),
            asked={each: function for each, function in asked.items() if function is not None},
        )
        return TimerNode(computed=True), code
    report.refuse_hooks(name, step, "timer that asks no code", "on_failure")
    if isinstance(source, timedelta):
        return TimerNode(delay_s=source.total_seconds()), code
    if isinstance(source, datetime) and source.tzinfo is not None:
        return TimerNode(until=source.isoformat()), code
    report.about_step(name, "bad_duration", f"it waits for {source!r}", _MEND)
    return TimerNode(), code


def _source(step: Any) -> Any:
    """What the author wrote: a duration, a moment or a callable; None if nothing."""
    for attribute in ("at", "duration"):
        value = getattr(step, attribute, None)
        if value is not None:
            return value
    seconds = getattr(step, "seconds", None)
    return None if seconds is None else timedelta(seconds=seconds)


def _preparation(
    name: str, hook: Callable[..., Any] | None, delay: Any, guard: Callable[..., Any] | None
) -> Callable[[WorkflowContext], Awaitable[Delay | Outcome]]:
    """Ask the guard, then the hook if there is one."""

    async def prepare(context: WorkflowContext) -> Delay | Outcome:
        if guard is not None and not await ask(guard, context):
            return Outcome.SKIPPED
        return _checked(name, delay if hook is None else await ask(hook, context))

    return prepare


def _checked(name: str, delay: Any) -> Delay:
    if isinstance(delay, timedelta) or (isinstance(delay, datetime) and delay.tzinfo is not None):
        return delay
    raise StepExecutionError(name, f"it was to wait for {delay!r}; {_MEND}")
