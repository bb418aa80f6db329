"""In which order work is done, and when an instance begins."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from workflows_core import BaseMachineStep, EngineSettings, LocalExecutionEngine, Workflow, WorkflowContext
from workflows_testing.clock import ManualClock


class Render(BaseMachineStep):
    queue = "video"

    async def execute(self, context: WorkflowContext) -> None:
        print("render", context.get("film"))


class Announce(BaseMachineStep):
    priority = 10

    async def execute(self, context: WorkflowContext) -> None:
        print("announce", context.get("film"))


class Publish(Workflow):
    """Its steps are in queue ``media`` unless they name another; its instances are less urgent than those of most workflows."""

    __queue__ = "media"
    __priority__ = -5

    render = Render()
    announce = Announce()

    __edges__ = [(render, announce)]


async def main() -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    settings = EngineSettings(poll_s=0.01)
    async with LocalExecutionEngine(clock=clock, settings=settings, concurrency=1) as engine:
        tonight = datetime(2026, 1, 1, 22, tzinfo=UTC)
        started = [
            await engine.start_workflow(Publish, {"film": "Metropolis"}, start_at=tonight),
            await engine.start_workflow(Publish, {"film": "Nosferatu"}, start_at=tonight, priority=3),
            await engine.start_workflow(Publish, {"film": "The General"}, delay=timedelta(hours=2)),
        ]
        print([instance.status.value for instance in started])

        clock.set(tonight)
        for instance in started:
            await engine.wait(instance.id, timeout=5, until=lambda found: found.status.is_final)


if __name__ == "__main__":
    asyncio.run(main())
