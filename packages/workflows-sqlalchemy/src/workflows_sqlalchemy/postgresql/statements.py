"""The statement that commits a batch of transitions: one round trip, one transaction.

Rows travel as one array for each kind of row. The conditions of a write are checked by what locks its rows: first its instance
(``locked``), then its work items (``held``), as everybody does, so that nobody waits in a circle. A row that was changed meanwhile is
looked at again by PostgreSQL in its newest version. Only writes that end up in ``accepted`` write anything else; the others are missing
from the result. All parts see the database as it was before the statement, so no part reads what another one writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import TextClause, text

from workflows_core.ports.leases import FENCES_OF_A_REVISION
from workflows_sqlalchemy.postgresql.row_types import ROWS, type_name
from workflows_sqlalchemy.rows import Rows

__all__ = ["Part", "commit_statement", "parameters_of", "parts_of"]

Part = str

# The conditions stand in CASE, where PostgreSQL does not take them for rare: it would then join the parts of a large batch row by row
# with row, and look for work items by their worker.
_LOCKED: Final = """
locked AS MATERIALIZED (
    SELECT a.* FROM asked a JOIN workflow_instances i ON i.id = a.instance_id
    WHERE CASE WHEN i.revision = a.base_revision THEN true END
    ORDER BY i.id FOR NO KEY UPDATE OF i {skip}
)"""
_HELD: Final = """
held AS MATERIALIZED (
    SELECT l.place FROM locked l CROSS JOIN LATERAL unnest(l.held_numbers, l.held_fences) AS r(number, fence)
    JOIN workflow_work_items h ON h.instance_id = l.instance_id AND h.number = r.number
    WHERE CASE WHEN h.fence = r.fence AND h.worker = l.held_worker THEN true END
    ORDER BY h.instance_id, h.number FOR UPDATE OF h
)"""
_ALL_HELD: Final = """
    LEFT JOIN (SELECT place, count(*) AS number FROM held GROUP BY place) h ON h.place = l.place"""
_UPDATED: Final = """
updated AS (
    UPDATE workflow_instances i SET
        status = l.status, current_step = l.current_step, revision = l.base_revision + 1,
        marking = l.marking, data = COALESCE(l.data, i.data), error = l.error,
        updated_at = m.at, completed_at = CASE WHEN l.is_final THEN COALESCE(i.completed_at, m.at) END,
        phase = l.phase, parked = l.parked
    FROM locked l {all_held} CROSS JOIN moment m
    WHERE i.id = l.instance_id {if_held}
    RETURNING l.place, l.instance_id, l.base_revision + 1 AS revision, l.actor, l.events, l.transition_id
)"""
_STARTED: Final = """
started AS (
    INSERT INTO workflow_instances (
        id, tenant_id, workflow_name, workflow_version, graph_hash, status, current_step, revision,
        marking, data, metadata, error, created_by, started_at, updated_at, completed_at, start_key, start_digest,
        phase, parked
    )
    SELECT
        a.instance_id, r.tenant_id, r.workflow_name, r.workflow_version, r.graph_hash, a.status, a.current_step, 1,
        a.marking, a.data, r.metadata, a.error, r.created_by, COALESCE(r.started_at, m.at), m.at,
        CASE WHEN a.is_final THEN m.at END, r.start_key, r.start_digest, a.phase, a.parked
    FROM {starts} JOIN asked a ON a.place = r.place CROSS JOIN moment m
    -- In an order that all batches share, so that two of them never wait for each other's keys.
    ORDER BY r.tenant_id, r.workflow_name, r.start_key, r.place
    ON CONFLICT DO NOTHING
    RETURNING id
)"""
_WORK: Final = """
worked AS (
    INSERT INTO workflow_work_items AS w (
        instance_id, number, kind, step_name, scope_id, home, execution, queue, priority, due_at, revision, fence,
        attempt, worker, lease_until, turn_of, timeout_at {throttle_columns}
    )
    SELECT
        r.instance_id, r.number, r.kind, r.step_name, r.scope_id, r.home, r.execution, r.queue, r.priority,
        COALESCE(r.due_at, m.at + r.delay_s * INTERVAL '1 second'), r.revision,
        r.revision * {fences} + CASE WHEN r.worker IS NULL THEN 0 ELSE 1 END,
        CASE WHEN r.worker IS NULL THEN 0 ELSE 1 END,
        r.worker, m.at + r.lease_s * INTERVAL '1 second', r.turn_of, {timeout} {throttle}
    FROM {work} JOIN accepted ok ON ok.place = r.place CROSS JOIN moment m {kept}
    ON CONFLICT (instance_id, number) DO UPDATE SET
        kind = excluded.kind, step_name = excluded.step_name, scope_id = excluded.scope_id, home = excluded.home,
        execution = excluded.execution, queue = excluded.queue, priority = excluded.priority,
        -- What is taken was due before: its moment stays, because a change of an indexed column costs more.
        due_at = CASE WHEN excluded.worker IS NOT NULL AND w.due_at <= excluded.due_at THEN w.due_at
                 ELSE excluded.due_at END,
        revision = excluded.revision, fence = w.fence + excluded.attempt, attempt = excluded.attempt,
        worker = excluded.worker, lease_until = excluded.lease_until, crashes = 0, timeout_at = excluded.timeout_at,
        turn_of = excluded.turn_of, throttle = excluded.throttle, slot_key = excluded.slot_key, slot_limit = excluded.slot_limit,
        rate_key = excluded.rate_key, rate_limit = excluded.rate_limit, rate_s = excluded.rate_s,
        admission_key = excluded.admission_key, admission_limit = excluded.admission_limit
    RETURNING instance_id, number, fence, worker
)"""
_TIMEOUT: Final = "m.at + r.timeout_s * INTERVAL '1 second'"
# A limit that a claim has told of is over from the moment on from which the work item can be claimed again.
_KEPT_TIMEOUT: Final = (
    f"CASE WHEN k.number IS NULL THEN {_TIMEOUT} WHEN k.kind = 'expire' THEN k.due_at ELSE k.timeout_at END"
)
_KEPT: Final = """LEFT JOIN workflow_work_items k
        ON r.keeps_timeout AND k.instance_id = r.instance_id AND k.number = r.number"""
# Only for batches with such work: what is not inserted is NULL.
_THROTTLE_COLUMNS: Final = """, throttle, slot_key, slot_limit, rate_key, rate_limit, rate_s,
        admission_key, admission_limit"""
_THROTTLE: Final = """,
        CAST(r.throttle AS json) ->> 0, CAST(r.throttle AS json) ->> 1, CAST(CAST(r.throttle AS json) ->> 2 AS integer),
        CAST(r.throttle AS json) ->> 3, CAST(CAST(r.throttle AS json) ->> 4 AS integer),
        CAST(CAST(r.throttle AS json) ->> 5 AS double precision),
        CAST(r.throttle AS json) ->> 6, CAST(CAST(r.throttle AS json) ->> 7 AS integer)"""
_WORK_GONE: Final = """
work_gone AS (
    DELETE FROM workflow_work_items w USING {work_gone} JOIN accepted ok ON ok.place = r.place
    WHERE w.instance_id = r.instance_id AND w.number = r.number
)"""
_EXECUTIONS: Final = """
executed AS (
    INSERT INTO workflow_step_executions (
        instance_id, number, step_name, step_type, status, scope_id, item, visit, attempts, started_at, completed_at,
        result, error, completed_by, compensates
    )
    SELECT
        r.instance_id, r.number, r.step_name, r.step_type, r.status, r.scope_id, r.item, r.visit, r.attempts,
        r.started_at, m.at, r.result, r.error, r.completed_by, r.compensates
    FROM {executions} JOIN accepted ok ON ok.place = r.place CROSS JOIN moment m {after_gone}
)"""
_EXECUTIONS_GONE: Final = """
executed_gone AS (
    DELETE FROM workflow_step_executions e USING {executions_gone} JOIN accepted ok ON ok.place = r.place
    WHERE e.instance_id = r.instance_id AND e.number = r.number
    RETURNING 1
)"""
# What was opened again and has ended again is deleted first, and then recorded: without this the order would be any.
_AFTER_GONE: Final = "WHERE (SELECT count(*) FROM executed_gone) >= 0"
_EVENTS: Final = """
happened AS (
    INSERT INTO workflow_events (instance_id, revision, at, actor, events, transition_id)
    SELECT ok.instance_id, ok.revision, m.at, ok.actor, ok.events, ok.transition_id
    FROM accepted ok CROSS JOIN moment m
)"""
_TASKS: Final = """
opened AS (
    INSERT INTO workflow_human_tasks (
        id, instance_id, workflow_name, workflow_version, tenant_id, execution, step_name, title, status, assignee_id,
        candidates, priority, created_at, due_at, reminder_at, completed_at, completed_by, comment, opening
    )
    SELECT
        r.id, r.instance_id, r.workflow_name, r.workflow_version, r.tenant_id, r.execution, r.step_name, r.title,
        r.status, r.assignee_id, ARRAY(SELECT json_array_elements_text(CAST(r.candidates AS json))), r.priority, m.at,
        COALESCE(r.due_at, m.at + r.due_s * INTERVAL '1 second'),
        COALESCE(r.reminder_at, m.at + r.reminder_s * INTERVAL '1 second'),
        CASE WHEN r.status <> 'pending' THEN m.at END, r.completed_by, r.comment, r.opening
    FROM {tasks} JOIN accepted ok ON ok.place = r.place CROSS JOIN moment m
)"""
_TASK_CHANGES: Final = """
changed AS (
    UPDATE workflow_human_tasks t SET
        status = COALESCE(r.status, t.status), assignee_id = COALESCE(r.assignee_id, t.assignee_id),
        completed_by = COALESCE(r.completed_by, t.completed_by), comment = COALESCE(r.comment, t.comment),
        completed_at = CASE WHEN r.status <> 'pending' AND t.completed_at IS NULL THEN m.at ELSE t.completed_at END
    FROM {task_changes} JOIN accepted ok ON ok.place = r.place CROSS JOIN moment m
    WHERE t.id = r.id
)"""
_SCOPES: Final = """
scoped AS (
    INSERT INTO workflow_scopes AS s (instance_id, home, scope_id, parent_home, marking, data, result)
    SELECT r.instance_id, r.home, r.scope_id, r.parent_home, r.marking, r.data, r.result
    FROM {scopes} JOIN accepted ok ON ok.place = r.place
    ON CONFLICT (instance_id, home, scope_id) DO UPDATE SET
        marking = excluded.marking, data = COALESCE(excluded.data, s.data), result = COALESCE(excluded.result, s.result)
    WHERE excluded.scope_id = excluded.home
)"""
_DROPPED: Final = """
dropped AS (
    DELETE FROM workflow_scopes s USING {dropped} JOIN accepted ok ON ok.place = r.place
    WHERE s.instance_id = r.instance_id AND s.home BETWEEN r.first AND r.last
)"""
_RESULT: Final = """
SELECT ok.instance_id, m.at, CAST(NULL AS bigint) AS number, CAST(NULL AS bigint) AS fence
FROM accepted ok CROSS JOIN moment m"""
_RESULT_WITH_TAKEN: Final = f"""{_RESULT}
UNION ALL SELECT w.instance_id, NULL, w.number, w.fence FROM worked w WHERE w.worker IS NOT NULL"""
_WRITTEN: Final = {
    "work": _WORK,
    "work_gone": _WORK_GONE,
    "executions_gone": _EXECUTIONS_GONE,
    "executions": _EXECUTIONS,
    "tasks": _TASKS,
    "task_changes": _TASK_CHANGES,
    "scopes": _SCOPES,
    "dropped": _DROPPED,
}


def parts_of(rows: Rows, *, skip_locked: bool) -> frozenset[Part]:
    """The parts that a batch needs; batches of the same parts share a statement, which the server prepares once."""
    parts = {name for name in ROWS if getattr(rows, name)}
    if len(rows.starts) < len(rows.instances):
        parts.add("changes")
        if any(row.held_numbers for row in rows.instances):
            parts.add("held")
        if skip_locked:
            parts.add("skip_locked")
    if any(row.worker is not None for row in rows.work):
        parts.add("taken")
    if any(row.keeps_timeout for row in rows.work):
        parts.add("kept")
    if any(row.throttle is not None for row in rows.work):
        parts.add("throttled")
    return frozenset(parts)


def parameters_of(rows: Rows, parts: Iterable[Part]) -> dict[str, list[Any]]:
    """The arrays of a batch."""
    return {name: getattr(rows, name) for name in parts if name in ROWS}


@lru_cache(maxsize=256)
def commit_statement(parts: frozenset[Part]) -> TextClause:
    """The statement of a batch: gives instance and moment of what was accepted; instance, number and fence of what was taken."""
    accepted: list[str] = []
    ctes = [
        "moment AS MATERIALIZED (SELECT COALESCE(CAST(:now AS timestamptz), clock_timestamp()) AS at)",
        f"asked AS MATERIALIZED (SELECT r.* FROM {_unnest('instances')})",
    ]
    if "changes" in parts:
        ctes.append(_LOCKED.format(skip="SKIP LOCKED" if "skip_locked" in parts else ""))
        all_held = if_held = ""
        if "held" in parts:
            ctes.append(_HELD)
            all_held, if_held = _ALL_HELD, "AND COALESCE(h.number, 0) = cardinality(l.held_numbers)"
        ctes.append(_UPDATED.format(all_held=all_held, if_held=if_held))
        accepted.append("SELECT place, instance_id, revision, actor, events, transition_id FROM updated")
    if "starts" in parts:
        ctes.append(_STARTED.format(starts=_unnest("starts")))
        accepted.append(
            "SELECT a.place, a.instance_id, 1, a.actor, a.events, a.transition_id FROM started s "
            "JOIN asked a ON a.instance_id = s.id AND a.base_revision = 0"
        )
    columns = "place, instance_id, revision, actor, events, transition_id"
    ctes += [f"accepted({columns}) AS MATERIALIZED ({' UNION ALL '.join(accepted)})", _EVENTS]
    words = {"timeout": _KEPT_TIMEOUT, "kept": _KEPT} if "kept" in parts else {"timeout": _TIMEOUT, "kept": ""}
    words["fences"] = str(FENCES_OF_A_REVISION)
    words["throttle_columns"] = _THROTTLE_COLUMNS if "throttled" in parts else ""
    words["after_gone"] = _AFTER_GONE if "executions_gone" in parts else ""
    words["throttle"] = _THROTTLE if "throttled" in parts else ""
    for name, sql in _WRITTEN.items():
        if name in parts:
            rows = {name: _unnest(name)} if name in ROWS else {}
            ctes.append(sql.format(**rows, **words))
    return text(f"WITH {', '.join(ctes)}\n{_RESULT_WITH_TAKEN if 'taken' in parts else _RESULT}")


def _unnest(name: str) -> str:
    return f"unnest(CAST(:{name} AS {type_name(name)}[])) AS r"
