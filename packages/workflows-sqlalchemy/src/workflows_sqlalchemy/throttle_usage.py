"""What limits count: slots of instances and rates, the same on every database. What limits nothing any more is deleted again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from sqlalchemy import Column, Connection, Delete, bindparam, delete, select, text

from workflows_core.domain.types import WorkflowStatus
from workflows_sqlalchemy.column_types import Identity, Moment
from workflows_sqlalchemy.tables import instances, rates, slots
from workflows_sqlalchemy.throttles import Chosen

__all__ = ["FINAL", "IS_OVER", "ThrottleUsage"]

FINAL: Final = [status.value for status in WorkflowStatus if status.is_final]
IS_OVER: Final = instances.c.status.in_(FINAL)

_COUNT: Final = text("""
INSERT INTO workflow_rates (key, expected_at) VALUES (:key, :expected_at)
ON CONFLICT (key) DO UPDATE SET expected_at = excluded.expected_at""").bindparams(
    bindparam("expected_at", type_=Moment)
)
_ENTER: Final = text("""
INSERT INTO workflow_slots (key, instance_id) VALUES (:key, :instance_id) ON CONFLICT DO NOTHING""").bindparams(
    bindparam("instance_id", type_=Identity)
)
_OF_NO_LIVE_INSTANCE: Final = delete(slots).where(
    ~select(instances.c.id).where(instances.c.id == slots.c.instance_id, ~IS_OVER).exists()
)
_AT_ONCE: Final = 16
"""Keys that are counted between one look for what is obsolete and the next."""
_LOOKED_AT: Final = 4
"""Keys that are looked at for each that was counted: so at most about a third as many are obsolete as there are others."""
_MOST: Final = 256
"""Keys that are looked at and locked at once; the rest is looked at with the next count."""

Lock: TypeAlias = Callable[[Connection, Sequence[str]], Sequence[str]]
"""Locks keys until the end of the transaction and gives those that nobody else has locked; it waits for none."""


class ThrottleUsage:
    """Counts what was taken.

    A key is often that of a customer or an order, so there are ever new ones. Now and then some of those that are stored are looked at in
    turn, and what is obsolete is deleted: rates that delay nobody any more, and slots of instances that are over or deleted.

    Args:
        lock: Locks the keys of what may be deleted; None where the transaction has locked everything.
    """

    def __init__(self, lock: Lock | None = None) -> None:
        self._lock = lock
        self._counted = 0
        self._last: dict[Column[str], str] = {}

    def count(self, connection: Connection, chosen: Chosen, now: datetime) -> None:
        """Count what was taken to its rates, and give instances their slots; take them from those that are over.

        Args:
            connection: In a transaction that has locked the keys of what was taken.
            chosen: What was taken.
            now: The present moment.
        """
        if chosen.expected:
            values = [{"key": key, "expected_at": moment} for key, moment in sorted(chosen.expected.items())]
            connection.execute(_COUNT, values)
        if chosen.entered:
            keys = sorted({key for key, _ in chosen.entered})
            connection.execute(_OF_NO_LIVE_INSTANCE.where(slots.c.key.in_(keys)))
            connection.execute(
                _ENTER, [{"key": key, "instance_id": instance_id} for key, instance_id in chosen.entered]
            )
        self._counted += len(chosen.expected) + len(chosen.entered)
        if self._counted >= _AT_ONCE:
            most = min(_LOOKED_AT * self._counted, _MOST)
            self._counted -= most // _LOOKED_AT
            self._delete_some(connection, rates.c.key, delete(rates).where(rates.c.expected_at <= now), most)
            self._delete_some(connection, slots.c.key, _OF_NO_LIVE_INSTANCE, most)

    def _delete_some(self, connection: Connection, column: Column[str], obsolete: Delete, most: int) -> None:
        """Delete what is obsolete of the next keys; after the last come the first."""
        last = self._last.get(column, "")
        keys = connection.scalars(select(column).where(column > last).distinct().order_by(column).limit(most)).all()
        self._last[column] = keys[-1] if len(keys) == most else ""
        mine = self._lock(connection, keys) if keys and self._lock is not None else keys
        if mine:
            connection.execute(obsolete.where(column.in_(mine)))
