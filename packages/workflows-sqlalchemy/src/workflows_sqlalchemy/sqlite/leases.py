"""Keeping and giving back leases on SQLite; the connection is in a transaction that has the write lock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from workflows_core.ports.executor import WorkRef
from workflows_sqlalchemy.tables import work_items

__all__ = ["release", "renew"]


_RELEASE: Final = (
    update(work_items)
    .where(
        work_items.c.instance_id == bindparam("of_instance"),
        work_items.c.number == bindparam("of_number"),
        work_items.c.worker == bindparam("held_by"),
        work_items.c.lease_until > bindparam("now"),
    )
    .values(worker=None, lease_until=None, due_at=bindparam("due"))
)


def renew(connection: Connection, worker: str, lease_s: float, now: datetime) -> set[WorkRef]:
    """Extend the leases of a worker that have not ended."""
    held = work_items.c.worker == worker, work_items.c.lease_until > now
    rows = (connection.execute(select(work_items.c.instance_id, work_items.c.number).where(*held))).all()
    if rows:
        until = now + timedelta(seconds=lease_s)
        connection.execute(update(work_items).where(*held).values(lease_until=until))
    return {WorkRef(row.instance_id, row.number) for row in rows}


def release(connection: Connection, worker: str, items: Sequence[WorkRef], delay_s: float, now: datetime) -> None:
    """Give back work whose lease has not ended."""
    given_back = {"held_by": worker, "now": now, "due": now + timedelta(seconds=delay_s)}
    refs = [{"of_instance": ref.instance_id, "of_number": ref.number, **given_back} for ref in items]
    connection.execute(_RELEASE, refs)
