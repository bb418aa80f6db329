"""Keeping and giving back leases on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, column, text
from sqlalchemy.ext.asyncio import AsyncEngine

from workflows_core.ports.clock import Clock
from workflows_core.ports.leases import Lease, LeaseKeeper
from workflows_sqlalchemy.backend import persistently
from workflows_sqlalchemy.column_types import Identity, safe_text
from workflows_sqlalchemy.postgresql.own_connections import with_own_connections
from workflows_sqlalchemy.writing import bounded

__all__ = ["PostgreSQLLeaseKeeper", "release", "renew"]

_MOMENT: Final = "moment AS MATERIALIZED (SELECT COALESCE(CAST(:now AS timestamptz), clock_timestamp()) AS at)"

# A row that is locked is being committed by this worker just now, and gets a new lease there if it is kept: waiting for it could
# mean waiting in a circle. It counts as held, as the snapshot of the statement shows it.
_RENEW: Final = text(f"""
WITH {_MOMENT},
free AS MATERIALIZED (
    SELECT w.instance_id, w.number FROM workflow_work_items w
    WHERE w.worker = :worker AND w.lease_until > (SELECT at FROM moment)
    FOR UPDATE SKIP LOCKED
),
renewed AS (
    UPDATE workflow_work_items w SET lease_until = m.at + CAST(:lease_s AS double precision) * INTERVAL '1 second'
    FROM free f CROSS JOIN moment m
    WHERE w.instance_id = f.instance_id AND w.number = f.number
)
SELECT w.instance_id, w.number, w.fence FROM workflow_work_items w
WHERE w.worker = :worker AND w.lease_until > (SELECT at FROM moment)
""").columns(column("instance_id", Identity()), column("number"), column("fence"))

_RELEASE: Final = text(f"""
WITH {_MOMENT},
held AS MATERIALIZED (
    SELECT w.instance_id, w.number FROM workflow_work_items w
    JOIN unnest(CAST(:instances AS uuid[]), CAST(:numbers AS bigint[]), CAST(:fences AS bigint[])) AS r(instance_id, number, fence)
        ON r.instance_id = w.instance_id AND r.number = w.number AND r.fence = w.fence
    WHERE w.worker = :worker AND w.lease_until > (SELECT at FROM moment)
    ORDER BY w.instance_id, w.number FOR UPDATE OF w
)
UPDATE workflow_work_items w SET
    worker = NULL, lease_until = NULL, due_at = m.at + CAST(:delay_s AS double precision) * INTERVAL '1 second',
    turn_of = CASE WHEN CAST(:delay_s AS double precision) = 0 THEN w.turn_of END,
    attempt = w.attempt - CAST(:begun_less AS integer)
FROM held h CROSS JOIN moment m
WHERE w.instance_id = h.instance_id AND w.number = h.number
""")


def renew(connection: Connection, worker: str, lease_s: float, now: datetime | None) -> set[Lease]:
    """Extend the leases of a worker; the connection must commit by itself."""
    rows = connection.execute(_RENEW, {"now": now, "worker": safe_text(worker), "lease_s": lease_s})
    return {Lease(*row) for row in rows}


def release(
    connection: Connection,
    worker: str,
    leases: Sequence[Lease],
    now: datetime | None,
    *,
    delay_s: float,
    untouched: bool,
) -> None:
    """Give back work; the connection must commit by itself."""
    named = dict.fromkeys(leases)
    connection.execute(
        _RELEASE,
        {
            "now": now,
            "worker": safe_text(worker),
            "instances": [lease.instance_id for lease in named],
            "numbers": [lease.number for lease in named],
            "fences": [lease.fence for lease in named],
            "delay_s": delay_s,
            "begun_less": int(untouched),
        },
    )


class PostgreSQLLeaseKeeper(LeaseKeeper):
    """Renews leases over a connection of its own.

    Args:
        engine: Connects as the store does.
        clock: Tells the time instead of the server.
    """

    def __init__(self, engine: AsyncEngine, clock: Clock | None) -> None:
        self._engine = with_own_connections(engine)
        self._clock = clock

    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        async def attempt() -> set[Lease]:
            now = None if self._clock is None else self._clock.now()
            async with self._engine.connect() as connection:
                return await connection.run_sync(renew, worker, bounded(lease_s), now)

        return await persistently(attempt)

    async def close(self) -> None:
        await self._engine.dispose()
