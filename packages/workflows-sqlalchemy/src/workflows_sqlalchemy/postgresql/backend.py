"""PostgreSQL: every write is one statement that commits by itself, so that it takes one round trip."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from msgspec.structs import replace
from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from workflows_core.ports.clock import Clock
from workflows_core.ports.leases import Lease, LeaseKeeper
from workflows_core.ports.store import ClaimRequest, Loaded, Write
from workflows_core.ports.turns import LastTurns
from workflows_sqlalchemy.backend import Backend, Work, persistently
from workflows_sqlalchemy.column_types import Moment
from workflows_sqlalchemy.group_commit import GroupCommit, Outcome
from workflows_sqlalchemy.loading import AnyRow, Claimed, instance_query, loaded_of, wanted_instance
from workflows_sqlalchemy.postgresql.claims import claim_question, claims_of, due_question, leaves_some
from workflows_sqlalchemy.postgresql.commits import Commits
from workflows_sqlalchemy.postgresql.definitions import insert_definitions
from workflows_sqlalchemy.postgresql.direct import DirectStatements
from workflows_sqlalchemy.postgresql.leases import PostgreSQLLeaseKeeper, release, renew
from workflows_sqlalchemy.postgresql.notifier import PostgreSQLNotifier
from workflows_sqlalchemy.postgresql.sessions import PostgreSQLSharing
from workflows_sqlalchemy.postgresql.throttles import ThrottledClaims
from workflows_sqlalchemy.verdicts import key_id

__all__ = ["PostgreSQLBackend"]

T = TypeVar("T")

_MOMENT: Final = func.coalesce(bindparam("now", type_=Moment), func.clock_timestamp())
_BATCHES_AT_ONCE: Final = 2
"""While the server writes one batch, the next one is being encoded."""
_KEYED_AT_ONCE: Final = 4


class PostgreSQLBackend(Backend):
    """PostgreSQL 14 or newer, through asyncpg or psycopg. Leases and delays follow the server's ``clock_timestamp()``.

    It belongs to the event loop in which it is first used, as its connections do.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        clock: Clock | None,
        make_engine_for_steps: Callable[[], AsyncEngine] | None = None,
        listens: bool = True,
    ) -> None:
        """Serve a database.

        Args:
            engine: Its connections.
            clock: Tells the time instead of the server.
            make_engine_for_steps: Makes the connections of transactional steps. None says that the engine is the application's: they
                are then taken from it, and `close` does not dispose of it.
            listens: Whether LISTEN works over its connections.
        """
        self.engine = engine.sync_engine
        self.clock = clock
        self._engine = engine
        self._owns_engine = make_engine_for_steps is not None
        self._listens = listens
        self.sharing = PostgreSQLSharing(engine, make_engine_for_steps, clock)
        self._statements = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._snapshots = engine.execution_options(isolation_level="REPEATABLE READ")
        self._direct = DirectStatements(engine)
        self._throttled = ThrottledClaims(engine, clock)
        self._throttled_first = False
        commits = Commits(self._statements, self._direct, clock)
        self._group = GroupCommit(commits.commit, parallel=_BATCHES_AT_ONCE)
        # A start with a key waits for whoever has just used the key in a transaction of the application, and nobody is to wait with it.
        self._keyed = GroupCommit(commits.commit, parallel=_KEYED_AT_ONCE, most=1, place=key_id)

    @property
    def database(self) -> AsyncEngine:
        return self._engine

    async def read(self, work: Work[T]) -> T:
        return await self._statement(work)

    async def select(self, query: Select[*tuple[Any, ...]], values: Mapping[str, Any]) -> Sequence[AnyRow]:
        return await persistently(lambda: self._direct.select(query, values))

    async def instance(self, instance_id: UUID, tenant: str | None) -> Loaded | None:
        query = instance_query(_MOMENT, of_tenant=tenant is not None)
        return loaded_of(await self.select(query, wanted_instance(instance_id, tenant) | {"now": self._given_time()}))

    async def snapshot(self, work: Work[T]) -> T:
        async def attempt() -> T:
            async with self._snapshots.begin() as connection:
                return await connection.run_sync(work)

        return await persistently(attempt)

    async def now(self) -> datetime:
        if self.clock is not None:
            return self.clock.now()
        query = select(self.moment())
        return await self._statement(lambda connection: connection.execute(query).scalar_one())

    def notifier(self) -> PostgreSQLNotifier:
        return PostgreSQLNotifier(self._engine, listens=self._listens)

    async def insert_definitions(self, rows: Sequence[Mapping[str, Any]]) -> None:
        await self._statement(lambda connection: insert_definitions(connection, rows))

    async def commit(self, writes: Sequence[Write]) -> list[Outcome]:
        keyed = [write for write in writes if write.start_key is not None]
        if not keyed:
            return await self._group.commit(writes)
        others = [write for write in writes if write.start_key is None]
        some = await asyncio.gather(self._keyed.commit(keyed), self._group.commit(others))
        outcomes = dict(zip((write.id for write in (*keyed, *others)), (*some[0], *some[1]), strict=True))
        return [outcomes[write.id] for write in writes]

    async def claim(self, request: ClaimRequest, last: LastTurns) -> list[Claimed]:
        throttled: list[Claimed] = []
        if self._throttled_first:
            self._throttled_first = False
            throttled = await self._claim_throttled(request, (request.limit + 1) // 2)
        rest = replace(request, limit=request.limit - len(throttled))
        if rest.limit == 0:
            return throttled
        question = claim_question(rest, last, self._given_time())
        rows = await persistently(lambda: self._direct.fetch(question))
        found = [*throttled, *claims_of(rows)]
        if leaves_some(rows):
            room = request.limit - len(found)
            # Where ordinary work takes all the room, the other has its turn at the next claim.
            self._throttled_first = room == 0
            if room and not throttled:
                found += await self._claim_throttled(request, room)
        return found

    async def _claim_throttled(self, request: ClaimRequest, limit: int) -> list[Claimed]:
        return await persistently(lambda: self._throttled.claim(replace(request, limit=limit)))

    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        now = self._given_time()
        return await self._statement(lambda connection: renew(connection, worker, lease_s, now))

    def lease_keeper(self) -> LeaseKeeper:
        return PostgreSQLLeaseKeeper(self._engine, self.clock)

    async def release(self, worker: str, leases: Sequence[Lease], *, delay_s: float, untouched: bool) -> None:
        now = self._given_time()
        await self._statement(
            lambda connection: release(connection, worker, leases, now, delay_s=delay_s, untouched=untouched)
        )

    async def next_due(
        self, queues: frozenset[str] | None, codes: frozenset[str] | None, without: frozenset[str]
    ) -> float | None:
        question = due_question(queues, codes, without, self._given_time())
        ((seconds, has_throttled),) = await persistently(lambda: self._direct.fetch(question))
        due = None if seconds is None else float(seconds)
        if not has_throttled:
            return due
        request = ClaimRequest(worker="", limit=1, lease_s=0, queues=queues, codes=codes, without=without)
        throttled = await persistently(lambda: self._throttled.next_due(request))
        return min((moment for moment in (due, throttled) if moment is not None), default=None)

    async def close(self) -> None:
        await self._group.wait()
        await self._keyed.wait()
        if self._owns_engine:
            await self._engine.dispose()

    async def _statement(self, work: Work[T]) -> T:
        """Run one statement, which commits by itself."""

        async def attempt() -> T:
            async with self._statements.connect() as connection:
                return await connection.run_sync(work)

        return await persistently(attempt)

    def _given_time(self) -> datetime | None:
        """The time that the statements are to use; None lets the server tell it."""
        return None if self.clock is None else self.clock.now()
