"""The workflows that are measured: steps that do nothing, so that what is measured is the engine."""

from __future__ import annotations

import asyncio
import os
import time
from itertools import pairwise
from pathlib import Path
from typing import Final

from workflows_core import BaseHumanStep, BaseMachineStep, Edge, WorkflowContext, WorkflowDefinition

__all__ = [
    "BEGUN",
    "BRANCHES",
    "FAN_OUT_STEPS",
    "FIRST_STEP_AT",
    "LINEAR_STEPS",
    "WAIT_S",
    "approval",
    "fan_out",
    "interrupted",
    "linear",
    "stamped",
    "waiting",
]

LINEAR_STEPS: Final = 5
BRANCHES: Final = 20
FAN_OUT_STEPS: Final = BRANCHES + 2
WAIT_S: Final = 0.02
FIRST_STEP_AT: Final = "first_step_at"
BEGUN: Final = "begun"


class EmptyStep(BaseMachineStep):
    """Does nothing."""

    async def execute(self, context: WorkflowContext) -> None:
        """Return at once."""


class Stamp(BaseMachineStep):
    """Notes when it began, in seconds since the epoch."""

    async def execute(self, context: WorkflowContext) -> None:
        """Note it."""
        context.set(FIRST_STEP_AT, time.time())


class Wait(BaseMachineStep):
    """Waits for 20 ms, as for an answer of somebody else."""

    async def execute(self, context: WorkflowContext) -> None:  # noqa: ARG002
        """Wait."""
        await asyncio.sleep(WAIT_S)


class Interrupted(BaseMachineStep):
    """Writes its process into the file that the data name and goes on, until somebody kills it; the next attempt is a `Stamp`."""

    async def execute(self, context: WorkflowContext) -> None:
        """Note when it began, and wait if this is the first attempt."""
        context.set(FIRST_STEP_AT, time.time())
        if context.attempt == 1:
            Path(context.get(BEGUN)).write_text(str(os.getpid()))  # noqa: ASYNC240
            await asyncio.sleep(3600)


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


def fan_out() -> WorkflowDefinition:
    """One step, then twenty at the same time, then one that waits for them all."""
    branches = [f"branch_{number}" for number in range(1, BRANCHES + 1)]
    return WorkflowDefinition(
        name=f"fan_out_{BRANCHES}",
        version="1.0.0",
        steps={name: EmptyStep(name=name) for name in ("split", *branches, "join")},
        edges=[edge for name in branches for edge in (Edge("split", name), Edge(name, "join"))],
        initial_step="split",
    )


def approval() -> WorkflowDefinition:
    """A decision of a person, then one step."""
    return WorkflowDefinition(
        name="approval",
        version="1.0.0",
        steps={"decide": BaseHumanStep(name="decide", title="Decide"), "act": EmptyStep(name="act")},
        edges=[Edge("decide", "act")],
        initial_step="decide",
    )


def stamped() -> WorkflowDefinition:
    """One step that notes when it began."""
    return WorkflowDefinition(
        name="stamped", version="1.0.0", steps={"stamp": Stamp(name="stamp")}, edges=[], initial_step="stamp"
    )


def waiting() -> WorkflowDefinition:
    """One step that waits for 20 ms."""
    return WorkflowDefinition(
        name="waiting", version="1.0.0", steps={"wait": Wait(name="wait")}, edges=[], initial_step="wait"
    )


def interrupted() -> WorkflowDefinition:
    """One step that is done by its second attempt."""
    return WorkflowDefinition(
        name="interrupted", version="1.0.0", steps={"hold": Interrupted(name="hold")}, edges=[], initial_step="hold"
    )
