"""Run a step or a group by itself, without an instance: for tests, scripts and groups of the application's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from copy import copy
from typing import Any

from workflows_core.authoring.code import AuthorFunction, ask, overridden
from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.groups import ConditionalGroup, ForEach, StepGroup
from workflows_core.engine.injection import NOTHING_WANTED, StepNeeds, needs_of
from workflows_core.ports.injection import StepInjector

__all__ = ["run_step"]


async def run_step(
    engine: Any, step: Any, context: WorkflowContext, previous_result: Any = None, injector: StepInjector | None = None
) -> Any:
    """Run one step (guard, code and hooks) or one group on a context, with dependencies of its own.

    Returns:
        The step's result; None if its guard says no.

    Raises:
        InvalidDefinitionError: The code wants what nothing provides.
        Exception: What the step raises, after its ``on_failure``.
    """
    context.previous_result = previous_result
    where = f"step {getattr(step, 'name', type(step).__name__)!r}"
    needs = needs_of(context.workflow_name, where, _functions_of(step), injector)
    if isinstance(step, StepGroup):
        inner = context if needs is None else copy(context)
        async with _given(needs, inner):
            return await ask(step.execute, inner, engine)
    inner = context.with_step(step.name)
    try:
        async with _given(needs, inner):
            return await _run(step, inner)
    except Exception as error:
        on_failure = overridden(step, "on_failure")
        if on_failure is not None:
            async with _given(needs, inner):
                await ask(on_failure, inner, error)
        raise


async def _run(step: Any, context: WorkflowContext) -> Any:
    guard, on_success = overridden(step, "can_execute"), overridden(step, "on_success")
    if guard is not None and not await ask(guard, context):
        return None
    result = await ask(step.execute, context)
    if on_success is not None:
        await ask(on_success, context, result)
    return result


def _given(needs: StepNeeds | None, context: WorkflowContext) -> AbstractAsyncContextManager[object]:
    return NOTHING_WANTED if needs is None else needs.given_to(context)


def _functions_of(step: Any) -> Iterator[AuthorFunction]:
    """All that the author of a step wrote and that is called here."""
    match step:
        case ConditionalGroup() if callable(step.condition):
            yield AuthorFunction("condition", step.condition)
        case ForEach() if callable(step.source):
            yield AuthorFunction("source", step.source)
    given = {"can_execute": 1, "execute": 1, "on_success": 2, "on_failure": 2}
    if isinstance(step, StepGroup):
        given = {"execute": 2}
    for name, count in given.items():
        function = overridden(step, name)
        if function is not None:
            yield AuthorFunction(name, function, count)
