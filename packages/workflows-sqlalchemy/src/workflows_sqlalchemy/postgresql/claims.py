"""Claiming work on PostgreSQL: one statement finds due work, takes it and gives its inputs.

Work that nobody holds is found lane by lane (a lane is a queue with a priority), each in the order of its index, so that neither timers
that are not due nor the work of queues that the worker does not serve are read. Rows that another claimer has locked are skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, Final
from uuid import UUID

from sqlalchemy import TextClause, text

from workflows_core.ports.store import ClaimRequest
from workflows_sqlalchemy.column_types import safe_text
from workflows_sqlalchemy.loading import ITEM_COLUMNS, STATE_COLUMNS, WORK_COLUMNS, Claimed, claimed
from workflows_sqlalchemy.postgresql.direct import Question, Values

__all__ = [
    "claim_question",
    "claim_statement",
    "claims_of",
    "due_question",
    "due_statement",
    "leaves_some",
    "take_question",
]

_COLUMNS: Final = ("at", *(column.name for column in (*WORK_COLUMNS, *STATE_COLUMNS, *ITEM_COLUMNS)))

_MOMENT: Final = "moment AS MATERIALIZED (SELECT COALESCE(CAST(:now AS timestamptz), clock_timestamp()) AS at)"
_LANES: Final = """
lanes AS (
    (SELECT queue, priority FROM workflow_work_items WHERE worker IS NULL AND due_at IS NOT NULL AND throttle IS NULL
     ORDER BY queue, priority LIMIT 1)
    UNION ALL
    SELECT n.queue, n.priority FROM lanes l CROSS JOIN LATERAL (
        SELECT queue, priority FROM workflow_work_items
        WHERE worker IS NULL AND due_at IS NOT NULL AND throttle IS NULL AND (queue, priority) > (l.queue, l.priority)
        ORDER BY queue, priority LIMIT 1
    ) n
)"""
_CANDIDATE: Final = "SELECT w.instance_id, w.number, w.home, w.priority, w.due_at AS moment"
_IN_TIME: Final = "(w.timeout_at IS NULL OR w.timeout_at > (SELECT at FROM moment))"
# With a lower bound too PostgreSQL expects little between the two, as there is, and not a third of all limits: it would go through all
# instances for these.
_OVER: Final = "w.timeout_at > '-infinity' AND w.timeout_at <= (SELECT at FROM moment)"
_WORK_AND_INSTANCE: Final = "workflow_work_items w JOIN workflow_instances i ON i.id = w.instance_id"
_ORDER: Final = "ORDER BY priority DESC, moment, instance_id, number LIMIT :limit"
_LOCK: Final = "FOR UPDATE OF w SKIP LOCKED"

_DUE: Final = f"""
fresh AS MATERIALIZED (
    SELECT c.* FROM (SELECT * FROM lanes l WHERE {{served}}) l CROSS JOIN LATERAL (
        {_CANDIDATE} FROM {_WORK_AND_INSTANCE}
        WHERE w.queue = l.queue AND w.priority = l.priority AND w.worker IS NULL AND w.throttle IS NULL
            AND w.due_at <= (SELECT at FROM moment) AND {_IN_TIME} AND {{wanted}}
        ORDER BY w.due_at, w.instance_id, w.number LIMIT :limit {_LOCK}
    ) c
),
lapsed AS MATERIALIZED (
    {_CANDIDATE} FROM {_WORK_AND_INSTANCE}
    WHERE w.worker IS NOT NULL AND w.throttle IS NULL AND w.lease_until <= (SELECT at FROM moment) AND {_IN_TIME} AND {{wanted}}
    {_ORDER} {_LOCK}
),
over AS MATERIALIZED (
    SELECT w.instance_id, w.number, w.home, w.priority, w.timeout_at AS moment FROM {_WORK_AND_INSTANCE}
    WHERE {_OVER} AND {{wanted}}
    {_ORDER} {_LOCK}
),
picked AS MATERIALIZED (
    SELECT * FROM (SELECT * FROM fresh UNION ALL SELECT * FROM lapsed UNION ALL SELECT * FROM over) c {_ORDER}
)"""
_ASKED_FOR: Final = f"""
picked AS MATERIALIZED (
    {_CANDIDATE} FROM {_WORK_AND_INSTANCE}
    JOIN unnest(CAST(:ids AS uuid[]), CAST(:numbers AS bigint[])) AS r(instance_id, number)
        ON r.instance_id = w.instance_id AND r.number = w.number
    WHERE ((w.worker IS NULL OR w.lease_until <= (SELECT at FROM moment)) AND w.due_at <= (SELECT at FROM moment)
            AND {{unthrottled}}
        OR w.timeout_at <= (SELECT at FROM moment)) AND {{wanted}}
    ORDER BY w.priority DESC,
        CASE WHEN w.timeout_at <= (SELECT at FROM moment) THEN w.timeout_at ELSE w.due_at END,
        w.instance_id, w.number LIMIT :limit {_LOCK}
)"""
# Whether work may be waiting that is not found here, see `workflows_sqlalchemy.postgresql.throttles`.
_THROTTLED: Final = """(
    -- In the order of its index, because PostgreSQL would rather look for any in the whole table.
    SELECT w.throttle FROM workflow_work_items w
    WHERE w.worker IS NULL AND w.due_at IS NOT NULL AND w.throttle IS NOT NULL ORDER BY w.throttle LIMIT 1
) IS NOT NULL OR EXISTS (
    SELECT FROM workflow_work_items w
    WHERE w.worker IS NOT NULL AND w.throttle IS NOT NULL AND w.lease_until <= (SELECT at FROM moment)
)"""
_TAKE: Final = """
UPDATE workflow_work_items w SET
    worker = :worker, lease_until = m.at + CAST(:lease_s AS double precision) * INTERVAL '1 second',
    fence = w.fence + 1, attempt = w.attempt + 1, crashes = w.crashes + CASE WHEN w.worker IS NULL THEN 0 ELSE 1 END,
    kind = CASE WHEN w.timeout_at <= m.at THEN 'expire' ELSE w.kind END,
    due_at = CASE WHEN w.timeout_at <= m.at THEN w.timeout_at ELSE w.due_at END,
    timeout_at = CASE WHEN w.timeout_at <= m.at THEN NULL ELSE w.timeout_at END
