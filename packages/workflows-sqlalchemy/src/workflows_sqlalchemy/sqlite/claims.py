"""Claiming work on SQLite: with the write lock, so that no other claimer is about.

Work that nobody holds is found place by place (a place is a queue with a priority). What was due at once stands there in lanes, one for
each tenant, each in the order of its index; the claim visits as many tenants as have a turn, beginning behind the one that had the last. What was
to be done later is found by its moment. So neither timers that are not due nor the work of queues that the worker does not serve are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from msgspec.structs import replace
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    TextClause,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    text,
    update,
)

from workflows_core.domain.transition import WorkKind
from workflows_core.ports.store import ClaimRequest
from workflows_core.ports.turns import LastTurns, in_turn
from workflows_sqlalchemy.column_types import from_microseconds, safe_text, to_microseconds
from workflows_sqlalchemy.loading import (
    ITEM_COLUMNS,
    STATE_COLUMNS,
    WORK_COLUMNS,
    AnyRow,
    Claimed,
    claimed,
)
from workflows_sqlalchemy.sqlite.direct import Statement
from workflows_sqlalchemy.sqlite.places import AT_ONCE, FREE, LATER, places, visits
from workflows_sqlalchemy.tables import instances, scopes, work_items
from workflows_sqlalchemy.throttled_claims import Lanes, Throttled, find_due, next_throttled, wanted
from workflows_sqlalchemy.throttles import Waiting
from workflows_sqlalchemy.verdicts import among

__all__ = ["Due", "claim", "next_due"]

_LOOK_AHEAD: Final = 64
"""How much more of the work that was to be done later is looked at: it may be another tenant's turn."""
_WORK_AND_INSTANCE: Final = "workflow_work_items w JOIN workflow_instances i ON i.id = w.instance_id"
_OF_TENANT: Final = f"w.queue = n.queue AND w.priority = n.priority AND {FREE} AND w.turn_of = n.turn_of"
_FIRST_DUE: Final = (
    f"SELECT w.due_at FROM {_WORK_AND_INSTANCE} WHERE {_OF_TENANT} AND {{wanted}} ORDER BY w.due_at LIMIT 1"
)
_NEXT_TENANT: Final = f"""
SELECT w.rowid FROM workflow_work_items w
        WHERE w.queue = p.queue AND w.priority = p.priority AND {FREE} AND w.turn_of"""
