"""Run a step or a group by itself, without an instance: for tests, scripts and groups of the application's own."""

from __future__ import annotations

from typing import Any

from workflows_core.authoring.code import ask
from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.groups import StepGroup

__all__ = ["run_step"]


async def run_step(engine: Any, step: Any, context: WorkflowContext, previous_result: Any = None) -> Any:
    """Run one step (guard, code and hooks) or one group on a context.

    Returns:
        The step's result; None if its guard says no.

    Raises:
        Exception: What the step raises, after its ``on_failure``.
    """
    context.previous_result = previous_result
    if isinstance(step, StepGroup):
        return await step.execute(context, engine)
    inner = context.with_step(step.name)
    guard = getattr(step, "can_execute", None)
    if guard is not None and not await ask(guard, inner):
        return None
    try:
        result = await ask(step.execute, inner)
    except Exception as error:
        on_failure = getattr(step, "on_failure", None)
        if on_failure is not None:
            await ask(on_failure, inner, error)
        raise
    on_success = getattr(step, "on_success", None)
    if on_success is not None:
        await ask(on_success, inner, result)
    return result
