"""The workflows under which chaos is made, and the engine that runs them.

Worker processes load this module by its path. Every step writes down, in a file that the engine does not know, that it begins and that it
ends: under which key, in which attempt, in which process. A line is written by one call, so lines of several processes do not mix.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

from workflows_core import (
    BaseHumanStep,
    BaseMachineStep,
    DelayStep,
    EngineSettings,
    EventBus,
    ForEach,
    JsonCodec,
    NullExecutor,
    SafeExpressions,
    SystemClock,
    Uuid7Generator,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowEngine,
    WorkflowRegistry,
)
from workflows_sqlalchemy import create_store

ITEMS = 4


def note(context: WorkflowContext, phase: str) -> None:
    """Append what happens to the file of effects; on a line of its own, also after one whose writer was killed in the middle."""
    line = {
        "key": context.idempotency_key,
        "step": context.current_step,
        "attempt": context.attempt,
        "pid": os.getpid(),
        "phase": phase,
        "at": time.time(),
    }
    descriptor = os.open(os.environ["CHAOS_EFFECTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, b"\n" + json.dumps(line).encode() + b"\n")
    finally:
        os.close(descriptor)


class Effect(BaseMachineStep):
    """Has an effect, and takes a moment for it."""

    async def execute(self, context: WorkflowContext) -> int:
        note(context, "begin")
        await asyncio.sleep(random.uniform(0, 0.04))
        context.set(self.name, context.attempt)
        note(context, "end")
        return context.attempt


class InThread(BaseMachineStep):
    """The same in a thread, which cannot be cancelled."""

    def execute(self, context: WorkflowContext) -> int:
        note(context, "begin")
        time.sleep(random.uniform(0, 0.04))
        note(context, "end")
        return context.attempt


class Gate(BaseMachineStep):
    """Goes on when a file appears: one for every attempt, or one for this attempt. Until then its process can be killed or frozen inside it."""

    async def execute(self, context: WorkflowContext) -> int:
        note(context, "begin")
        gates = [Path(context.get("gate")), Path(f"{context.get('gate')}-{context.attempt}")]
        while not any(gate.exists() for gate in gates):
            if context.get("blocks"):
                time.sleep(0.01)  # nothing else happens in its event loop, so nobody can cancel it
            else:
                await asyncio.sleep(0.01)
        context.set("opened_by", context.attempt)
        note(context, "end")
        return context.attempt


class Poison(BaseMachineStep):
    """Kills its process each time, as a step does that takes all memory; until a file says that it has been mended."""

    async def execute(self, context: WorkflowContext) -> int:
        note(context, "begin")
        await asyncio.sleep(0.3)
        if not Path(context.get("mended")).exists():
            os.kill(os.getpid(), signal.SIGKILL)
        note(context, "end")
        return context.attempt


class Lasting(BaseMachineStep):
    """Lasts for longer than it takes a poison to kill the process."""

    async def execute(self, context: WorkflowContext) -> int:
        note(context, "begin")
        await asyncio.sleep(0.6)
        note(context, "end")
        return context.attempt


def chain(*names: str) -> list[tuple[str, str]]:
    return list(itertools.pairwise(names))


linear = WorkflowDefinition(
    "linear",
    steps={"one": Effect(name="one"), "two": InThread(name="two"), "three": Effect(name="three")},
    edges=chain("one", "two", "three"),
)
fork = WorkflowDefinition(
    "fork",
    steps={name: Effect(name=name) for name in ("split", "left", "middle", "right", "join", "after")},
    edges=[
        *(("split", branch) for branch in ("left", "middle", "right")),
        *((branch, "join") for branch in ("left", "middle", "right")),
        ("join", "after"),
    ],
)
each = WorkflowDefinition(
    "each",
    steps={"items": ForEach("numbers", Effect(name="item"), into="results", concurrency=2), "sum": Effect(name="sum")},
    edges=[("items", "sum")],
)
timed = WorkflowDefinition(
    "timed",
    steps={"before": Effect(name="before"), "nap": DelayStep(seconds=0.2), "after": Effect(name="after")},
    edges=chain("before", "nap", "after"),
)
decided = WorkflowDefinition(
    "decided",
    steps={"ask": Effect(name="ask"), "decide": BaseHumanStep(title="Go on?"), "act": Effect(name="act")},
    edges=chain("ask", "decide", "act"),
)
gated = WorkflowDefinition(
    "gated", steps={"gate": Gate(name="gate"), "after": Effect(name="after")}, edges=[("gate", "after")]
)
poisoned = WorkflowDefinition(
    "poisoned",
    steps={"poison": Poison(name="poison"), "after": Effect(name="after")},
    edges=[("poison", "after")],
)
innocent = WorkflowDefinition(
    "innocent",
    steps={"beside": Lasting(name="beside"), "after": Effect(name="after")},
    edges=[("beside", "after")],
)

WORKFLOWS = (linear, fork, each, timed, decided)
"""What a load is made of."""

RUNS = {
    "linear": {"one": 1, "two": 1, "three": 1},
    "fork": {"split": 1, "left": 1, "middle": 1, "right": 1, "join": 1, "after": 1},
    "each": {"items": 1, "item": ITEMS, "sum": 1},
    "timed": {"before": 1, "nap": 1, "after": 1},
    "decided": {"ask": 1, "decide": 1, "act": 1},
    "gated": {"gate": 1, "after": 1},
    "poisoned": {"poison": 1, "after": 1},
    "innocent": {"beside": 1, "after": 1},
}
"""How often each step of a finished instance is on record."""


def make_engine(url: str | None = None) -> WorkflowEngine:
    """An engine over the database that the environment names; it runs nothing without a worker."""
    registry = WorkflowRegistry()
    for definition in (*WORKFLOWS, gated, poisoned, innocent):
        registry.register(definition)
    store, queries = create_store(url or os.environ["CHAOS_URL"], pool_size=int(os.environ.get("CHAOS_POOL", "5")))
    executor: Any = NullExecutor() if os.environ.get("CHAOS_HINTS") == "0" else store.notifier()
    return WorkflowEngine(
        registry,
        store=store,
        queries=queries,
        executor=executor,
        events=EventBus(),
        clock=SystemClock(),
        ids=Uuid7Generator(),
        codec=JsonCodec(),
        conditions=SafeExpressions(),
        settings=EngineSettings(
            lease_s=float(os.environ.get("CHAOS_LEASE_S", "1")),
            poll_s=float(os.environ.get("CHAOS_POLL_S", "0.5")),
            max_crashes=int(os.environ.get("CHAOS_MAX_CRASHES", "5")),
        ),
    )