# The first tenant with work that is due is the last one to be visited: nothing is due before now.
_NEXT: Final = f"""
, visits(queue, priority, tenant, due_at) AS (
    SELECT n.queue, n.priority, n.turn_of, ({_FIRST_DUE})
    FROM at_once p JOIN workflow_work_items n ON n.rowid = (
        {_NEXT_TENANT} IS NOT NULL ORDER BY w.turn_of LIMIT 1
    ) WHERE {{served}}
    UNION ALL
    SELECT n.queue, n.priority, n.turn_of, ({_FIRST_DUE})
    FROM visits p JOIN workflow_work_items n ON n.rowid = (
        {_NEXT_TENANT} > p.tenant ORDER BY w.turn_of LIMIT 1
    ) WHERE p.due_at IS NULL OR p.due_at > :now
)
SELECT min(moment), EXISTS (
    SELECT 1 FROM workflow_work_items w WHERE w.worker IS NULL AND w.due_at IS NOT NULL AND w.throttle IS NOT NULL
) OR EXISTS (
    SELECT 1 FROM workflow_work_items w WHERE w.worker IS NOT NULL AND w.throttle IS NOT NULL AND w.lease_until <= :now
) FROM (
    SELECT due_at AS moment FROM visits
    UNION ALL
    SELECT (
        SELECT w.due_at FROM {_WORK_AND_INSTANCE}
        WHERE w.queue = p.queue AND w.priority = p.priority AND {FREE} AND w.turn_of IS NULL AND {{wanted}}
        ORDER BY w.due_at LIMIT 1
    ) FROM later p WHERE {{served}}
    UNION ALL
    SELECT min(w.lease_until) FROM {_WORK_AND_INSTANCE}
    WHERE w.worker IS NOT NULL AND (w.throttle IS NULL OR w.lease_until > :now) AND {{wanted}}
    UNION ALL
    SELECT min(w.timeout_at) FROM {_WORK_AND_INSTANCE} WHERE w.timeout_at IS NOT NULL AND {{wanted}}
)"""
_OF_INSTANCE: Final = work_items.join(instances, instances.c.id == work_items.c.instance_id)
_WITH_ITEM: Final = _OF_INSTANCE.outerjoin(
    scopes,
    and_(
        work_items.c.home != 0,
        scopes.c.instance_id == work_items.c.instance_id,
        scopes.c.home == work_items.c.home,
        scopes.c.scope_id == work_items.c.home,
    ),
)
_UPDATE: Final = (
    update(work_items)
    .where(work_items.c.instance_id == bindparam("of_instance"), work_items.c.number == bindparam("of_number"))
    .values(
        worker=bindparam("by"),
        lease_until=bindparam("until"),
        fence=work_items.c.fence + 1,
        attempt=work_items.c.attempt + 1,
        crashes=work_items.c.crashes + case((work_items.c.worker.is_not(None), 1), else_=0),
    )
)
_IN_ORDER: Final = work_items.c.due_at, work_items.c.instance_id, work_items.c.number
_NAMES: Final = "of_instance", "of_number", "by", "until"
_TAKE: Final = Statement(_UPDATE, _NAMES)
_EXPIRE: Final = Statement(
    _UPDATE.values(kind=WorkKind.EXPIRE.value, due_at=work_items.c.timeout_at, timeout_at=None), _NAMES
)


class _Candidate(NamedTuple):
    """A work item that can be claimed; sorted, those of one tenant are in the order of claims."""

    urgency: int
    due_at: datetime
    instance_id: UUID
    number: int
    tenant: str


class Due(NamedTuple):
    """When work can be claimed.

    Attributes:
        at: When; None for never.
        has_throttled: Whether there is work that may have to wait.
    """

    at: datetime | None
    has_throttled: bool


def claim(
    connection: Connection, request: ClaimRequest, last: LastTurns, now: datetime, throttled: Throttled | None
) -> list[Claimed]:
    """Claim work.

    Args:
        connection: In a transaction that has the write lock.
        request: What is wanted.
        last: Which tenants had the last turns.
        now: The present moment.
        throttled: Finds and counts work that may have to wait; None for none.
    """

    def first(candidates: Iterable[_Candidate]) -> list[_Candidate]:
        if request.items is not None:
            return sorted(candidates)[: request.limit]
        return in_turn(candidates, lambda one: one[:4], lambda one: one.tenant, last)[: request.limit]

    candidates = _due(connection, request, last, now) if request.items is None else _asked_for(connection, request, now)
    if throttled is not None:
        candidates += _throttled(connection, request, now, throttled, candidates, first)
    refs = [(candidate.instance_id, candidate.number) for candidate in first(candidates)]
    if not refs:
        return []
    columns = *WORK_COLUMNS, *STATE_COLUMNS, *ITEM_COLUMNS, work_items.c.worker
    query = select(*columns).select_from(_WITH_ITEM).where(*among(refs))
    taken_refs = frozenset(refs)
    rows = [row for row in connection.execute(query) if (row.id, row.number) in taken_refs]
    taken = safe_text(request.worker), now + timedelta(seconds=request.lease_s)
    for statement, expires in ((_TAKE, False), (_EXPIRE, True)):
        chosen = [(row.id, row.number, *taken) for row in rows if _expires(row, now) is expires]
        if chosen:
            statement.execute(connection, chosen)
    return [_claimed(row, now) for row in rows]


