"""SQLite: one connection writes, the others read; other processes may do the same on the same file."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import StaticPool

from workflows_core.adapters.system_clock import SystemClock
from workflows_core.errors import StoreUnavailableError
from workflows_core.ports.clock import Clock
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.store import ClaimRequest, Write, WriteResult
from workflows_sqlalchemy.backend import Backend, Work, one_by_one, persistently
from workflows_sqlalchemy.errors import Fault, fault_of
from workflows_sqlalchemy.loading import Claimed
from workflows_sqlalchemy.sqlite.claims import claim, next_due
from workflows_sqlalchemy.sqlite.commits import INSERT_DEFINITIONS, commit
from workflows_sqlalchemy.sqlite.leases import release, renew

__all__ = ["SQLiteBackend", "Synchronous"]

T = TypeVar("T")

Synchronous: TypeAlias = Literal["FULL", "NORMAL"]
"""``FULL``: a commit survives a power failure. ``NORMAL``: it survives the death of the process only, and costs no fsync."""

_BUSY_TIMEOUT_S: Final = 5.0


class SQLiteBackend(Backend):
    """SQLite 3.35 or newer, through aiosqlite. All times are this computer's, told when the write lock is held.

    Every write transaction begins with ``BEGIN IMMEDIATE``: it waits for other processes at its beginning, never in its middle. It goes
    on to its end although the caller is cancelled, so that the lock is never kept.
    """

    def __init__(
        self, engine: AsyncEngine, *, clock: Clock | None, owns_engine: bool, synchronous: Synchronous = "FULL"
    ) -> None:
        super().__init__(engine, clock=clock if clock is not None else SystemClock(), owns_engine=owns_engine)
        self._connections = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._synchronous = synchronous
        self._writer: AsyncConnection | None = None
        self._lock = asyncio.Lock()
        # A database in memory belongs to its connection, so there is one for everything.
        self._has_one_connection = isinstance(engine.pool, StaticPool)

    async def read(self, work: Work[T]) -> T:
        if self._has_one_connection:
            return await self._write(work)

        async def attempt() -> T:
            async with self._connections.connect() as connection:
                return await work(connection)

        return await persistently(attempt)

    async def snapshot(self, work: Work[T]) -> T:
        if self._has_one_connection:
            return await self._write(work)

        async def attempt() -> T:
            async with self._connections.connect() as connection:
                return await _transaction(connection, "BEGIN", work)

        return await persistently(attempt)

    async def now(self) -> datetime:
        return self._time()

    async def insert_definitions(self, rows: Sequence[Mapping[str, Any]]) -> None:
        await self._write(lambda connection: connection.execute(INSERT_DEFINITIONS, rows))

    async def commit(self, writes: Sequence[Write]) -> list[WriteResult]:
        try:
            return await self._commit(writes)
        except Exception as error:
            reached = not isinstance(error, StoreUnavailableError) or fault_of(error.__cause__) is Fault.REFUSED
            if len(writes) == 1 or not reached:
                raise
        return await one_by_one(self._commit_one, writes)

    async def claim(self, request: ClaimRequest) -> list[Claimed]:
        if request.items is None:
            due = await self.next_due(request.queues, request.codes)
            if due is None or due > 0:  # looking does not disturb whoever writes
                return []
        return await self._write(lambda connection: claim(connection, request, self._time()))

    async def renew(self, worker: str, lease_s: float) -> set[WorkRef]:
        return await self._write(lambda connection: renew(connection, worker, lease_s, self._time()))

    async def release(self, worker: str, items: Sequence[WorkRef], delay_s: float) -> None:
        await self._write(lambda connection: release(connection, worker, items, delay_s, self._time()))

    async def next_due(self, queues: frozenset[str] | None, codes: frozenset[str] | None) -> float | None:
        due = await self.read(lambda connection: next_due(connection, queues, codes))
        return None if due is None else (due - self._time()).total_seconds()

    async def close(self) -> None:
        async with self._lock:
            if self._writer is not None:
                await self._writer.close()
                self._writer = None
        await super().close()

    async def _commit(self, writes: Sequence[Write]) -> list[WriteResult]:
        return await self._write(lambda connection: commit(connection, writes, self._time()))

    async def _commit_one(self, write: Write) -> WriteResult:
        return (await self._commit((write,)))[0]

    async def _write(self, work: Work[T]) -> T:
        return await self.shielded(self._queue_and_write(work))

    async def _queue_and_write(self, work: Work[T]) -> T:
        async def attempt() -> T:
            connection = await self._writing_connection()
            return await _transaction(connection, "BEGIN IMMEDIATE", work)

        async with self._lock:
            return await persistently(attempt)

    async def _writing_connection(self) -> AsyncConnection:
        if self._writer is not None and not self._writer.invalidated:
            return self._writer
        connection = await self._connections.connect()
        try:
            await connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(_BUSY_TIMEOUT_S * 1000)}")
            await connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            await connection.exec_driver_sql(f"PRAGMA synchronous = {self._synchronous}")
        except BaseException:
            await connection.close()
            raise
        self._writer = connection
        return connection

    def _time(self) -> datetime:
        assert self.clock is not None
        return self.clock.now()


async def _transaction(connection: AsyncConnection, begin: str, work: Work[T]) -> T:
    await connection.exec_driver_sql(begin)
    try:
        result = await work(connection)
        await connection.exec_driver_sql("COMMIT")
    except BaseException:
        await _roll_back(connection)
        raise
    return result


async def _roll_back(connection: AsyncConnection) -> None:
    """End a transaction that failed; SQLite may have ended it itself."""
    raw = await connection.get_raw_connection()
    if raw.driver_connection is not None and raw.driver_connection.in_transaction:
        await connection.exec_driver_sql("ROLLBACK")
