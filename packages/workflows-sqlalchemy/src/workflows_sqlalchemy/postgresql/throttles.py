"""Claiming work that may have to wait, on PostgreSQL: who takes some holds the locks of its slots and rates until that is committed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec.structs import replace
from sqlalchemy import Connection, func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from workflows_core.ports.clock import Clock
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.store import ClaimRequest
from workflows_sqlalchemy.loading import Claimed
from workflows_sqlalchemy.postgresql.claims import claims_of, take_question
from workflows_sqlalchemy.postgresql.direct import execute
from workflows_sqlalchemy.throttle_usage import ThrottleUsage
from workflows_sqlalchemy.throttled_claims import Lanes, find_due, next_throttled
from workflows_sqlalchemy.throttles import keys_of

__all__ = ["ThrottledClaims"]

_LOCK_SPACE: Final = 0x77666C6F77
"""Keeps the locks of slots and rates apart from those of the application."""
# Everybody locks in the same order, so that nobody waits in a circle.
_LOCK: Final = text("""
SELECT pg_advisory_xact_lock(h) FROM (
    SELECT DISTINCT hashtextextended(k, :space) AS h FROM unnest(CAST(:keys AS text[])) AS k ORDER BY h
) AS s""")
_LOCK_FREE: Final = text("""
SELECT k FROM unnest(CAST(:keys AS text[])) AS k WHERE pg_try_advisory_xact_lock(hashtextextended(k, :space))""")


class ThrottledClaims:
    """Claims work that may have to wait.

    Args:
        engine: Its connections.
        clock: Tells the time instead of the database.
    """

    def __init__(self, engine: AsyncEngine, clock: Clock | None) -> None:
        self._engine = engine.execution_options(isolation_level="READ COMMITTED")
        self._clock = clock
        self._lanes = Lanes()
        self._usage = ThrottleUsage(_lock_free)

    async def claim(self, request: ClaimRequest) -> list[Claimed]:
        """Claim what need not wait, in one transaction; first it is looked whether there is any, without locks."""
        async with self._engine.begin() as connection:
            lanes = await connection.run_sync(self._find, request)
        if not lanes:
            return []
        async with self._engine.begin() as connection:
            return await connection.run_sync(self._take, request, lanes)

    async def next_due(self, request: ClaimRequest) -> float | None:
        """Seconds until the first can be claimed, if nothing ends before; None without any."""
        async with self._engine.begin() as connection:
            return await connection.run_sync(self._next, request)

    def _find(self, connection: Connection, request: ClaimRequest) -> Sequence[str]:
        """The lanes of which something can be taken, by what can be seen without locks."""
        now = self._now(connection)
        lanes = self._lanes.find(connection, request, now)
        self._lanes.go_on()
        chosen = find_due(connection, request, lanes, request.limit, now)
        return sorted({one.throttle.throttle or "" for one in chosen.taken})

    def _take(self, connection: Connection, request: ClaimRequest, lanes: Sequence[str]) -> list[Claimed]:
        keys = keys_of(lanes)
        connection.execute(_LOCK, {"space": _LOCK_SPACE, "keys": [*keys.slots, *keys.rates, *keys.admissions]}).all()
        now = self._now(connection)
        chosen = find_due(connection, request, lanes, request.limit, now)
        if not chosen.taken:
            return []
        refs = tuple(WorkRef(one.instance_id, one.number) for one in chosen.taken)
        rows = execute(connection, take_question(replace(request, items=refs), now))
        self._usage.count(connection, chosen, now)
        return claims_of(rows)

    def _next(self, connection: Connection, request: ClaimRequest) -> float | None:
        now = self._now(connection)
        moment = next_throttled(connection, request, now, self._lanes)
        return None if moment is None else (moment - now).total_seconds()

    def _now(self, connection: Connection) -> datetime:
        if self._clock is not None:
            return self._clock.now()
        now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return now


def _lock_free(connection: Connection, keys: Sequence[str]) -> Sequence[str]:
    """Lock those that nobody else has locked; what is read afterwards is what is stored under these locks."""
    return connection.scalars(_LOCK_FREE, {"space": _LOCK_SPACE, "keys": list(keys)}).all()
