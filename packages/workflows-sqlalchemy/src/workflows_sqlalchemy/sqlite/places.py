"""Where due work stands on SQLite: places, each a queue with a priority, and in them the tenants that have some.

Both are found by jumping from one to the next in an index, however much work each of them has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from workflows_sqlalchemy.column_types import to_microseconds
from workflows_sqlalchemy.sqlite.direct import Statement, Values

__all__ = ["AT_ONCE", "FREE", "LATER", "places", "visits"]

FREE: Final = "w.worker IS NULL AND w.due_at IS NOT NULL AND w.throttle IS NULL"
_PLACES: Final = f"""
{{name}}(queue, priority) AS (
    SELECT queue, priority FROM (
        SELECT w.queue, w.priority FROM workflow_work_items w WHERE {FREE} AND w.turn_of IS {{null}}
        ORDER BY w.queue, w.priority LIMIT 1
    )
    UNION ALL
    SELECT n.queue, n.priority FROM {{name}} p JOIN workflow_work_items n ON n.rowid = COALESCE((
        SELECT w.rowid FROM workflow_work_items w
        WHERE w.queue = p.queue AND w.priority > p.priority AND {FREE} AND w.turn_of IS {{null}}
        ORDER BY w.priority LIMIT 1
    ), (
        SELECT w.rowid FROM workflow_work_items w
        WHERE w.queue > p.queue AND {FREE} AND w.turn_of IS {{null}} ORDER BY w.queue, w.priority LIMIT 1
    ))
)"""
AT_ONCE: Final = _PLACES.format(name="at_once", null="NOT NULL")
LATER: Final = _PLACES.format(name="later", null="NULL")
_ALL_PLACES: Final = Statement(
    text(f"""
WITH RECURSIVE {AT_ONCE},{LATER}
SELECT queue, priority, 0 AS is_later FROM at_once
UNION ALL
SELECT queue, priority, 1 FROM later p WHERE (
    SELECT min(w.due_at) FROM workflow_work_items w
    WHERE w.queue = p.queue AND w.priority = p.priority AND {FREE} AND w.turn_of IS NULL
) <= :now
ORDER BY priority DESC, queue"""),
    ("now",),
)
_VISIT: Final = f"""
SELECT min(w.turn_of) FROM workflow_work_items w
WHERE w.queue = :queue AND w.priority = :priority AND {FREE} AND w.turn_of """
_NAMES_OF_VISIT: Final = "queue", "priority", "tenant"
_VISIT_NEXT: Final = Statement(text(f"{_VISIT} > :tenant"), _NAMES_OF_VISIT)
_VISIT_FIRST: Final = Statement(text(f"{_VISIT} <= :tenant"), _NAMES_OF_VISIT)


def places(connection: Connection, now: datetime) -> Sequence[Values]:
    """Queue and priority of each place, the most urgent first, and whether its work was to be done later; then some is due by now."""
    return _ALL_PLACES.fetch(connection, (to_microseconds(now),))


def visits(connection: Connection, queue: str, priority: int, last: str) -> Iterator[str]:
    """The tenants of a place: those after the one that had the last turn, then the others."""
    ((tenant,),) = _VISIT_NEXT.fetch(connection, (queue, priority, last))
    while tenant is not None:
        yield tenant
        ((tenant,),) = _VISIT_NEXT.fetch(connection, (queue, priority, tenant))
    ((tenant,),) = _VISIT_FIRST.fetch(connection, (queue, priority, last))
    while tenant is not None and tenant <= last:
        yield tenant
        ((tenant,),) = _VISIT_NEXT.fetch(connection, (queue, priority, tenant))
