"""The workflows that worker processes run for the rules, and the engine that they run them with."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from workflows_core import (
    BaseMachineStep,
    ConcurrencyLimit,
    DelayStep,
    EngineSettings,
    RateLimit,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowRegistry,
)
from workflows_core.adapters.wired_engine import WiredEngine
from workflows_core.ports.executor import StepExecutor
from workflows_core.ports.wake_ups import WakeUps
from workflows_testing.deployments.deployment import Connected
from workflows_testing.deployments.effects import note
from workflows_testing.deployments.options import Mishap, WorkerOptions
from workflows_testing.faults import DoubleHint, FaultPlan, FaultyExecutor, FaultyWakeUps, LoseHint, ReorderHints

__all__ = ["LIMIT", "NAP_S", "RATE", "WORKFLOWS", "make_engine", "make_registry", "with_mishap"]

NAP_S: Final = 0.4
LIMIT: Final = 2
RATE: Final = RateLimit(2, per=timedelta(seconds=1), key="customer")


class Noted(BaseMachineStep):
    """Has an effect, and takes as long for it as the data say."""

    async def execute(self, context: WorkflowContext) -> None:
        note(context, "begin")
        await asyncio.sleep(context.get("takes_s", 0.0))
        note(context, "end")


class Threaded(BaseMachineStep):
    """The same in a thread."""

    def execute(self, context: WorkflowContext) -> None:
        note(context, "begin")
        time.sleep(context.get("takes_s", 0.0))
        note(context, "end")


class Gate(BaseMachineStep):
    """Waits for a file, then takes as long as the data say."""

    async def execute(self, context: WorkflowContext) -> None:
        note(context, "begin")
        gate = Path(context.get("gate"))
        while not gate.exists():  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.01)
        await asyncio.sleep(context.get("takes_s", 0.0))
        note(context, "end")


class Limited(Gate):
    """The same, for each customer only so often at once."""

    concurrency = ConcurrencyLimit(LIMIT, key="customer")


class Paced(Noted):
    """For each customer only so often in a time."""

    rate = RATE


class ThreadedGate(BaseMachineStep):
    """Waits for a file in a thread, which does not hear that it is to stop."""

    def execute(self, context: WorkflowContext) -> None:
        note(context, "begin")
        gate = Path(context.get("gate"))
        while not gate.exists():
            time.sleep(0.01)
        note(context, "end")


class Echo(BaseMachineStep):
    """Gives back what it got."""

    async def execute(self, context: WorkflowContext) -> Any:
        context.set("echo", context.get("payload"))


class Nothing(BaseMachineStep):
    """Does nothing."""

    async def execute(self, context: WorkflowContext) -> None:
        """Do nothing."""


_WITHOUT_SECOND: Final = WorkflowDefinition("pair", steps={"first": Noted(name="first")})

WORKFLOWS: Final = (
    WorkflowDefinition("single", steps={"only": Noted(name="only")}),
    WorkflowDefinition("nothing", steps={"only": Nothing(name="only")}),
    WorkflowDefinition("echo", steps={"echo": Echo(name="echo")}),
    WorkflowDefinition("mail", steps={"send": Noted(name="send", queue="mail")}),
    WorkflowDefinition(
        "gated", steps={"gate": Gate(name="gate"), "after": Noted(name="after")}, edges=[("gate", "after")]
    ),
    WorkflowDefinition("limited", steps={"only": Limited(name="only")}),
    WorkflowDefinition("paced", steps={"only": Paced(name="only")}),
    WorkflowDefinition("stuck", steps={"only": ThreadedGate(name="only")}),
    WorkflowDefinition(
        "timed",
        steps={"before": Noted(name="before"), "nap": DelayStep(seconds=NAP_S), "after": Noted(name="after")},
        edges=[("before", "nap"), ("nap", "after")],
    ),
    WorkflowDefinition(
        "fork",
        steps={
            "split": Noted(name="split"),
            "left": Noted(name="left"),
            "right": Threaded(name="right"),
            "join": Noted(name="join"),
        },
        edges=[("split", "left"), ("split", "right"), ("left", "join"), ("right", "join")],
    ),
    WorkflowDefinition(
        "pair", steps={"first": Noted(name="first"), "second": Noted(name="second")}, edges=[("first", "second")]
    ),
)
"""The workflows, each for one or several rules."""


def make_registry(*, lacks_second: bool = False) -> WorkflowRegistry:
    """The workflows of a process."""
    registry = WorkflowRegistry()
    for definition in WORKFLOWS:
        registry.register(_WITHOUT_SECOND if lacks_second and definition.name == "pair" else definition)
    return registry


def make_engine(connected: Connected, options: WorkerOptions | None = None) -> WiredEngine:
    """The engine of a process: with the options that it was given in its environment, unless they are given here."""
    chosen = options if options is not None else WorkerOptions.from_environment()
    return WiredEngine(
        make_registry(lacks_second=chosen.lacks_second),
        store=connected.store,
        queries=connected.queries,
        executor=with_mishap(connected.executor, chosen.mishap),
        settings=EngineSettings(lease_s=chosen.lease_s, poll_s=chosen.poll_s),
    )


def with_mishap(executor: StepExecutor, mishap: Mishap) -> StepExecutor:
    """An executor whose hints have this mishap."""
    plans = {
        Mishap.LOST: FaultPlan().on("publish", fault=LoseHint()),
        Mishap.DOUBLED: FaultPlan().on("publish", fault=DoubleHint()),
        # Each hint by chance after the next one: were all of them kept back, their order would be as before.
        Mishap.REORDERED: FaultPlan().randomly("publish", rate=0.5, faults=[ReorderHints()]),
    }
    if (plan := plans.get(mishap)) is None:
        return executor
    if isinstance(executor, WakeUps):
        return FaultyWakeUps(executor, executor, plan)
    return FaultyExecutor(executor, plan)
