"""The five groups, one after the other."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from workflows_core import (
    BaseHumanStep,
    BaseMachineStep,
    ConditionalGroup,
    DelayStep,
    ForEach,
    LocalExecutionEngine,
    ParallelGroup,
    RaceGroup,
    SequentialGroup,
    Workflow,
    WorkflowContext,
)


class Fetch(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> list[int]:
        return [3, 1, 2]


class Sort(BaseMachineStep):
    """Inside a group, the result of the step before is at hand."""

    async def execute(self, context: WorkflowContext) -> list[int]:
        return sorted(context.previous_result)


class AskAcme(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> int:
        return 12


class AskGlobex(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> int:
        return 9


class Cheapest(BaseMachineStep):
    """The callback of a parallel group gets all results, in the order of the steps."""

    async def execute(self, context: WorkflowContext) -> int:
        return min(context.previous_result)


class Plane(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> str:
        context.set("tracking", "LH 716")
        return "by plane"


class Ship(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> str:
        return "by ship"


class Pack(BaseMachineStep):
    """The item is in the data of its own scope, under the key that the group names."""

    async def execute(self, context: WorkflowContext) -> str:
        return f"{context.get('index') + 1}: {context.get('order')}"


class Shipping(Workflow):
    """Shows the groups."""

    numbers = SequentialGroup(Fetch, Sort, into="numbers")
    offers = ParallelGroup(AskAcme, AskGlobex, callback=Cheapest, into="offer")
    transport = ConditionalGroup(
        "'fast' if urgent else 'slow'",
        {"fast": Plane, "slow": Ship},
        into="transport",
        outputs=["tracking"],
    )
    answer = RaceGroup(
        BaseHumanStep(name="confirm", title="Is it well packed?"),
        DelayStep("silence", duration=timedelta(days=3)),
        into="confirmation",
    )
    parcels = ForEach("orders", Pack, item="order", concurrency=10, into="parcels")

    __edges__ = [(numbers, offers), (offers, transport), (transport, answer), (answer, parcels)]


async def main() -> None:
    async with LocalExecutionEngine() as engine:
        started = await engine.start_workflow(Shipping, {"urgent": True, "orders": ["book", "lamp"]})
        waiting = await engine.wait(started.id, timeout=5)
        print("active:", [active.step_name for active in waiting.active_steps])
        await engine.complete_human_task(started.id, "confirm", "packer", {"fine": True})
        finished = await engine.wait(started.id, timeout=5)
        for key in ("numbers", "offer", "transport", "tracking", "confirmation", "parcels"):
            print(f"{key}: {finished.data[key]}")
        history = await engine.queries.list_executions(started.id)
        print(len(history), "step executions")


if __name__ == "__main__":
    asyncio.run(main())
