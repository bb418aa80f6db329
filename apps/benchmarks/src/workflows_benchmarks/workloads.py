"""The workflows that are measured: steps that do nothing, so that what is measured is the engine."""

from __future__ import annotations

from itertools import pairwise

from workflows_core import BaseMachineStep, Edge, WorkflowContext, WorkflowDefinition

__all__ = ["LINEAR_STEPS", "linear"]

LINEAR_STEPS = 5


class EmptyStep(BaseMachineStep):
    """Does nothing."""

    async def execute(self, context: WorkflowContext) -> None:
        """Return at once."""


def linear(steps: int = LINEAR_STEPS) -> WorkflowDefinition:
    """Steps one after the other."""
    names = [f"step_{number}" for number in range(1, steps + 1)]
    return WorkflowDefinition(
        name=f"linear_{steps}",
        version="1.0.0",
        steps={name: EmptyStep(name=name) for name in names},
        edges=[Edge(source, target) for source, target in pairwise(names)],
        initial_step=names[0],
    )
