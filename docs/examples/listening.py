"""Hear of what happens: tell people about new tasks."""

from __future__ import annotations

import asyncio

from quickstart import Expense

from workflows_core import EventBus, HumanTaskCreated, LocalExecutionEngine, WorkflowEvent

bus = EventBus()


@bus.on(HumanTaskCreated)
async def tell_candidates(event: HumanTaskCreated) -> None:
    print(f"mail to {', '.join(event.candidate_groups)}: {event.title}")


@bus.on(WorkflowEvent)
def count(event: WorkflowEvent) -> None:
    """A listener of the parent class hears of everything."""
    seen.append(type(event).__name__)


seen: list[str] = []


async def main() -> None:
    async with LocalExecutionEngine(event_bus=bus) as engine:
        started = await engine.start_workflow(Expense, {"amount": 42, "purpose": "a train"})
        await engine.wait(started.id, timeout=5)
        await engine.cancel_workflow(started.id, "the trip is off")
    print(seen)


if __name__ == "__main__":
    asyncio.run(main())
