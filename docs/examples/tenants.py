"""Turns of tenants: one with many reports does not hold up the single one of another."""

from __future__ import annotations

import asyncio

from workflows_core import Actor, BaseMachineStep, LocalExecutionEngine, Workflow, WorkflowContext

all_started = asyncio.Event()
written: list[str | None] = []


class Write(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None:
        await all_started.wait()
        written.append(context.tenant_id)


class Report(Workflow):
    write = Write()


async def main() -> None:
    ann, zoe = Actor("ann", tenant="acme"), Actor("zoe", tenant="zoo")
    async with LocalExecutionEngine(concurrency=1) as engine:
        for _ in range(500):
            await engine.start_workflow(Report, actor=ann)
        await engine.start_workflow(Report, actor=zoe)
        all_started.set()
        while len(written) < 501:
            await asyncio.sleep(0.01)
    print("reports before that of zoo:", written.index("zoo"))


if __name__ == "__main__":
    asyncio.run(main())
