"""Parallel branches that add to the same data keys."""

from __future__ import annotations

import asyncio

from workflows_core import BaseMachineStep, LocalExecutionEngine, ParallelGateway, Workflow, WorkflowContext


class Count(BaseMachineStep):
    """Counts one warehouse."""

    async def execute(self, context: WorkflowContext) -> None:
        found = context.get("stock")[self.name]
        context.add("total", found)
        context.add("reports", f"{self.name}: {found}")


class Inventory(Workflow):
    """Counts all warehouses at the same time."""

    __reducers__ = {"total": "sum", "reports": "append"}

    count = ParallelGateway()
    north = Count()
    south = Count()

    class Close(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None:
            context.data["closed"] = True

    __edges__ = [(count, north), (count, south), (north, Close), (south, Close)]


class Customer:
    """An object of the application; nothing says how to store it."""


class Fill(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None:
        context.set("customer", Customer())


class Careless(Workflow):
    """Tries to store what cannot be stored."""

    __steps__ = [Fill]


async def main() -> None:
    async with LocalExecutionEngine() as engine:
        started = await engine.start_workflow(Inventory, {"stock": {"north": 3, "south": 4}})
        finished = await engine.wait(started.id, timeout=5)
        print(finished.data["total"], sorted(finished.data["reports"]))

        started = await engine.start_workflow(Careless)
        failed = await engine.wait(started.id, timeout=5)
        print(failed.status, "-", failed.error and failed.error.message)


if __name__ == "__main__":
    asyncio.run(main())
