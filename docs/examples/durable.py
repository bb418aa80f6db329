"""The quickstart on a database: the same workflow, other wiring."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from workflows_core import WorkflowRegistry
from workflows_sqlalchemy import PersistentExecutionEngine, upgrade

sys.path.insert(0, str(Path(__file__).parent))
from quickstart import Expense


async def main(database: str = "sqlite+aiosqlite:///expenses.db") -> None:
    await upgrade(database)

    registry = WorkflowRegistry()
    registry.register(Expense)
    async with PersistentExecutionEngine(registry, database) as engine:
        started = await engine.start_workflow("expense", {"amount": 42, "purpose": "a train", "receipt": "scan.pdf"})
        waiting = await engine.wait(started.id, timeout=5)
        print(waiting.status, waiting.current_step)


if __name__ == "__main__":
    asyncio.run(main())