def _throttled(
    connection: Connection,
    request: ClaimRequest,
    now: datetime,
    throttled: Throttled,
    others: list[_Candidate],
    first: Callable[[Iterable[_Candidate]], list[_Candidate]],
) -> list[_Candidate]:
    """Work that need not wait, and is among the first of all that is due; counts it to its rates."""
    found = throttled.lanes.find(connection, request, now)
    throttled.lanes.go_on()
    chosen = find_due(connection, request, found, request.limit, now)
    among_all = set(first([*others, *map(_candidate_of, chosen.taken)])).difference(others)
    if len(among_all) < len(chosen.taken):
        chosen = find_due(connection, request, found, len(among_all), now)
    throttled.usage.count(connection, chosen, now)
    return [_candidate_of(one) for one in chosen.taken]


def _candidate_of(waiting: Waiting) -> _Candidate:
    return _Candidate(*waiting[:4], waiting.tenant)


def _expires(row: AnyRow, now: datetime) -> bool:
    return row.timeout_at is not None and row.timeout_at <= now


def _claimed(row: AnyRow, now: datetime) -> Claimed:
    found = claimed(
        row,
        now,
        fence=row.fence + 1,
        attempt=row.attempt + 1,
        crashes=row.crashes + (row.worker is not None),
    )
    if not _expires(row, now):
        return found
    expired = replace(found.claim, item=replace(found.claim.item, kind=WorkKind.EXPIRE, timeout_s=None))
    return found._replace(claim=expired, due_at=row.timeout_at)


def next_due(
    connection: Connection,
    queues: frozenset[str] | None,
    codes: frozenset[str] | None,
    without: frozenset[str],
    now: datetime,
    lanes: Lanes,
) -> Due:
    """When work can be claimed; the lanes are left where a claim finds it."""
    selection = {"queues": queues, "codes": codes, "without": without or None}
    values = {name: [safe_text(item) for item in items] for name, items in selection.items() if items is not None}
    statement = _next_statement(queues=queues is not None, codes=codes is not None, without=bool(without))
    microseconds, has_throttled = connection.execute(statement, {**values, "now": to_microseconds(now)}).one()
    moment = None if microseconds is None else from_microseconds(microseconds)
    if not has_throttled:
        return Due(moment, has_throttled=False)
    request = ClaimRequest(worker="", limit=1, lease_s=0, queues=queues, codes=codes, without=without)
    moments = (moment, next_throttled(connection, request, now, lanes))
    return Due(min((found for found in moments if found is not None), default=None), has_throttled=True)


def _asked_for(connection: Connection, request: ClaimRequest, now: datetime) -> list[_Candidate]:
    free = or_(work_items.c.worker.is_(None), work_items.c.lease_until <= now)
    due = and_(free, work_items.c.due_at <= now, work_items.c.throttle.is_(None))
    ready = or_(due, work_items.c.timeout_at <= now)
    refs = frozenset(request.items or ())
    moment = case((work_items.c.timeout_at <= now, work_items.c.timeout_at), else_=work_items.c.due_at)
    conditions = *among(refs), ready, *wanted(replace(request, items=None))
    found = _candidates(connection, moment, *conditions)
    return [candidate for candidate in found if (candidate.instance_id, candidate.number) in refs]


def _due(connection: Connection, request: ClaimRequest, last: LastTurns, now: datetime) -> list[_Candidate]:
    conditions = wanted(request)
    in_time = or_(work_items.c.timeout_at.is_(None), work_items.c.timeout_at > now)
    lapsed = [
        work_items.c.worker.is_not(None),
        work_items.c.throttle.is_(None),
        work_items.c.lease_until <= now,
        in_time,
    ]
    limit = request.limit
    found = _first_turns(connection, work_items.c.due_at, last, *lapsed, *conditions, limit=limit)
    over = [work_items.c.timeout_at.is_not(None), work_items.c.timeout_at <= now]
    found += _first_turns(connection, work_items.c.timeout_at, last, *over, *conditions, limit=limit)
    fresh = 0
    last_priority: int | None = None
    for queue, priority, is_later in places(connection, now):
        if request.queues is not None and queue not in request.queues:
            continue
        if fresh >= limit and priority != last_priority:
            break
        last_priority = priority
        place = [work_items.c.queue == queue, work_items.c.priority == priority, work_items.c.worker.is_(None)]
        place += [work_items.c.throttle.is_(None), work_items.c.due_at <= now, in_time, *conditions]
        if is_later:
            later = work_items.c.turn_of.is_(None)
            due = _candidates(connection, work_items.c.due_at, later, *place, limit=limit + _LOOK_AHEAD)
        else:
            due = _of_lanes(connection, visits(connection, queue, priority, last.get(priority, "")), place, limit)
        fresh += len(due)
        found += due
    return found


