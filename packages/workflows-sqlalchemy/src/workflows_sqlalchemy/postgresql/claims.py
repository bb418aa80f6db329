"""Claiming work on PostgreSQL: one statement finds due work, takes it and gives its inputs.

Work that nobody holds is found place by place (a place is a queue with a priority). What was due at once stands there in lanes, one for
each tenant, each in the order of its index; the claim visits as many tenants as may have a turn, beginning behind the one that had the last. What
was to be done later is found by its moment. So neither timers that are not due nor the work of queues that the worker does not serve are
read. Rows that another claimer has locked are skipped; where there is more than one lane it is first seen, without locks, how many of
each have a turn, so that no more is locked than is taken.
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
from workflows_core.ports.turns import LastTurns
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
# Out of PostgreSQL's sight: it would plan each claim anew, for the wish at hand, which takes longer than the claim.
_WISH: Final = """wish AS MATERIALIZED (
    SELECT CAST(:limit AS bigint) AS most, CAST(:queues AS text[]) AS queues, CAST(:codes AS text[]) AS codes,
        CAST(:without AS text[]) AS without
)"""
_LIMIT: Final = "(SELECT most FROM wish)"
_LIST: Final = "(CAST((SELECT {} FROM wish) AS text[]))"


def _few(columns: str, found: str) -> str:
    """What was found, by way of arrays, of which PostgreSQL expects ten rows.

    Of a recursion it expects a hundred, of one in another a thousand; it would then take such a statement for so dear that it compiles it.
    """
    names = columns.split(", ")
    arrays = ", ".join(f"array_agg({name}) AS {name}" for name in names)
    unnested = ", ".join(f"a.{name}" for name in names)
    return f"(SELECT {arrays} FROM {found}) a CROSS JOIN LATERAL unnest({unnested})"


_FREE: Final = "w.worker IS NULL AND w.due_at IS NOT NULL AND w.throttle IS NULL"
_PLACES: Final = f"""
{{name}} AS (
    (SELECT w.queue, w.priority FROM workflow_work_items w WHERE {_FREE} AND w.turn_of IS {{null}}
     ORDER BY w.queue, w.priority LIMIT 1)
    UNION ALL
    SELECT n.queue, n.priority FROM {{name}} p CROSS JOIN LATERAL (
        SELECT w.queue, w.priority FROM workflow_work_items w
        WHERE {_FREE} AND w.turn_of IS {{null}} AND (w.queue, w.priority) > (p.queue, p.priority)
        ORDER BY w.queue, w.priority LIMIT 1
    ) n
)"""
_AT_ONCE: Final = _PLACES.format(name="at_once", null="NOT NULL")
_LATER: Final = _PLACES.format(name="later", null="NULL")
# Each instance by its key: a plan that was kept since few instances were open would go through all of them for each work item.
_WORK_AND_INSTANCE: Final = """workflow_work_items w CROSS JOIN LATERAL (
        SELECT i.tenant_id, i.status, i.workflow_name, i.workflow_version FROM workflow_instances i
        WHERE i.id = w.instance_id LIMIT 1
    ) i"""
_LAST: Final = """COALESCE(
        (CAST(:tenants AS text[]))[array_position(CAST(:priorities AS integer[]), {}.priority)], '') COLLATE "C" """
"""Who had the last turn of a priority."""
# From the tenant on that comes after the one that had the last turn, and then from the first one on to that one.
_VISITS: Final = f"""
visits AS (
    SELECT p.queue, p.priority, {_LAST.format("p")} AS last, {_LAST.format("p")} AS tenant, false AS is_behind,
        CAST(NULL AS timestamptz) AS due_at, CAST(0 AS bigint) AS found
    FROM {_few("queue, priority", "at_once")} AS p(queue, priority)
    WHERE {{served}}
    UNION ALL
    SELECT v.queue, v.priority, v.last, n.tenant, n.is_behind, d.due_at,
        v.found + CASE WHEN d.due_at <= (SELECT at FROM moment) THEN 1 ELSE 0 END
    FROM visits v CROSS JOIN LATERAL (
        (SELECT n.tenant, v.is_behind FROM (
            SELECT w.turn_of AS tenant FROM workflow_work_items w
            WHERE w.queue = v.queue AND w.priority = v.priority AND {_FREE} AND w.turn_of > v.tenant
            ORDER BY w.turn_of LIMIT 1
        ) n WHERE NOT v.is_behind OR n.tenant <= v.last)
        UNION ALL
        (SELECT n.tenant, true FROM (
            SELECT w.turn_of AS tenant FROM workflow_work_items w
            WHERE w.queue = v.queue AND w.priority = v.priority AND {_FREE} AND w.turn_of <= v.last
            ORDER BY w.turn_of LIMIT 1
        ) n WHERE NOT v.is_behind)
        LIMIT 1
    ) n LEFT JOIN LATERAL (
        SELECT w.due_at FROM {_WORK_AND_INSTANCE}
        WHERE w.queue = v.queue AND w.priority = v.priority AND {_FREE} AND w.turn_of = n.tenant AND {{wanted_there}}
        ORDER BY w.due_at LIMIT 1
    ) d ON true WHERE v.found < {{most}}
)"""
_IN_RESERVE: Final = 15
"""How many tenants more than are needed are visited: somebody else may be taking the work of some."""
_LOOK_AHEAD: Final = 64
"""How much more of the work that was to be done later is looked at: it may be another tenant's turn."""
_CANDIDATE: Final = (
    """SELECT w.instance_id, w.number, w.home, w.priority, w.due_at AS moment, i.tenant_id COLLATE "C" AS tenant"""
)
_IN_TIME: Final = "(w.timeout_at IS NULL OR w.timeout_at > (SELECT at FROM moment))"
# With a lower bound too PostgreSQL expects little between the two, as there is, and not a third of all limits: it would go through all
# instances for these.
_OVER: Final = "w.timeout_at > '-infinity' AND w.timeout_at <= (SELECT at FROM moment)"
_IN_ORDER: Final = "w.due_at, w.instance_id, w.number"
_LOCK: Final = "FOR UPDATE OF w SKIP LOCKED"
_MOST: Final = 1000
"""Of one lane no more is looked at; said to PostgreSQL, because it would expect a tenth of all else."""
_OF_LANE: Final = f"""
        {_CANDIDATE} FROM {_WORK_AND_INSTANCE}
        WHERE w.queue = l.queue AND w.priority = l.priority AND w.worker IS NULL AND w.throttle IS NULL
            AND w.turn_of = l.tenant AND w.due_at <= (SELECT at FROM moment) AND {_IN_TIME} AND {{wanted_there}}
        ORDER BY {_IN_ORDER}"""
