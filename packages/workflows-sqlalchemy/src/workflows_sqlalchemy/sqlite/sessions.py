"""Sharing transactions on SQLite, where only one connection writes at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from workflows_core.errors import SessionRefusedError
from workflows_core.ports.clock import Clock
from workflows_core.ports.leases import Lease
from workflows_core.ports.store import ClaimRequest, Write, WriteResult
from workflows_core.ports.turns import LastTurns
from workflows_sqlalchemy.backend import Backend, Work
from workflows_sqlalchemy.errors import MIGRATE
from workflows_sqlalchemy.loading import Claimed
from workflows_sqlalchemy.sessions.sharing import SessionBackend, Sharing
from workflows_sqlalchemy.sqlite.claims import claim, next_due
from workflows_sqlalchemy.sqlite.commits import INSERT_DEFINITIONS, commit
from workflows_sqlalchemy.sqlite.leases import release, renew
from workflows_sqlalchemy.sqlite.open_transactions import note_open, watch
from workflows_sqlalchemy.tables import instances
from workflows_sqlalchemy.throttle_usage import ThrottleUsage
from workflows_sqlalchemy.throttled_claims import Lanes, Throttled

__all__ = ["SQLiteSharing"]

# It changes nothing, and has the write lock afterwards.
_LOCK: Final = text("UPDATE workflow_work_items SET fence = fence WHERE 0")


class SQLiteSharing(Sharing):
    """Transactions of steps have the write lock of the file from their beginning, and take turns with the writes of the store."""

    def __init__(
        self, path: Path, make_engine: Callable[[], AsyncEngine], clock: Clock, *, longest_s: float, owns_engine: bool
    ) -> None:
        """Share a file.

        Args:
            path: The file.
            make_engine: Gives the engine for transactions of steps.
            clock: Tells the time.
            longest_s: Seconds that such a transaction may last.
            owns_engine: Whether `close` disposes of the engine.
        """
        self.lock = asyncio.Lock()
        self._path = path
        self._make_engine = make_engine
        self._made: AsyncEngine | None = None
        self._clock = clock
        self._longest_s = longest_s
        self._owns_engine = owns_engine

    @property
    def dialect(self) -> str:
        return "sqlite"

    @property
    def longest_s(self) -> float | None:
        return self._longest_s

    def engine(self) -> AsyncEngine:
        if self._made is None:
            self._made = self._make_engine()
            watch(self._made.sync_engine)
        return self._made

    def turn(self) -> AbstractAsyncContextManager[None]:
        return self.lock

    async def enter(self, connection: AsyncConnection) -> None:
        await connection.execute(_LOCK)
        if not await connection.run_sync(_is_in_transaction):
            mend = "give one whose engine has another isolation level than AUTOCOMMIT"
            raise SessionRefusedError("each of its statements commits by itself", mend)
        await connection.run_sync(note_open)

    async def check_place(self, connection: AsyncConnection) -> None:
        main = await connection.run_sync(_file)
        if main != self._path:
            raise SessionRefusedError(
                f"it leads to {main or 'a database in memory'}, the store to {self._path}",
                "give one of the store's file",
            )
        if not await connection.run_sync(lambda inner: inspect(inner).has_table(instances.name)):
            raise SessionRefusedError(f"{main} has no tables of workflows", MIGRATE)

    def watch(self, engine: Engine) -> None:
        watch(engine)

    def backend(self, session: AsyncSession, connection: AsyncConnection) -> Backend:
        return _InSession(session, connection, self._clock)

    async def close(self) -> None:
        if self._made is not None and self._owns_engine:
            await self._made.dispose()


class _InSession(SessionBackend):
    """The statements of SQLite inside a session that has the write lock."""

    clock: Clock

    async def insert_definitions(self, rows: Sequence[Mapping[str, Any]]) -> None:
        await self.run(lambda connection: connection.execute(INSERT_DEFINITIONS, rows))

    def write(self, write: Write) -> Work[WriteResult]:
        return lambda connection: commit(connection, (write,), self.clock.now())[0]

    async def claim(self, request: ClaimRequest, last: LastTurns) -> list[Claimed]:
        throttled = Throttled(Lanes(), ThrottleUsage())
        return await self.run(lambda connection: claim(connection, request, last, self.clock.now(), throttled))

    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        return await self.run(lambda connection: renew(connection, worker, lease_s, self.clock.now()))

    async def release(self, worker: str, leases: Sequence[Lease], *, delay_s: float, untouched: bool) -> None:
        now = self.clock.now()
        await self.run(
            lambda connection: release(connection, worker, leases, now, delay_s=delay_s, untouched=untouched)
        )

    async def next_due(
        self, queues: frozenset[str] | None, codes: frozenset[str] | None, without: frozenset[str]
    ) -> float | None:
        now = self.clock.now()
        due = await self.run(lambda connection: next_due(connection, queues, codes, without, now, Lanes()))
        return None if due.at is None else (due.at - now).total_seconds()


def _file(connection: Connection) -> Path | None:
    """The file of a connection; None if its database is in memory."""
    found = connection.exec_driver_sql("SELECT file FROM pragma_database_list WHERE name = 'main'").scalar_one()
    return Path(found).resolve() if found else None


def _is_in_transaction(connection: Connection) -> bool:
    driver: Any = connection.connection.driver_connection
    return bool(driver.in_transaction)
