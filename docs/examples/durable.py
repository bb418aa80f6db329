"""The quickstart on a database: the same workflow, other wiring."""

from __future__ import annotations

import asyncio
from uuid import UUID

from quickstart import Expense

from workflows_core import WorkflowRegistry
from workflows_sqlalchemy import PersistentExecutionEngine, upgrade

DATABASE = "sqlite:///expenses.db"


def make_engine() -> PersistentExecutionEngine:
    registry = WorkflowRegistry()
    registry.register(Expense)
    return PersistentExecutionEngine(registry, DATABASE)


async def submit() -> UUID:
    await upgrade(DATABASE)  # makes the tables, or brings them up to date
    async with make_engine() as engine:
        started = await engine.start_workflow("expense", {"amount": 42, "purpose": "a train", "receipt": "scan.pdf"})
        waiting = await engine.wait(started.id, timeout=5)
        print(waiting.status, waiting.current_step)
        return waiting.id


async def approve(instance_id: UUID) -> None:
    async with make_engine() as engine:
        await engine.complete_human_task(instance_id, "approve", "bob", {"approved": True})
        finished = await engine.wait(instance_id, timeout=5)
        print(finished.status, finished.data["paid"])


if __name__ == "__main__":
    submitted = asyncio.run(submit())
    # Days later, in another process.
    asyncio.run(approve(submitted))
