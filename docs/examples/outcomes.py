"""Edges for other outcomes: what follows when a step fails, or is skipped."""

from __future__ import annotations

import asyncio

from workflows_core import BaseHumanStep, BaseMachineStep, Edge, LocalExecutionEngine, Workflow, WorkflowContext


class Discount(BaseMachineStep):
    """Only for old customers; others skip it."""

    def can_execute(self, context: WorkflowContext) -> bool:
        return bool(context.get("years", 0) >= 5)

    async def execute(self, context: WorkflowContext) -> None:
        context.set("price", context.get("price") * 0.9)


class Charge(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None:
        if context.get("card") is None:
            raise LookupError("the customer has no card")
        context.set("paid", context.get("price"))

    async def on_failure(self, context: WorkflowContext, error: Exception) -> None:
        print("on_failure:", error)


class Invoice(BaseHumanStep):
    title = "Write an invoice over {price}"


class Thank(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None: ...


class Order(Workflow):
    """Takes the money."""

    __steps__ = [Discount, Charge, Invoice, Thank]
    __edges__ = [
        (Discount, Charge),
        (Charge, Thank),
        Edge(Charge, Invoice, on="failure"),
    ]


class Strict(Workflow):
    """The same without an edge for the failure: the instance fails."""

    __steps__ = [Discount, Charge, Thank]
    __edges__ = [(Discount, Charge), (Charge, Thank)]


async def main() -> None:
    async with LocalExecutionEngine() as engine:
        for workflow in (Order, Strict):
            started = await engine.start_workflow(workflow, {"price": 50})
            rested = await engine.wait(started.id, timeout=5)
            print(rested.workflow_name, rested.status, rested.current_step, rested.error and rested.error.message)
            for entry in await engine.queries.list_executions(started.id):
                print("  ", entry.execution.step_name, entry.execution.status)


if __name__ == "__main__":
    asyncio.run(main())
