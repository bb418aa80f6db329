"""Finding the code of a step, and what its answers mean for the way on."""

from __future__ import annotations

from typing import Any

from workflows_core.authoring.code import StepCode, ask
from workflows_core.authoring.context import WorkflowContext
from workflows_core.domain.types import Outcome
from workflows_core.engine.programs import LoadedProgram
from workflows_core.errors import InvalidTransitionError

__all__ = ["code_of", "conditions_of", "route_of"]


def code_of(loaded: LoadedProgram, step: str) -> StepCode:
    """The code of a step; one that fails, saying so, if this process does not have it."""
    definition = loaded.definition
    code = definition.code.get(step) if definition is not None else None
    return code if code is not None else StepCode.missing(step)


async def conditions_of(
    loaded: LoadedProgram, step: str, outcome: Outcome, context: WorkflowContext
) -> dict[int, bool] | None:
    """Truth of the computed conditions of a step's edges; None if it has none for this outcome."""
    wanted = [way.index for way in loaded.program.steps[step].exits[outcome] if way.computed]
    if not wanted:
        return None
    truths: dict[int, bool] = {}
    for index in wanted:
        condition = loaded.conditions.get(index)
        if condition is None:
            edge = loaded.program.graph.edges[index]
            raise InvalidTransitionError(step, f"the code of its condition for {edge.target!r} is not registered")
        truths[index] = bool(await ask(condition, context))
    return truths


def route_of(result: Any) -> tuple[str, ...]:
    """Successors that a result names."""
    if isinstance(result, str):
        return (result,)
    if isinstance(result, list | tuple) and all(isinstance(name, str) for name in result):
        return tuple(result)
    return ()
