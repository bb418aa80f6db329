"""A tenant with many workflows does not hold up that of another one, from the start to the end."""

from __future__ import annotations

import asyncio

from workflows_core import (
    Actor,
    BaseMachineStep,
    EngineSettings,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowRegistry,
)
from workflows_sqlalchemy import PersistentExecutionEngine

FLOOD, CONCURRENCY = 2_000, 4


class Write(BaseMachineStep):
    """Notes whose it was, once all are started."""

    def __init__(self, written: list[str | None]) -> None:
        super().__init__(name="write")
        self.may_begin = asyncio.Event()
        self.written = written

    async def execute(self, context: WorkflowContext) -> None:
        await self.may_begin.wait()
        self.written.append(context.tenant_id)


async def test_a_tenant_with_thousands_of_workflows_does_not_hold_up_the_only_one_of_another(url: str) -> None:
    written: list[str | None] = []
    step = Write(written)
    registry = WorkflowRegistry()
    registry.register(WorkflowDefinition(name="report", steps={"write": step}, edges=[], initial_step="write"))
    settings = EngineSettings(lease_s=600)
    async with PersistentExecutionEngine(registry, url, settings=settings, concurrency=CONCURRENCY) as engine:
        ann, zoe = Actor("ann", tenant="acme"), Actor("zoe", tenant="zoo")
        for _ in range(0, FLOOD, 100):
            await asyncio.gather(*(engine.start_workflow("report", actor=ann) for _ in range(100)))
        await engine.start_workflow("report", actor=zoe)
        step.may_begin.set()
        while "zoo" not in written:
            await asyncio.sleep(0.005)
    # Those that were begun before it was started, and those that were claimed with it or one claim before.
    assert written.index("zoo") <= 3 * CONCURRENCY
