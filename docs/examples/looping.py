"""A loop: an offer goes back until the customer agrees, at most three times."""

from __future__ import annotations

import asyncio

from workflows_core import BaseHumanStep, BaseMachineStep, Edge, LocalExecutionEngine, Workflow, WorkflowContext


class Calculate(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None:
        context.set("price", 100 - 10 * (context.visit - 1))
        context.set("round", context.visit)


class Ask(BaseHumanStep):
    title = "Offer {round}: {price}"
    form_schema = {"type": "object", "properties": {"agreed": {"type": "boolean"}}, "required": ["agreed"]}


class Deliver(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None: ...


class GiveUp(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None: ...


class Offer(Workflow):
    """Negotiates a price."""

    __steps__ = [Calculate, Ask, Deliver, GiveUp]
    __edges__ = [
        (Calculate, Ask),
        (Ask, Deliver, "agreed"),
        (Ask, Calculate, "not agreed and round < 3"),
        Edge(Ask, GiveUp, default=True),
    ]


async def main() -> None:
    async with LocalExecutionEngine() as engine:
        started = await engine.start_workflow(Offer)
        for agreed in (False, True):
            await engine.wait(started.id, timeout=5)
            [task] = await engine.get_pending_tasks(instance_id=started.id)
            print(task.opening.title)
            await engine.complete_human_task(started.id, "ask", "customer", {"agreed": agreed})
        finished = await engine.wait(started.id, timeout=5)
        print(finished.status, finished.data["price"])


if __name__ == "__main__":
    asyncio.run(main())