_READY: Final = """((w.worker IS NULL OR w.lease_until <= (SELECT at FROM moment)) AND w.due_at <= (SELECT at FROM moment)
            AND {unthrottled}
        OR w.timeout_at <= (SELECT at FROM moment)) AND {wanted}"""
_MOMENT_OF_READY: Final = "CASE WHEN w.timeout_at <= (SELECT at FROM moment) THEN w.timeout_at ELSE w.due_at END"
_LOCKED: Final = f"""
        SELECT w.instance_id, w.number, w.home, w.priority, {_MOMENT_OF_READY} AS moment, f.tenant
        FROM {_WORK_AND_INSTANCE}
        WHERE w.instance_id = f.instance_id AND w.number = f.number AND {_READY} {_LOCK}"""
_TURN: Final = (
    "row_number() OVER (PARTITION BY c.priority, c.tenant ORDER BY c.moment, c.instance_id, c.number) AS turn"
)
_HAD_ONE: Final = f"c.tenant <= {_LAST.format('c')}"

_DUE: Final = f"""
lanes AS MATERIALIZED (
    SELECT l.queue, l.priority, l.tenant COLLATE "C" AS tenant, count(*) OVER (PARTITION BY l.queue, l.priority) AS number
    FROM {_few("queue, priority, tenant", "visits WHERE due_at <= (SELECT at FROM moment)")} AS l(queue, priority, tenant)
),
rest AS MATERIALIZED (
    SELECT c.* FROM {_few("queue, priority", "later")} AS p(queue, priority) CROSS JOIN LATERAL (
        {_CANDIDATE} FROM {_WORK_AND_INSTANCE}
        WHERE w.queue = p.queue AND w.priority = p.priority AND w.worker IS NULL AND w.throttle IS NULL
            AND w.turn_of IS NULL AND w.due_at <= (SELECT at FROM moment) AND {_IN_TIME} AND {{wanted_there}}
        ORDER BY {_IN_ORDER} LIMIT {_LIMIT} + {_LOOK_AHEAD}
    ) c WHERE {{served}}
    UNION ALL
    {_CANDIDATE} FROM {_WORK_AND_INSTANCE}
    WHERE w.worker IS NOT NULL AND w.throttle IS NULL AND w.lease_until <= (SELECT at FROM moment) AND {_IN_TIME} AND {{wanted}}
    UNION ALL
    SELECT w.instance_id, w.number, w.home, w.priority, w.timeout_at, i.tenant_id COLLATE "C"
    FROM {_WORK_AND_INSTANCE}
    WHERE {_OVER} AND {{wanted}}
),
is_alone AS MATERIALIZED (SELECT (SELECT count(*) FROM lanes) = 1 AND NOT EXISTS (SELECT FROM rest) AS yes),
-- Nobody asks for these if there is one lane alone.
turns AS MATERIALIZED (
    SELECT c.*, row_number() OVER (ORDER BY c.priority DESC, c.turn, {_HAD_ONE}, c.tenant) AS place FROM (
        SELECT c.*, {_TURN} FROM (
            SELECT l.queue, c.* FROM lanes l CROSS JOIN LATERAL (
                SELECT * FROM ({_OF_LANE} LIMIT {_MOST}) c LIMIT GREATEST({_LIMIT} - l.number + 1, 1)
            ) c
            UNION ALL
            SELECT NULL, c.* FROM rest c
        ) c
    ) c
),
shares AS MATERIALIZED (
    SELECT l.queue, l.priority, l.tenant, 1 AS place, {_LIMIT} AS share FROM lanes l WHERE (SELECT yes FROM is_alone)
    UNION ALL
    -- One of those that have no turn too, in case that others are taking what has.
    SELECT queue, priority, tenant, min(place), GREATEST(count(*) FILTER (WHERE place <= {_LIMIT}), 1)
    FROM turns WHERE NOT (SELECT yes FROM is_alone) AND queue IS NOT NULL GROUP BY queue, priority, tenant
),
of_lanes AS MATERIALIZED (
    SELECT c.* FROM (SELECT * FROM shares ORDER BY place LIMIT {_LIMIT} + {_IN_RESERVE}) l CROSS JOIN LATERAL (
        SELECT c.* FROM ({_OF_LANE} LIMIT {_MOST}) f CROSS JOIN LATERAL ({_LOCKED}) c LIMIT l.share
    ) c LIMIT {_LIMIT}
),
of_rest AS MATERIALIZED (
    SELECT c.* FROM (SELECT * FROM turns WHERE queue IS NULL ORDER BY place) f CROSS JOIN LATERAL ({_LOCKED}) c
    LIMIT CASE WHEN EXISTS (SELECT FROM rest)
        THEN (SELECT count(*) FROM turns WHERE queue IS NULL AND place <= {_LIMIT}) ELSE 0 END
),
picked AS MATERIALIZED (
    SELECT c.* FROM (
        SELECT c.*, {_TURN} FROM (SELECT * FROM of_lanes UNION ALL SELECT * FROM of_rest) c
    ) c ORDER BY c.priority DESC, c.turn, {_HAD_ONE}, c.tenant LIMIT {_LIMIT}
)"""
_ASKED_FOR: Final = f"""
picked AS MATERIALIZED (
    {_CANDIDATE} FROM {_WORK_AND_INSTANCE}
    JOIN unnest(CAST(:ids AS uuid[]), CAST(:numbers AS bigint[])) AS r(instance_id, number)
        ON r.instance_id = w.instance_id AND r.number = w.number
    WHERE {_READY}
    ORDER BY w.priority DESC, {_MOMENT_OF_READY}, w.instance_id, w.number LIMIT {_LIMIT} {_LOCK}
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
    w.rate_s, w.admission_key, w.admission_limit, w.timeout_at, i.id, i.tenant_id, i.workflow_name, i.workflow_version,
    i.graph_hash, i.revision, i.status, i.marking, i.data, i.metadata, i.error, i.created_by, s.parent_home,
    s.marking AS item_marking, s.data AS item_data"""
