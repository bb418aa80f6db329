"""An adapter of the port `IdGenerator`, and an engine that is wired by hand to use it."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime
from uuid import UUID

from event_file import Greeting

from workflows_core import (
    EventBus,
    InMemoryWorkflowQueries,
    InMemoryWorkflowStore,
    JsonCodec,
    MemoryState,
    NullExecutor,
    SafeExpressions,
    SystemClock,
    Worker,
    WorkflowEngine,
    WorkflowRegistry,
)
from workflows_core.ports.ids import IdGenerator


class SequentialIds(IdGenerator):
    """Identities that are the same in every run, for tests that compare whole outputs: a version-7 UUID for each millisecond."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._milliseconds = itertools.count(int(start.timestamp() * 1000))

    def new(self) -> UUID:
        return UUID(int=next(self._milliseconds) << 80 | 0x7 << 76 | 0b10 << 62)


def make_engine(registry: WorkflowRegistry) -> WorkflowEngine:
    """The composition root: the one place that knows which adapters are used."""
    memory = MemoryState()
    return WorkflowEngine(
        registry,
        store=InMemoryWorkflowStore(memory),
        queries=InMemoryWorkflowQueries(memory),
        executor=NullExecutor(),
        events=EventBus(),
        clock=SystemClock(),
        ids=SequentialIds(),
        codec=JsonCodec(),
        conditions=SafeExpressions(),
    )


async def main() -> None:
    registry = WorkflowRegistry()
    registry.register(Greeting)
    async with make_engine(registry) as engine:
        worker = Worker(engine)
        working = asyncio.create_task(worker.run())
        started = await engine.start_workflow("greeting", {"name": "world"})
        finished = await engine.wait(started.id, timeout=5)
        print(finished.id, finished.status)
        await worker.stop()
        await working


if __name__ == "__main__":
    asyncio.run(main())
