"""Workflows for the tests that kill the server: every step writes a line to a log file before it does anything else.

The server loads them through ``WORKFLOWS_MODULES``. A line is the step and the key of its execution; it is on the disk before the step
goes on, so the log holds every run of every step, also of those that were killed.
"""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from workflows_core import BaseHumanStep, BaseMachineStep, TimerStep, WorkflowContext, WorkflowDefinition

__all__ = ["WORKFLOWS"]


def note(context: WorkflowContext) -> None:
    """Write that a step runs."""
    line = f"{context.current_step} {context.idempotency_key}\n"
    descriptor = os.open(context.get("log"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(descriptor, line.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Noted(BaseMachineStep):
    """Does nothing but being noted."""

    async def execute(self, context: WorkflowContext) -> None:
        note(context)


class Slow(BaseMachineStep):
    """Waits for a file to appear, if the data name one."""

    async def execute(self, context: WorkflowContext) -> None:
        note(context)
        gate = context.get("gate")
        while gate is not None and not Path(gate).exists():
            await asyncio.sleep(0.02)


class Nap(TimerStep):
    """Waits as long as the data say."""

    async def get_delay(self, context: WorkflowContext) -> timedelta:
        return timedelta(seconds=context.get("nap_s", 0))


class Count(BaseMachineStep):
    """Is noted, and counts."""

    async def execute(self, context: WorkflowContext) -> None:
        note(context)
        context.set("counted", context.get("counted", 0) + 1)
        await asyncio.sleep(context.get("pause_s", 0))


_LAPS = 30

drill = WorkflowDefinition(
    "kill_drill",
    steps={
        "before": Noted(),
        "slow": Slow(),
        "nap": Nap(),
        "decide": BaseHumanStep(title="Go on?"),
        "finish": Noted(),
    },
    edges=[("before", "slow"), ("slow", "nap"), ("nap", "decide"), ("decide", "finish")],
)

laps = WorkflowDefinition(
    "kill_laps",
    steps={f"lap_{number}": Count() for number in range(_LAPS)},
    edges=[(f"lap_{number}", f"lap_{number + 1}") for number in range(_LAPS - 1)],
)

WORKFLOWS: list[Any] = [drill, laps]
