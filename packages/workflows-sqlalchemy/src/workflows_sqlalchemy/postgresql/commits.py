"""Committing transitions on PostgreSQL: a batch in one statement, and those that it leaves out once more, alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from workflows_core.ports.clock import Clock
from workflows_core.ports.store import Committed, Conflict, Write, WriteResult
from workflows_sqlalchemy.backend import one_by_one, persistently
from workflows_sqlalchemy.errors import DATABASE_ERRORS, Fault, fault_of, is_dead_connection, unavailable
from workflows_sqlalchemy.group_commit import Outcome
from workflows_sqlalchemy.postgresql.statements import commit_statement, parameters_of, parts_of
from workflows_sqlalchemy.verdicts import situation_of, verdict
from workflows_sqlalchemy.writing import rows_of

__all__ = ["commit", "commit_alone"]

_TRIES_ALONE = 3


async def commit(engine: AsyncEngine, clock: Clock | None, writes: Sequence[Write]) -> list[Outcome]:
    """Commit each write or say why not.

    Args:
        engine: Commits each statement by itself.
        clock: Tells the time instead of the database.
        writes: No two of one instance.

    Raises:
        StoreUnavailableError: All outcomes are unknown.
    """
    return await _Batch(engine, clock).commit(writes)


class _Batch:
    """One call of the store's ``commit``."""

    def __init__(self, engine: AsyncEngine, clock: Clock | None) -> None:
        self._engine = engine
        self._clock = clock
        self._repeated = False

    async def commit(self, writes: Sequence[Write]) -> list[Outcome]:
        if len(writes) == 1:
            return [await self._alone(writes[0])]
        try:
            results = await self._together(writes)
        except Exception as error:
            # A deadlock, a dead connection, or a write that cannot be written: what can be committed alone, is.
            self._repeated = is_dead_connection(error)
            if fault_of(error) is Fault.CONNECTION and not self._repeated:
                raise unavailable(error) from error
            return await one_by_one(self._alone, writes)
        left_out = [write for write, result in zip(writes, results, strict=True) if result is None]
        later = iter(await one_by_one(self._alone, left_out))
        return [next(later) if result is None else result for result in results]

    async def _together(self, writes: Sequence[Write]) -> list[WriteResult | None]:
        """Commit those that can be committed without waiting; None for one that should be tried alone."""
        async with self._engine.connect() as connection:
            return await connection.run_sync(_commit_together, writes, self._now())

    async def _alone(self, write: Write) -> WriteResult:
        """Commit one write, waiting for whoever is at its instance."""

        async def attempt() -> WriteResult:
            try:
                return await self._try_alone(write)
            except DATABASE_ERRORS as error:
                self._repeated = self._repeated or is_dead_connection(error)
                raise

        return await persistently(attempt)

    async def _try_alone(self, write: Write) -> WriteResult:
        async with self._engine.connect() as connection:
            return await connection.run_sync(commit_alone, write, self._now(), repeated=self._repeated)

    def _now(self) -> datetime | None:
        return None if self._clock is None else self._clock.now()


def _commit_together(connection: Connection, writes: Sequence[Write], now: datetime | None) -> list[WriteResult | None]:
    done = _execute(connection, writes, now, skip_locked=True)
    refused = [write for place, write in enumerate(writes) if place not in done]
    if not refused:
        return [done[place] for place in range(len(writes))]
    situation = situation_of(connection, refused)
    return [done.get(place) or verdict(write, situation) for place, write in enumerate(writes)]


def commit_alone(connection: Connection, write: Write, now: datetime | None, *, repeated: bool = False) -> WriteResult:
    """Write one transition, waiting for whoever is at its instance.

    Args:
        connection: Commits by itself, or is in a transaction.
        write: The transition.
        now: The time; None lets the server tell it.
        repeated: It may have been committed before, by a try whose outcome is unknown.
    """
    for _ in range(_TRIES_ALONE):
        done = _execute(connection, (write,), now, skip_locked=False)
        if 0 in done:
            return done[0]
        result = verdict(write, situation_of(connection, (write,)), repeated=repeated)
        if result is not None:
            return result
    return Conflict()  # it was and is possible again and again: somebody else is quicker each time


def _execute(
    connection: Connection, writes: Sequence[Write], now: datetime | None, *, skip_locked: bool
) -> dict[int, Committed]:
    """Run the statement; the results of the accepted writes by place."""
    rows = rows_of(writes)
    parts = parts_of(rows, skip_locked=skip_locked)
    found = connection.execute(commit_statement(parts), {"now": now, **parameters_of(rows, parts)})
    moments: dict[UUID, datetime] = {}
    fences: dict[UUID, dict[int, int]] = {}
    for instance_id, at, number, fence in found:
        if number is None:
            moments[instance_id] = at.astimezone(UTC)
        else:
            fences.setdefault(instance_id, {})[number] = fence
    return {
        row.place: Committed(moments[row.instance_id], fences.get(row.instance_id, {}))
        for row in rows.instances
        if row.instance_id in moments
    }