FROM picked p JOIN workflow_instances i ON i.id = p.instance_id
    LEFT JOIN workflow_scopes s
        ON p.home <> 0 AND s.instance_id = p.instance_id AND s.home = p.home AND s.scope_id = p.home
    CROSS JOIN moment m
WHERE w.instance_id = p.instance_id AND w.number = p.number
RETURNING m.at, w.number, w.kind, w.step_name, w.scope_id, w.home, w.execution, w.queue, w.priority, w.due_at,
    w.revision AS work_revision, w.fence, w.attempt, w.crashes, w.slot_key, w.slot_limit, w.rate_key, w.rate_limit,
    w.rate_s, w.admission_key, w.admission_limit, i.id, i.tenant_id, i.workflow_name, i.workflow_version,
    i.graph_hash, i.revision, i.status, i.marking, i.data, i.metadata, i.error, i.created_by, s.parent_home,
    s.marking AS item_marking, s.data AS item_data"""
_NEXT: Final = f"""
SELECT CAST(EXTRACT(EPOCH FROM LEAST(
    (SELECT min(c.due_at) FROM (SELECT * FROM lanes l WHERE {{served}}) l CROSS JOIN LATERAL (
        SELECT w.due_at FROM {_WORK_AND_INSTANCE}
        WHERE w.queue = l.queue AND w.priority = l.priority AND w.worker IS NULL AND w.due_at IS NOT NULL
            AND w.throttle IS NULL AND {{wanted}}
        ORDER BY w.due_at LIMIT 1
    ) c),
    (SELECT min(w.lease_until) FROM {_WORK_AND_INSTANCE}
     WHERE w.worker IS NOT NULL AND (w.throttle IS NULL OR w.lease_until > m.at) AND {{wanted}}),
    (SELECT w.timeout_at FROM {_WORK_AND_INSTANCE} WHERE w.timeout_at IS NOT NULL AND {{wanted}}
     ORDER BY w.timeout_at LIMIT 1)
) - m.at) AS double precision), {_THROTTLED} FROM moment m"""


def claim_question(request: ClaimRequest, now: datetime | None) -> Question:
    """What is sent to claim work; `claims_of` reads the answer. The connection must commit by itself."""
    parameters: dict[str, Any] = {
        "now": now,
        "worker": safe_text(request.worker),
        "limit": request.limit,
        "lease_s": request.lease_s,
        **_selection(request.queues, request.codes, request.without),
    }
    if request.items is not None:
        refs = dict.fromkeys(request.items)
        parameters["ids"] = [ref.instance_id for ref in refs]
        parameters["numbers"] = [ref.number for ref in refs]
    statement = claim_statement(
        queues=request.queues is not None,
        codes=request.codes is not None,
        items=request.items is not None,
        without=bool(request.without),
    )
    return Question(statement, parameters)


def take_question(request: ClaimRequest, now: datetime | None) -> Question:
    """What is sent to claim work that was found not to have to wait; `claims_of` reads the answer."""
    return Question(
        take_statement(
            queues=request.queues is not None, codes=request.codes is not None, without=bool(request.without)
        ),
        claim_question(request, now).parameters,
    )


def claims_of(rows: Iterable[Values]) -> list[Claimed]:
    """The claims that the claiming statement gave."""
    found: list[Claimed] = []
    for _, *values in rows:
        if values[0] is None:
            continue
        row = SimpleNamespace(**dict(zip(_COLUMNS, values, strict=True)))
        row.id = UUID(int=row.id.int)  # a plain one, whatever the driver's is
        row.due_at = row.due_at.astimezone(UTC)
        found.append(claimed(row, row.at.astimezone(UTC), fence=row.fence, attempt=row.attempt, crashes=row.crashes))
    return found


def due_question(
    queues: frozenset[str] | None, codes: frozenset[str] | None, without: frozenset[str], now: datetime | None
) -> Question:
    """What is sent to learn in how many seconds work can be claimed; the answer is that, and whether there is throttled work."""
    statement = due_statement(queues=queues is not None, codes=codes is not None, without=bool(without))
    return Question(statement, {"now": now, **_selection(queues, codes, without)})


@lru_cache
def claim_statement(*, queues: bool, codes: bool, items: bool, without: bool = False) -> TextClause:
    """The claiming statement, restricted to queues, to codes, to work items that are asked for; without some steps."""
    conditions = _conditions(queues=queues, codes=codes, without=without)
    found = (_ASKED_FOR if items else f"{_LANES},{_DUE}").format(**conditions, unthrottled="w.throttle IS NULL")
    take = f"taken AS ({_TAKE})"
    return text(
        f"WITH RECURSIVE {_MOMENT}, {found}, {take} SELECT f.throttled, t.* FROM (SELECT {_THROTTLED} AS throttled) f "
        "LEFT JOIN taken t ON true"
    )


@lru_cache
def take_statement(*, queues: bool, codes: bool, without: bool = False) -> TextClause:
    """The claiming statement for work items that were found not to have to wait."""
    conditions = _conditions(queues=queues, codes=codes, without=without)
    found = _ASKED_FOR.format(**conditions, unthrottled="true")
    return text(f"WITH {_MOMENT}, {found}, taken AS ({_TAKE}) SELECT false, t.* FROM taken t")


def leaves_some(rows: Sequence[Values]) -> bool:
    """Whether the claiming statement says that work may be waiting that it does not give."""
    return bool(rows[0][0])


@lru_cache
def due_statement(*, queues: bool, codes: bool, without: bool = False) -> TextClause:
    """The statement that tells when work can be claimed."""
    conditions = _conditions(queues=queues, codes=codes, without=without)
    return text(f"WITH RECURSIVE {_MOMENT}, {_LANES}{_NEXT.format(**conditions)}")


def _conditions(*, queues: bool, codes: bool, without: bool) -> dict[str, str]:
    """Which lanes are served, and which work of an instance is wanted."""
    served = "{}.queue = ANY(CAST(:queues AS text[]))" if queues else "true"
    wanted = ["i.status IN ('pending', 'running', 'waiting')", served.format("w")]
    if codes:
        # In a COALESCE, about which PostgreSQL expects that half of the work fits: otherwise it expects that hardly any does, and goes
        # through all instances for it.
        wanted.append("COALESCE(i.workflow_name || '@' || i.workflow_version = ANY(CAST(:codes AS text[])), false)")
    if without:
        step = "i.workflow_name || '@' || i.workflow_version || '/' || w.step_name"
        wanted.append(f"{step} <> ALL(CAST(:without AS text[]))")
    return {"served": served.format("l"), "wanted": " AND ".join(wanted)}


def _selection(
    queues: frozenset[str] | None, codes: frozenset[str] | None, without: frozenset[str]
) -> dict[str, list[str]]:
    selection = {"queues": queues, "codes": codes, "without": without or None}
    return {name: [safe_text(item) for item in items] for name, items in selection.items() if items is not None}