def _of_lanes(
    connection: Connection, tenants: Iterable[str], place: Sequence[ColumnElement[bool]], limit: int
) -> list[_Candidate]:
    """The first of each of these tenants, as many as may have a turn."""
    # Made once, because making it takes longer than running it.
    lane = work_items.c.turn_of == bindparam("tenant")
    query = _candidate_query(work_items.c.due_at, lane, *place).order_by(*_IN_ORDER).limit(bindparam("most"))
    found: list[_Candidate] = []
    before = 0
    for tenant in tenants:
        # Of those before it each has a turn first.
        rows = connection.execute(query, {"tenant": tenant, "most": limit - before})
        due = [_Candidate(*row) for row in rows]
        found += due
        before += bool(due)
        if before == limit:
            break
    return found


def _first_turns(
    connection: Connection,
    moment: ColumnElement[datetime],
    last: LastTurns,
    *conditions: ColumnElement[bool],
    limit: int,
) -> list[_Candidate]:
    """The first, in the order of turns, of the work items that fulfil the conditions; those count as due at ``moment``."""
    tenant, priority = instances.c.tenant_id, work_items.c.priority
    turn = func.row_number().over(
        partition_by=(priority, tenant), order_by=(moment, work_items.c.instance_id, work_items.c.number)
    )
    had_one: ColumnElement[bool] = tenant <= ""
    if last:
        had_one = case(*((priority == urgency, tenant <= name) for urgency, name in last.items()), else_=had_one)
    query = _candidate_query(moment, *conditions).order_by(priority.desc(), turn, had_one, tenant).limit(limit)
    return [_Candidate(*row) for row in connection.execute(query)]


def _candidates(
    connection: Connection, moment: ColumnElement[datetime], *conditions: ColumnElement[bool], limit: int | None = None
) -> list[_Candidate]:
    """The first of the work items that fulfil the conditions; those count as due at ``moment``."""
    query = _candidate_query(moment, *conditions).order_by(
        work_items.c.priority.desc(), moment, work_items.c.instance_id, work_items.c.number
    )
    return [_Candidate(*row) for row in connection.execute(query.limit(limit))]


def _candidate_query(moment: ColumnElement[datetime], *conditions: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    columns = -work_items.c.priority, moment, work_items.c.instance_id, work_items.c.number, instances.c.tenant_id
    return select(*columns).select_from(_OF_INSTANCE).where(*conditions)


@lru_cache
def _next_statement(*, queues: bool, codes: bool, without: bool) -> TextClause:
    served = "{}.queue IN :queues" if queues else "true"
    conditions = ["i.status IN ('pending', 'running', 'waiting')", served.format("w")]
    if codes:
        conditions.append("i.workflow_name || '@' || i.workflow_version IN :codes")
    if without:
        conditions.append("i.workflow_name || '@' || i.workflow_version || '/' || w.step_name NOT IN :without")
    lists = [name for name, is_given in (("queues", queues), ("codes", codes), ("without", without)) if is_given]
    sql = _NEXT.format(served=served.format("p"), wanted=" AND ".join(conditions))
    return text(f"WITH RECURSIVE {AT_ONCE},{LATER}{sql}").bindparams(
        *(bindparam(name, expanding=True) for name in lists)
    )
