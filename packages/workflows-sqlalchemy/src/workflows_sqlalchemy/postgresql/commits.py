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
from workflows_sqlalchemy.errors import Fault, fault_of, unavailable
from workflows_sqlalchemy.group_commit import Outcome
from workflows_sqlalchemy.postgresql.direct import DirectStatements, Question, Values, execute
from workflows_sqlalchemy.postgresql.statements import commit_statement, parameters_of, parts_of
from workflows_sqlalchemy.rows import Rows
from workflows_sqlalchemy.verdicts import Situation, situation_of, verdict
from workflows_sqlalchemy.writing import rows_of

__all__ = ["Commits", "commit_alone"]

_TRIES_ALONE = 3


class Commits:
    """Commits batches of transitions.

    Args:
        engine: Commits each statement by itself.
        direct: Runs the statement of a batch.
        clock: Tells the time instead of the database.
    """

    def __init__(self, engine: AsyncEngine, direct: DirectStatements, clock: Clock | None) -> None:
        self._engine = engine
        self._direct = direct
        self._clock = clock

    async def commit(self, writes: Sequence[Write]) -> list[Outcome]:
        """Commit each write or say why not.

        Args:
            writes: No two of one instance.

        Raises:
            StoreUnavailableError: All outcomes are unknown.
        """
        if len(writes) == 1:
            return [await self._alone(writes[0])]
        try:
            results = await self._together(writes)
        except Exception as error:
            if fault_of(error) is Fault.CONNECTION:
                raise unavailable(error) from error
            # A deadlock, or a write that cannot be written: what can be committed alone, is.
            return await one_by_one(self._alone, writes)
        left_out = [write for write, result in zip(writes, results, strict=True) if result is None]
        later = iter(await one_by_one(self._alone, left_out))
        return [next(later) if result is None else result for result in results]

    async def _together(self, writes: Sequence[Write]) -> list[WriteResult | None]:
        """Commit those that can be committed without waiting; None for one that should be tried alone."""
        done = await self._execute(writes, skip_locked=True)
        refused = [write for place, write in enumerate(writes) if place not in done]
        if not refused:
            return [done[place] for place in range(len(writes))]
        situation = await self._situation(refused)
        return [done.get(place) or verdict(write, situation) for place, write in enumerate(writes)]

    async def _alone(self, write: Write) -> WriteResult:
        """Commit one write, waiting for whoever is at its instance."""
        return await persistently(lambda: self._try_alone(write), reconnects=False)

    async def _try_alone(self, write: Write) -> WriteResult:
        for _ in range(_TRIES_ALONE):
            done = await self._execute((write,), skip_locked=False)
            if 0 in done:
                return done[0]
            result = verdict(write, await self._situation((write,)))
            if result is not None:
                return result
        return Conflict()  # it was and is possible again and again: somebody else is quicker each time

    async def _execute(self, writes: Sequence[Write], *, skip_locked: bool) -> dict[int, Committed]:
        """Run the statement; the results of the accepted writes by place."""
        rows = rows_of(writes)
        now = None if self._clock is None else self._clock.now()
        return _committed(rows, await self._direct.fetch(_question(rows, now, skip_locked=skip_locked)))

    async def _situation(self, writes: Sequence[Write]) -> Situation:
        async with self._engine.connect() as connection:
            return await connection.run_sync(situation_of, writes)


def commit_alone(connection: Connection, write: Write, now: datetime | None) -> WriteResult:
    """Write one transition in a transaction of somebody else, waiting for whoever is at its instance.

    Args:
        connection: The transaction's.
        write: The transition.
        now: The time; None lets the server tell it.
    """
    rows = rows_of((write,))
    for _ in range(_TRIES_ALONE):
        done = _committed(rows, execute(connection, _question(rows, now, skip_locked=False)))
        if 0 in done:
            return done[0]
        result = verdict(write, situation_of(connection, (write,)))
        if result is not None:
            return result
    return Conflict()  # it was and is possible again and again: somebody else is quicker each time


def _question(rows: Rows, now: datetime | None, *, skip_locked: bool) -> Question:
    parts = parts_of(rows, skip_locked=skip_locked)
    return Question(commit_statement(parts), {"now": now, **parameters_of(rows, parts)})


def _committed(rows: Rows, found: Sequence[Values]) -> dict[int, Committed]:
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
