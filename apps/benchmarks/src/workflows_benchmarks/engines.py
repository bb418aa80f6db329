"""Engines over a database, with a counter of statements and commits."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, event, func, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from workflows_core import (
    EventBus,
    InProcessEngine,
    JsonCodec,
    LocalExecutionEngine,
    NullExecutor,
    SafeExpressions,
    SystemClock,
    Uuid7Generator,
    WorkflowDefinition,
    WorkflowEngine,
    WorkflowRegistry,
)
from workflows_core.ports.store import WorkflowStore
from workflows_sqlalchemy import SQLAlchemyWorkflowStore, create_store

__all__ = ["Counts", "OpenEngine", "open_engine", "open_front"]

_STEPS_AT_ONCE = 256


class Counts:
    """Counts what a database has to do: the statements that it is sent, and the transactions that write.

    Statements are counted at the driver. On PostgreSQL a transaction that writes takes a number, so the numbers tell the
    commits; SQLite's are the ``COMMIT`` statements. It listens only while it counts, because a listener costs time.
    """

    def __init__(self, sent_by: Engine, asked_through: AsyncEngine) -> None:
        self._sent_by = sent_by
        self._engine = asked_through
        self._statements = self._commits = 0
        self._first_transaction = 0

    def _count(self, _connection: Connection, _cursor: Any, text: str, *_rest: Any) -> None:
        if text == "COMMIT":
            self._commits += 1
        elif not text.startswith("BEGIN"):
            self._statements += 1

    async def reset(self) -> None:
        """Begin to count, at zero."""
        event.listen(self._sent_by, "before_cursor_execute", self._count)
        self._first_transaction = await self._transaction_number()
        self._statements = self._commits = 0

    async def read(self) -> tuple[int, int]:
        """End counting: statements and commits since the last reset."""
        event.remove(self._sent_by, "before_cursor_execute", self._count)
        statements, commits = self._statements, self._commits
        if self._engine.dialect.name == "postgresql":
            commits = await self._transaction_number() - self._first_transaction - 1
        return statements, commits

    async def _transaction_number(self) -> int:
        if self._engine.dialect.name != "postgresql":
            return 0
        async with self._engine.connect() as connection:
            return int((await connection.execute(select(func.txid_current()))).scalar_one())


@dataclass(frozen=True, slots=True)
class OpenEngine:
    """An engine at work.

    Attributes:
        engine: The engine.
        events: Where its events can be heard.
        counts: Statements and commits; None in memory.
    """

    engine: WorkflowEngine
    events: EventBus
    counts: Counts | None = None


@asynccontextmanager
async def open_engine(
    url: str | None,
    definition: WorkflowDefinition,
    *,
    wrap: Callable[[SQLAlchemyWorkflowStore], WorkflowStore] | None = None,
) -> AsyncGenerator[OpenEngine]:
    """Open an engine whose worker runs in this event loop.

    Args:
        url: The database; None is the memory of this process.
        definition: The workflow that it runs.
        wrap: Puts something before the store.
    """
    events = EventBus()
    registry = WorkflowRegistry()
    registry.register_definition(definition)
    if url is None:
        async with LocalExecutionEngine(registry, event_bus=events, concurrency=_STEPS_AT_ONCE) as local:
            yield OpenEngine(local, events)
        return
    asking = create_async_engine(url)
    store, queries = create_store(url)
    counts = Counts(store.backend.engine, asking)
    engine = InProcessEngine(
        registry,
        store=store if wrap is None else wrap(store),
        queries=queries,
        event_bus=events,
        concurrency=_STEPS_AT_ONCE,
    )
    try:
        async with engine:
            yield OpenEngine(engine, events, counts)
    finally:
        await asking.dispose()


@asynccontextmanager
async def open_front(url: str | None, *definitions: WorkflowDefinition, hints: bool) -> AsyncGenerator[WorkflowEngine]:
    """Open an engine that starts workflows and runs none of them itself.

    Args:
        url: The database.
        definitions: The workflows that it starts.
        hints: Whether the workers of other processes are told.
    """
    registry = WorkflowRegistry()
    for definition in definitions:
        registry.register_definition(definition)
    assert url is not None
    store, queries = create_store(url)
    engine = WorkflowEngine(
        registry,
        store=store,
        queries=queries,
        executor=store.notifier() if hints else NullExecutor(),
        events=EventBus(),
        clock=SystemClock(),
        ids=Uuid7Generator(),
        codec=JsonCodec(),
        conditions=SafeExpressions(),
    )
    async with engine:
        yield engine
