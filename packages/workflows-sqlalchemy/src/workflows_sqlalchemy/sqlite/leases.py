"""Keeping and giving back leases on SQLite; the connection is in a transaction that has the write lock."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import URL, Boolean, Connection, bindparam, case, select, update

from workflows_core.ports.clock import Clock
from workflows_core.ports.leases import Lease, LeaseKeeper
from workflows_sqlalchemy.backend import persistently
from workflows_sqlalchemy.sqlite.connections import SQLiteConnections
from workflows_sqlalchemy.tables import work_items
from workflows_sqlalchemy.writing import bounded

__all__ = ["SQLiteLeaseKeeper", "release", "renew"]

_RELEASE: Final = (
    update(work_items)
    .where(
        work_items.c.instance_id == bindparam("of_instance"),
        work_items.c.number == bindparam("of_number"),
        work_items.c.worker == bindparam("held_by"),
        work_items.c.fence == bindparam("of_fence"),
        work_items.c.lease_until > bindparam("now"),
    )
    .values(
        worker=None,
        lease_until=None,
        due_at=bindparam("due"),
        turn_of=case((bindparam("is_due", type_=Boolean), work_items.c.turn_of), else_=None),
        attempt=work_items.c.attempt - bindparam("begun_less"),
    )
)


def renew(connection: Connection, worker: str, lease_s: float, now: datetime) -> set[Lease]:
    """Extend the leases of a worker that have not ended."""
    held = work_items.c.worker == worker, work_items.c.lease_until > now
    rows = (
        connection.execute(select(work_items.c.instance_id, work_items.c.number, work_items.c.fence).where(*held))
    ).all()
    if rows:
        until = now + timedelta(seconds=lease_s)
        connection.execute(update(work_items).where(*held).values(lease_until=until))
    return {Lease(*row) for row in rows}


def release(
    connection: Connection, worker: str, leases: Sequence[Lease], now: datetime, *, delay_s: float, untouched: bool
) -> None:
    """Give back work whose lease has not ended."""
    due = now + timedelta(seconds=delay_s)
    given_back = {"held_by": worker, "now": now, "due": due, "is_due": due <= now, "begun_less": int(untouched)}
    named = ({"of_instance": of.instance_id, "of_number": of.number, "of_fence": of.fence} for of in leases)
    connection.execute(_RELEASE, [{**names, **given_back} for names in named])


class SQLiteLeaseKeeper(LeaseKeeper):
    """Renews leases over a connection and in a thread of its own.

    A renewal does not wait for the disk: a machine that fails takes the worker with it.

    Args:
        url: The file.
        clock: Tells the time.
    """

    def __init__(self, url: URL, clock: Clock) -> None:
        self._connections = SQLiteConnections(url, synchronous="NORMAL", readers=1)
        self._clock = clock
        self._under_way: asyncio.Future[set[Lease]] | None = None

    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        def work(connection: Connection) -> set[Lease]:
            return renew(connection, worker, bounded(lease_s), self._clock.now())

        async def attempt() -> set[Lease]:
            if self._under_way is not None:
                await asyncio.wait((self._under_way,))  # one that was given up still waits for the lock of the file
            self._under_way = asyncio.ensure_future(self._connections.write(work))
            return await asyncio.shield(self._under_way)

        return await persistently(attempt)

    async def close(self) -> None:
        if self._under_way is not None:
            await asyncio.wait((self._under_way,))
        await self._connections.close()
