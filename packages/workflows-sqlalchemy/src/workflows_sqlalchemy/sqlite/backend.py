"""SQLite: one connection writes, the others read; other processes may do the same on the same file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from workflows_core.adapters.system_clock import SystemClock
from workflows_core.errors import StoreUnavailableError
from workflows_core.ports.clock import Clock
from workflows_core.ports.leases import Lease, LeaseKeeper
from workflows_core.ports.store import ClaimRequest, Write, WriteResult
from workflows_core.ports.turns import LastTurns
from workflows_sqlalchemy.backend import Backend, Work, one_by_one, persistently
from workflows_sqlalchemy.errors import Fault, fault_of
from workflows_sqlalchemy.group_commit import GroupCommit, Outcome
from workflows_sqlalchemy.loading import Claimed
from workflows_sqlalchemy.sqlite.claims import Due, claim, next_due
from workflows_sqlalchemy.sqlite.commits import INSERT_DEFINITIONS, commit
from workflows_sqlalchemy.sqlite.connections import SQLiteConnections, Synchronous
from workflows_sqlalchemy.sqlite.engines import make_engine_for_steps
from workflows_sqlalchemy.sqlite.leases import SQLiteLeaseKeeper, release, renew
from workflows_sqlalchemy.sqlite.notifier import SQLiteNotifier
from workflows_sqlalchemy.sqlite.open_transactions import refuse_to_wait
from workflows_sqlalchemy.sqlite.sessions import SQLiteSharing
from workflows_sqlalchemy.throttle_usage import ThrottleUsage
from workflows_sqlalchemy.throttled_claims import Lanes, Throttled

__all__ = ["SQLiteBackend"]

T = TypeVar("T")


class SQLiteBackend(Backend):
    """SQLite 3.35 or newer. All times are this computer's, told when the write lock is held."""

    def __init__(
        self,
        url: URL,
        *,
        clock: Clock | None,
        synchronous: Synchronous,
        readers: int,
        longest_transaction_s: float,
        application: AsyncEngine | None,
    ) -> None:
        """Serve a file.

        Args:
            url: The file.
            clock: Tells the time instead of the computer.
            synchronous: When a commit is durable.
            readers: Most threads that read at once.
            longest_transaction_s: Seconds that the transaction of a step may last.
            application: Engine of the application, for the transactions of steps; None makes one.

        Raises:
            StoreUnavailableError: The database is in memory.
        """
        if not url.database or url.database == ":memory:" or "mode=memory" in url.render_as_string():
            mend = "name a file, or take workflows_core's LocalExecutionEngine or InMemoryWorkflowStore"
            raise StoreUnavailableError("an SQLite database in memory belongs to one connection alone", mend)
        self.clock: Clock = clock if clock is not None else SystemClock()
        self._url = url
        self._path = Path(url.database).resolve()
        self.sharing: SQLiteSharing = SQLiteSharing(
            self._path,
            partial(make_engine_for_steps, url, synchronous) if application is None else lambda: application,
            self.clock,
            longest_s=longest_transaction_s,
            owns_engine=application is None,
        )
        if application is not None:
            self.sharing.watch(application.sync_engine)
        self._connections = SQLiteConnections(url, synchronous=synchronous, readers=readers)
        self.engine = self._connections.engine
        self._group = GroupCommit(self._commit, parallel=1)
        self._throttled = Throttled(Lanes(), ThrottleUsage())

    @property
    def database(self) -> str:
        return self._url.set(drivername="sqlite+aiosqlite").render_as_string(hide_password=False)

    async def read(self, work: Work[T]) -> T:
        return await persistently(lambda: self._connections.read(work, snapshot=False))

    async def snapshot(self, work: Work[T]) -> T:
        return await persistently(lambda: self._connections.read(work, snapshot=True))

    async def now(self) -> datetime:
        return self.clock.now()

    def notifier(self) -> SQLiteNotifier:
        return SQLiteNotifier(self._url)

    async def insert_definitions(self, rows: Sequence[Mapping[str, Any]]) -> None:
        refuse_to_wait(self._path)
        await self._write(lambda connection: connection.execute(INSERT_DEFINITIONS, rows))

    async def commit(self, writes: Sequence[Write]) -> list[Outcome]:
        refuse_to_wait(self._path)
        return await self._group.commit(writes)

    async def claim(self, request: ClaimRequest, last: LastTurns) -> list[Claimed]:
        refuse_to_wait(self._path)
        throttled: Throttled | None = self._throttled
        if request.items is None:
            due = await self._next_due(request.queues, request.codes, request.without)
            if due.at is None or due.at > self.clock.now():  # looking does not disturb whoever writes
                return []
            throttled = self._throttled if due.has_throttled else None
        return await self._write(lambda connection: claim(connection, request, last, self.clock.now(), throttled))

    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        refuse_to_wait(self._path)
        return await self._write(lambda connection: renew(connection, worker, lease_s, self.clock.now()))

    def lease_keeper(self) -> LeaseKeeper:
        return SQLiteLeaseKeeper(self._url, self.clock)

    async def release(self, worker: str, leases: Sequence[Lease], *, delay_s: float, untouched: bool) -> None:
        refuse_to_wait(self._path)
        await self._write(
            lambda connection: release(
                connection, worker, leases, self.clock.now(), delay_s=delay_s, untouched=untouched
            )
        )

    async def next_due(
        self, queues: frozenset[str] | None, codes: frozenset[str] | None, without: frozenset[str]
    ) -> float | None:
        due = await self._next_due(queues, codes, without)
        return None if due.at is None else (due.at - self.clock.now()).total_seconds()

    async def _next_due(
        self, queues: frozenset[str] | None, codes: frozenset[str] | None, without: frozenset[str]
    ) -> Due:
        return await self.read(
            lambda connection: next_due(connection, queues, codes, without, self.clock.now(), self._throttled.lanes)
        )

    async def close(self) -> None:
        await self._group.wait()
        await self._connections.close()

    async def _commit(self, writes: Sequence[Write]) -> list[Outcome]:
        try:
            return [*await self._commit_together(writes)]
        except Exception as error:
            reached = not isinstance(error, StoreUnavailableError) or fault_of(error.__cause__) is Fault.REFUSED
            if len(writes) == 1 or not reached:
                raise
        return await one_by_one(self._commit_alone, writes)

    async def _commit_together(self, writes: Sequence[Write]) -> list[WriteResult]:
        return await self._write(lambda connection: commit(connection, writes, self.clock.now()))

    async def _commit_alone(self, write: Write) -> WriteResult:
        return (await self._commit_together((write,)))[0]

    async def _write(self, work: Work[T]) -> T:
        async with self.sharing.turn():
            return await persistently(lambda: self._connections.write(work))