_NEXT: Final = f"""
SELECT CAST(EXTRACT(EPOCH FROM LEAST(
    (SELECT min(due_at) FROM visits),
    (SELECT min(c.due_at) FROM {_few("queue, priority", "later")} AS p(queue, priority) CROSS JOIN LATERAL (
        SELECT w.due_at FROM {_WORK_AND_INSTANCE}
        WHERE w.queue = p.queue AND w.priority = p.priority AND {_FREE} AND w.turn_of IS NULL AND {{wanted_there}}
        ORDER BY w.due_at LIMIT 1
    ) c WHERE {{served}}),
    (SELECT min(w.lease_until) FROM {_WORK_AND_INSTANCE}
     WHERE w.worker IS NOT NULL AND (w.throttle IS NULL OR w.lease_until > m.at) AND {{wanted}}),
    (SELECT w.timeout_at FROM {_WORK_AND_INSTANCE} WHERE w.timeout_at IS NOT NULL AND {{wanted}}
     ORDER BY w.timeout_at LIMIT 1)
) - m.at) AS double precision), {_THROTTLED} FROM moment m"""


def claim_question(request: ClaimRequest, last: LastTurns, now: datetime | None) -> Question:
    """What is sent to claim work; `claims_of` reads the answer. The connection must commit by itself."""
    parameters: dict[str, Any] = {
        "now": now,
        "worker": safe_text(request.worker),
        "limit": request.limit,
        "lease_s": request.lease_s,
        "priorities": list(last),
        "tenants": [safe_text(tenant) for tenant in last.values()],
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
        claim_question(request, {}, now).parameters,
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
    parameters = {"now": now, "limit": 1, "priorities": [], "tenants": [], **_selection(queues, codes, without)}
    return Question(statement, parameters)


@lru_cache
def claim_statement(*, queues: bool, codes: bool, items: bool, without: bool = False) -> TextClause:
    """The claiming statement, restricted to queues, to codes, to work items that are asked for; without some steps."""
    conditions = _conditions(queues=queues, codes=codes, without=without)
    most = f"{_LIMIT} + {_IN_RESERVE}"
    due = f"{_AT_ONCE},{_LATER},{_VISITS},{_DUE}"
    found = (_ASKED_FOR if items else due).format(**conditions, unthrottled="w.throttle IS NULL", most=most)
    take = f"taken AS ({_TAKE})"
    return text(
        f"WITH RECURSIVE {_MOMENT}, {_WISH}, {found}, {take} SELECT f.throttled, t.* FROM (SELECT {_THROTTLED} AS throttled) f "
        "LEFT JOIN taken t ON true"
    )


@lru_cache
def take_statement(*, queues: bool, codes: bool, without: bool = False) -> TextClause:
    """The claiming statement for work items that were found not to have to wait."""
    conditions = _conditions(queues=queues, codes=codes, without=without)
    found = _ASKED_FOR.format(**conditions, unthrottled="true")
    return text(f"WITH {_MOMENT}, {_WISH}, {found}, taken AS ({_TAKE}) SELECT false, t.* FROM taken t")


def leaves_some(rows: Sequence[Values]) -> bool:
    """Whether the claiming statement says that work may be waiting that it does not give."""
    return bool(rows[0][0])


@lru_cache
def due_statement(*, queues: bool, codes: bool, without: bool = False) -> TextClause:
    """The statement that tells when work can be claimed."""
    conditions = _conditions(queues=queues, codes=codes, without=without)
    found = f"{_AT_ONCE},{_LATER},{_VISITS}{_NEXT}".format(**conditions, most=_LIMIT)
    return text(f"WITH RECURSIVE {_MOMENT}, {_WISH}, {found}")


def _conditions(*, queues: bool, codes: bool, without: bool) -> dict[str, str]:
    """Which places are served, which work of a place that is served is wanted, and which of all work."""
    served = "{}.queue = ANY" + _LIST.format("queues") if queues else "true"
    wanted = ["i.status IN ('pending', 'running', 'waiting')"]
    if codes:
        # In a COALESCE, about which PostgreSQL expects that half of the work fits: otherwise it expects that hardly any does, and goes
        # through all instances for it.
        wanted.append(f"COALESCE(i.workflow_name || '@' || i.workflow_version = ANY{_LIST.format('codes')}, false)")
    if without:
        step = "i.workflow_name || '@' || i.workflow_version || '/' || w.step_name"
        wanted.append(f"{step} <> ALL{_LIST.format('without')}")
    of_place = " AND ".join(wanted)
    return {"served": served.format("p"), "wanted_there": of_place, "wanted": f"{of_place} AND {served.format('w')}"}


def _selection(
    queues: frozenset[str] | None, codes: frozenset[str] | None, without: frozenset[str]
) -> dict[str, list[str] | None]:
    selection = {"queues": queues, "codes": codes, "without": without}
    return {name: None if items is None else [safe_text(item) for item in items] for name, items in selection.items()}
