"""The stores that are measured, each fresh, durable as in production, with a counter of statements and commits."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event, func, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from workflows_benchmarks.raw import RawFigures, raw_postgresql, raw_sqlite
from workflows_core import EventBus, InProcessEngine, LocalExecutionEngine, WorkflowEngine, WorkflowRegistry
from workflows_sqlalchemy import create_store
from workflows_sqlalchemy.schema import upgrade
from workflows_testing.servers import postgres
from workflows_testing.servers.databases import DatabaseTemplate

__all__ = ["Counts", "OpenStore", "open_store"]


class Counts:
    """Counts what a database has to do: the statements that it is sent, and the transactions that write.

    Statements are counted at the driver. On PostgreSQL a transaction that writes takes a number, so the numbers tell the
    commits; SQLite's are the ``COMMIT`` statements.
    """

    def __init__(self, sent_by: Engine, asked_through: AsyncEngine) -> None:
        self._engine = asked_through
        self._statements = self._commits = 0
        self._first_transaction = 0
        event.listen(sent_by, "before_cursor_execute", self._count)

    def _count(self, _connection: Connection, _cursor: Any, text: str, *_rest: Any) -> None:
        if text == "COMMIT":
            self._commits += 1
        elif not text.startswith("BEGIN"):
            self._statements += 1

    async def reset(self) -> None:
        """Begin again at zero."""
        self._first_transaction = await self._transaction_number()
        self._statements = self._commits = 0

    async def read(self) -> tuple[int, int]:
        """Statements and commits since the last reset."""
        statements, commits = self._statements, self._commits
        if self._engine.dialect.name == "postgresql":
            commits = await self._transaction_number() - self._first_transaction - 1
        return statements, commits

    async def _transaction_number(self) -> int:
        if self._engine.dialect.name != "postgresql":
            return 0
        async with self._engine.connect() as connection:
            return int((await connection.execute(select(func.txid_current()))).scalar_one())


@dataclass(slots=True)
class OpenStore:
    """An engine over one store, ready to be measured.

    Attributes:
        engine: The engine.
        events: Where its events can be heard.
        counts: Statements and commits; None in memory.
        measure_raw: Measures the raw database for so many seconds; None where there is none.
        notes: What a reader must know.
    """

    engine: WorkflowEngine
    events: EventBus
    counts: Counts | None = None
    measure_raw: Callable[[float], Awaitable[RawFigures]] | None = None
    notes: tuple[str, ...] = ()


@asynccontextmanager
async def open_store(name: str) -> AsyncGenerator[OpenStore]:
    """Open a fresh store: ``memory``, ``sqlite`` or ``postgresql``."""
    openers = {"memory": _memory, "sqlite": _sqlite, "postgresql": _postgresql}
    async with openers[name]() as opened:
        yield opened


@asynccontextmanager
async def _memory() -> AsyncGenerator[OpenStore]:
    events = EventBus()
    async with LocalExecutionEngine(event_bus=events, concurrency=256) as engine:
        yield OpenStore(engine, events)


@asynccontextmanager
async def _sqlite() -> AsyncGenerator[OpenStore]:
    with tempfile.TemporaryDirectory(prefix="workflows-bench-") as folder:
        url = f"sqlite+aiosqlite:///{folder}/workflows.db"

        async def raw(seconds: float) -> RawFigures:
            return await raw_sqlite(Path(folder) / "raw.db", seconds=seconds)

        async with _database(url, raw, ("SQLite: WAL, synchronous=FULL",)) as opened:
            yield opened


@asynccontextmanager
async def _postgresql() -> AsyncGenerator[OpenStore]:
    with postgres(durable=True) as server, DatabaseTemplate(server, lambda _url: None).database() as database:

        async def raw(seconds: float) -> RawFigures:
            return await raw_postgresql(database.url, seconds=seconds)

        note = f"PostgreSQL: {server.source}, fsync on, synchronous_commit on"
        async with _database(database.url_for("asyncpg"), raw, (note,)) as opened:
            yield opened


@asynccontextmanager
async def _database(
    url: str, raw: Callable[[float], Awaitable[RawFigures]], notes: tuple[str, ...]
) -> AsyncGenerator[OpenStore]:
    await upgrade(url)
    database = create_async_engine(url)
    store, queries = create_store(url)
    counts, events = Counts(store.backend.engine, database), EventBus()
    engine = InProcessEngine(WorkflowRegistry(), store=store, queries=queries, event_bus=events, concurrency=256)
    try:
        async with engine:
            yield OpenStore(engine, events, counts, raw, notes)
    finally:
        await database.dispose()
