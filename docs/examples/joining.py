"""A workflow that splits and joins, and one whose join takes the first two of three."""

from __future__ import annotations

import asyncio

from workflows_core import (
    BaseHumanStep,
    BaseMachineStep,
    LocalExecutionEngine,
    ParallelGateway,
    Workflow,
    WorkflowContext,
)


class Price(BaseMachineStep):
    """Asks one supplier."""

    async def execute(self, context: WorkflowContext) -> None:
        context.set(self.name, len(self.name))


class Purchase(Workflow):
    """Asks two suppliers at the same time and compares when both have answered."""

    ask = ParallelGateway()
    acme = Price()
    globex = Price()

    class Compare(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None:
            context.set("cheapest", min(("acme", "globex"), key=context.get))

    __edges__ = [(ask, acme), (ask, globex), (acme, Compare), (globex, Compare)]


class Vote(Workflow):
    """Asks three people; two answers are enough, and the third task is withdrawn."""

    ask = ParallelGateway()
    ann = BaseHumanStep(title="Do we move?", assignee="ann", into="ann")
    bob = BaseHumanStep(title="Do we move?", assignee="bob", into="bob")
    cat = BaseHumanStep(title="Do we move?", assignee="cat", into="cat")

    class Count(BaseMachineStep):
        join = 2

        async def execute(self, context: WorkflowContext) -> None:
            context.set("voters", sorted(name for name in ("ann", "bob", "cat") if context.get(name)))

    __edges__ = [(ask, ann), (ask, bob), (ask, cat), (ann, Count), (bob, Count), (cat, Count)]


async def main() -> None:
    async with LocalExecutionEngine() as engine:
        started = await engine.start_workflow(Purchase)
        finished = await engine.wait(started.id, timeout=5)
        print(finished.status, finished.data["cheapest"])

        started = await engine.start_workflow(Vote)
        waiting = await engine.wait(started.id, timeout=5)
        print("active:", [active.step_name for active in waiting.active_steps])
        await engine.complete_human_task(started.id, "cat", "cat", {"yes": True})
        await engine.complete_human_task(started.id, "ann", "ann", {"yes": False})
        finished = await engine.wait(started.id, timeout=5)
        print(finished.status, finished.data["voters"])
        print("open tasks:", len(await engine.get_pending_tasks(instance_id=started.id)))


if __name__ == "__main__":
    asyncio.run(main())
