"""Sharing transactions on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Engine, Row, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from workflows_core.errors import SessionRefusedError
from workflows_core.ports.clock import Clock
from workflows_core.ports.leases import Lease
from workflows_core.ports.store import ClaimRequest, Write, WriteResult
from workflows_core.ports.turns import LastTurns
from workflows_sqlalchemy.backend import Backend, Work
from workflows_sqlalchemy.errors import MIGRATE
from workflows_sqlalchemy.loading import Claimed
from workflows_sqlalchemy.postgresql.claims import claim_question, claims_of, due_question
from workflows_sqlalchemy.postgresql.commits import commit_alone
from workflows_sqlalchemy.postgresql.definitions import insert_definitions
from workflows_sqlalchemy.postgresql.direct import execute
from workflows_sqlalchemy.postgresql.leases import release, renew
from workflows_sqlalchemy.sessions.sharing import SessionBackend, Sharing

__all__ = ["PostgreSQLSharing"]

# The moment at which the server was started tells one server from another.
_PLACE: Final = text(
    "SELECT to_regclass('workflow_instances')::oid::bigint AS relation, current_database(), pg_postmaster_start_time()"
)


class PostgreSQLSharing(Sharing):
    """Transactions of steps have connections of their own, so that those who wait for them never keep the store from working."""

    def __init__(self, store: AsyncEngine, make_engine: Callable[[], AsyncEngine] | None, clock: Clock | None) -> None:
        """Share a database.

        Args:
            store: The store's own connections.
            make_engine: Makes the engine for transactions of steps, which `close` disposes of; None takes that of the store, which
                belongs to the application.
            clock: Tells the time instead of the server.
        """
        self._store = store
        self._make_engine = make_engine
        self._clock = clock
        self._made: AsyncEngine | None = None

    @property
    def dialect(self) -> str:
        return "postgresql"

    @property
    def longest_s(self) -> float | None:
        return None

    def engine(self) -> AsyncEngine:
        if self._made is None and self._make_engine is not None:
            self._made = self._make_engine()
        return (self._made or self._store).execution_options(isolation_level="READ COMMITTED")

    def turn(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def enter(self, connection: AsyncConnection) -> None:
        pooled = await connection.get_raw_connection()
        if getattr(pooled.dbapi_connection, "autocommit", False):
            mend = "give one whose engine has another isolation level than AUTOCOMMIT"
            raise SessionRefusedError("each of its statements commits by itself", mend)

    async def check_place(self, connection: AsyncConnection) -> None:
        theirs = (await connection.execute(_PLACE)).one()
        if theirs.relation is None:
            raise SessionRefusedError(
                "its database has no tables of workflows", f"give one of the store's database, or {MIGRATE}"
            )
        if theirs != await self._place():
            raise SessionRefusedError("it leads to another database than the store", "give one of the store's database")

    def watch(self, engine: Engine) -> None:
        """Nobody waits for himself here: only rows are locked."""

    def backend(self, session: AsyncSession, connection: AsyncConnection) -> Backend:
        return _InSession(session, connection, self._clock)

    async def close(self) -> None:
        if self._made is not None:
            await self._made.dispose()

    async def _place(self) -> Row[Any, Any, Any]:
        async with self._store.connect() as connection:
            return (await connection.execute(_PLACE)).one()


class _InSession(SessionBackend):
    """The statements of PostgreSQL inside a session."""

    async def insert_definitions(self, rows: Sequence[Mapping[str, Any]]) -> None:
        await self.run(lambda connection: insert_definitions(connection, rows))

    def write(self, write: Write) -> Work[WriteResult]:
        now = self._given_time()
        return lambda connection: commit_alone(connection, write, now)

    async def claim(self, request: ClaimRequest, last: LastTurns) -> list[Claimed]:
        """Claim work that need not wait: the locks of the other would be held until somebody else's transaction ends."""
        question = claim_question(request, last, self._given_time())
        return claims_of(await self.run(lambda connection: execute(connection, question)))

    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        now = self._given_time()
        return await self.run(lambda connection: renew(connection, worker, lease_s, now))

    async def release(self, worker: str, leases: Sequence[Lease], *, delay_s: float, untouched: bool) -> None:
        now = self._given_time()
        await self.run(
            lambda connection: release(connection, worker, leases, now, delay_s=delay_s, untouched=untouched)
        )

    async def next_due(
        self, queues: frozenset[str] | None, codes: frozenset[str] | None, without: frozenset[str]
    ) -> float | None:
        question = due_question(queues, codes, without, self._given_time())
        ((seconds, _),) = await self.run(lambda connection: execute(connection, question))
        return None if seconds is None else float(seconds)

    def _given_time(self) -> datetime | None:
        return None if self.clock is None else self.clock.now()
