# /// script
# requires-python = ">=3.11"
# dependencies = ["litestar-workflows[db]==0.3.3", "aiosqlite>=0.21", "asyncpg>=0.31"]
# ///
# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"
"""The package litestar-workflows: its persistent engine with a session for each client; in memory its local engine."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from itertools import pairwise
from typing import Any
from uuid import UUID

from litestar_workflows import BaseMachineStep, Edge, LocalExecutionEngine, WorkflowDefinition, WorkflowRegistry
from litestar_workflows.db.engine import PersistentExecutionEngine
from litestar_workflows.db.models import WorkflowInstanceModel
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from workflows_benchmarks.peers.clients import Options, Way, measure, print_found, read_options


class EmptyStep(BaseMachineStep):
    """Does nothing."""

    async def execute(self, context: Any) -> None:
        """Return at once."""


NAMES = [f"step_{number}" for number in range(1, 6)]
DEFINITION = WorkflowDefinition(
    name="linear",
    version="1.0.0",
    description="",
    steps={name: EmptyStep(name=name) for name in NAMES},
    edges=[Edge(source, target) for source, target in pairwise(NAMES)],
    initial_step=NAMES[0],
    terminal_steps={NAMES[-1]},
)


class Linear:
    """Five steps one after the other."""

    @classmethod
    def get_definition(cls) -> Any:
        """The definition."""
        return DEFINITION


class Finishes:
    """The event bus of an engine: tells when instances end."""

    def __init__(self) -> None:
        self._ended: dict[UUID, asyncio.Event] = {}

    async def emit(self, name: str, *, instance_id: UUID, **_facts: object) -> None:
        """Hear of an event."""
        if name in {"workflow.completed", "workflow.failed"}:
            self._ended.setdefault(instance_id, asyncio.Event()).set()

    async def of(self, instance_id: UUID) -> None:
        """Wait for the end of an instance."""
        await self._ended.setdefault(instance_id, asyncio.Event()).wait()
        del self._ended[instance_id]


async def open_engines(options: Options, finishes: Finishes, stack: AsyncExitStack) -> list[Any]:
    """An engine for each client, or one for all in memory."""
    registry = WorkflowRegistry()
    if options.url == "memory":
        return [LocalExecutionEngine(registry, event_bus=finishes)]
    driver = "sqlite+aiosqlite" if options.url.startswith("sqlite") else "postgresql+asyncpg"
    clients = max(options.clients)
    scheme, _, rest = options.url.partition("://")
    database = create_async_engine(f"{driver}://{rest}", pool_size=clients, max_overflow=0)
    assert scheme in driver
    stack.push_async_callback(database.dispose)
    async with database.begin() as connection:
        await connection.run_sync(WorkflowInstanceModel.metadata.create_all)
    sessions = [await stack.enter_async_context(AsyncSession(database, expire_on_commit=False)) for _ in range(clients)]
    return [PersistentExecutionEngine(registry, session, event_bus=finishes) for session in sessions]


async def main(options: Options) -> None:
    """Make the engines and measure them."""
    finishes = Finishes()
    async with AsyncExitStack() as stack:
        engines = await open_engines(options, finishes, stack)

        async def run(client: int) -> None:
            instance = await engines[client % len(engines)].start_workflow(Linear)
            await finishes.of(instance.id)

        found = await measure(options, [Way("start_workflow", run=run)])
    kind = "local engine" if options.url == "memory" else "persistent engine, a session for each client"
    print_found(options, "litestar-workflows", found, kind)


if __name__ == "__main__":
    asyncio.run(main(read_options()))
