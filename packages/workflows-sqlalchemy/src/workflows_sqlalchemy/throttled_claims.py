"""Looking for work that may have to wait although it is due, on every database; `workflows_sqlalchemy.throttles` chooses among it.

Who takes what was found has locked its slots and rates before looking, so that nobody else takes it or counts meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    func,
    or_,
    select,
    text,
    tuple_,
    union_all,
)

from workflows_core.domain.types import WorkflowStatus
from workflows_core.ports.store import ClaimRequest
from workflows_sqlalchemy.column_types import safe_text
from workflows_sqlalchemy.tables import instances, rates, slots, work_items
from workflows_sqlalchemy.throttle_usage import FINAL, IS_OVER, ThrottleUsage
from workflows_sqlalchemy.throttles import LANES_AT_ONCE, Chosen, InUse, Throttle, Waiting, choose, keys_of

__all__ = ["Lanes", "Throttled", "find_due", "has_to_wait", "next_throttled", "wanted"]

_NEXT_LANE: Final = """SELECT min(w.throttle) FROM workflow_work_items w
    WHERE w.worker IS NULL AND w.due_at IS NOT NULL AND w.throttle IS NOT NULL AND w.throttle > """
_LANES: Final = text(f"""
WITH RECURSIVE lanes(throttle) AS (
    {_NEXT_LANE} :after
    UNION ALL
    SELECT ({_NEXT_LANE} l.throttle) FROM lanes l WHERE l.throttle IS NOT NULL
)
SELECT throttle FROM lanes WHERE throttle IS NOT NULL LIMIT :most""")
_LOOKS: Final = 8
"""How often somebody who wants to know what is due next looks for lanes at once."""

_OPEN: Final = (WorkflowStatus.PENDING.value, WorkflowStatus.RUNNING.value, WorkflowStatus.WAITING.value)
_CODE: Final = instances.c.workflow_name + "@" + instances.c.workflow_version
_WORK: Final = work_items.c
_COLUMNS: Final = (
    _WORK.priority,
    _WORK.due_at,
    _WORK.instance_id,
    _WORK.number,
    *(_WORK[name] for name in Throttle._fields),
    instances.c.tenant_id,
)
_IS_FREE: Final = and_(_WORK.worker.is_(None), _WORK.due_at.is_not(None), _WORK.throttle.is_not(None))
_IS_HELD: Final = and_(_WORK.worker.is_not(None), _WORK.throttle.is_not(None))


class Lanes:
    """Finds lanes, some at a time; one look goes on where another one stopped, so that no lane is left out for ever."""

    __slots__ = ("_after", "_last")

    def __init__(self) -> None:
        self._after = self._last = ""

    @property
    def is_at_start(self) -> bool:
        """Whether the first lanes come next."""
        return not self._after

    def find(self, connection: Connection, request: ClaimRequest, now: datetime) -> list[str]:
        """The lanes to look into now, and those in which a lease has ended; all of what is asked for by name."""
        if request.items is not None:
            query = _of_work(_WORK.throttle).where(_WORK.throttle.is_not(None), *wanted(request)).distinct()
            return list(connection.scalars(query))
        found = list(connection.scalars(_LANES, {"after": self._after, "most": LANES_AT_ONCE}))
        if self._after and not found:
            self._after = ""
            found = list(connection.scalars(_LANES, {"after": "", "most": LANES_AT_ONCE}))
        self._last = found[-1] if len(found) == LANES_AT_ONCE else ""
        lapsed = select(_WORK.throttle).where(_IS_HELD, _WORK.lease_until <= now).distinct().limit(LANES_AT_ONCE)
        return list(dict.fromkeys([*found, *connection.scalars(lapsed)]))

    def go_on(self) -> None:
        """Find those behind the ones that were found last, at the next look."""
        self._after = self._last


class Throttled(NamedTuple):
    """What a process keeps of work that may have to wait.

    Attributes:
        lanes: Finds it.
        usage: Counts what is taken.
    """

    lanes: Lanes
    usage: ThrottleUsage


def wanted(request: ClaimRequest) -> list[ColumnElement[bool]]:
    """Which work of an instance somebody wants: of the join of work items and instances."""
    conditions: list[ColumnElement[bool]] = [instances.c.status.in_(_OPEN)]
    if request.queues is not None:
        conditions.append(_WORK.queue.in_([safe_text(queue) for queue in request.queues]))
    if request.codes is not None:
        conditions.append(_CODE.in_([safe_text(code) for code in request.codes]))
    if request.without:
        conditions.append((_CODE + "/" + _WORK.step_name).not_in([safe_text(step) for step in request.without]))
    if request.items is not None:
        refs = [(_identity(ref.instance_id), ref.number) for ref in request.items]
        conditions.append(tuple_(_WORK.instance_id, _WORK.number).in_(refs))
    return conditions


def find_due(connection: Connection, request: ClaimRequest, lanes: Sequence[str], limit: int, now: datetime) -> Chosen:
    """What can be taken of these lanes, at most ``limit``."""
    in_time = or_(_WORK.timeout_at.is_(None), _WORK.timeout_at > now)
    waiting = _first_of(connection, request, lanes, limit, now, _WORK.due_at <= now, in_time)
    return _choose(connection, waiting, lanes, limit, now)


def next_throttled(connection: Connection, request: ClaimRequest, now: datetime, lanes: Lanes) -> datetime | None:
    """When the first of this work can be taken, if nothing ends before, as far as was looked; None without any."""
    moments: list[datetime] = []
    for _ in range(_LOOKS):
        found = lanes.find(connection, request, now)
        first = _first_of(connection, request, found, 1, now)
        moments += [one.due_at for one in first if one.due_at > now]
        due = [one for one in first if one.due_at <= now]
        chosen = _choose(connection, due, found, len(due), now)
        if chosen.taken:
            return now
        if chosen.free_at is not None:
            moments.append(chosen.free_at)
        lanes.go_on()
        if lanes.is_at_start:
            break
    return min(moments, default=None)


def has_to_wait(now: datetime) -> ColumnElement[bool]:
    """Whether work waits for a slot, or counts to a rate that was used of late."""
    other, other_instance = work_items.alias(), instances.alias()
    over = other_instance.c.status.in_(FINAL)
    used = select(func.count()).where(
        other.c.worker.is_not(None),
        other.c.throttle.is_not(None),
        other.c.slot_key == _WORK.slot_key,
        other.c.lease_until > now,
    )
    none_free = and_(_WORK.slot_key.is_not(None), used.scalar_subquery() >= _WORK.slot_limit)
    recent = select(rates.c.key).where(rates.c.key == _WORK.rate_key, rates.c.expected_at > now)
    live = select(func.count()).where(
        slots.c.key == _WORK.admission_key, slots.c.instance_id == other_instance.c.id, ~over
    )
    own = select(slots.c.key).where(slots.c.key == _WORK.admission_key, slots.c.instance_id == _WORK.instance_id)
    waits = and_(_WORK.admission_key.is_not(None), ~own.exists(), live.scalar_subquery() >= _WORK.admission_limit)
    return and_(_WORK.throttle.is_not(None), or_(none_free, recent.exists(), waits))


def _first_of(
    connection: Connection,
    request: ClaimRequest,
    lanes: Sequence[str],
    limit: int,
    now: datetime,
    *conditions: ColumnElement[bool],
) -> list[Waiting]:
    """The first of each lane, and those whose lease has ended."""
    if not lanes:
        return []
    chosen = wanted(request)
    order = (_WORK.due_at, _WORK.instance_id, _WORK.number)
    parts = [
        _of_work(*_COLUMNS).where(_IS_FREE, _WORK.throttle == lane, *conditions, *chosen).order_by(*order).limit(limit)
        for lane in lanes
    ]
    lapsed = _of_work(*_COLUMNS).where(
        _IS_HELD, _WORK.lease_until <= now, _WORK.throttle.in_(lanes), *conditions, *chosen
    )
    parts.append(lapsed.order_by(*order).limit(limit))
    if keys := keys_of(lanes).admissions:
        # What an instance has to do that is under way stands behind nobody.
        own = _WORK.instance_id.in_(select(slots.c.instance_id).where(slots.c.key.in_(keys)))
        under_way = _of_work(*_COLUMNS).where(_IS_FREE, own, _WORK.throttle.in_(lanes), *conditions, *chosen)
        parts.append(under_way.order_by(*order).limit(limit))
    query = union_all(*(select(part.subquery()) for part in parts))
    found = {
        Waiting(-priority, due_at, _identity(instance_id), number, Throttle(*throttle), tenant)
        for priority, due_at, instance_id, number, *throttle, tenant in connection.execute(query)
    }
    return list(found)


def _choose(
    connection: Connection, waiting: Sequence[Waiting], lanes: Sequence[str], limit: int, now: datetime
) -> Chosen:
    leases: dict[str, list[datetime]] = {}
    expected: dict[str, datetime] = {}
    admitted: dict[str, set[UUID]] = {}
    keys = keys_of(lanes)
    if waiting and keys.slots:
        held = select(_WORK.slot_key, _WORK.lease_until).where(
            _IS_HELD, _WORK.slot_key.in_(keys.slots), _WORK.lease_until > now
        )
        for key, until in connection.execute(held):
            leases.setdefault(key, []).append(until)
    if waiting and keys.rates:
        known = select(rates.c.key, rates.c.expected_at).where(rates.c.key.in_(keys.rates))
        expected.update((key, moment) for key, moment in connection.execute(known))
    if waiting and keys.admissions:
        for key, instance_id in connection.execute(_admitted(keys.admissions)):
            admitted.setdefault(key, set()).add(_identity(instance_id))
    return choose(waiting, limit, now, InUse(leases, expected, admitted))


def _admitted(keys: Sequence[str]) -> Select[*tuple[Any, ...]]:
    """The instances that have these slots and are not over."""
    live = slots.join(instances, instances.c.id == slots.c.instance_id)
    return select(slots.c.key, slots.c.instance_id).select_from(live).where(slots.c.key.in_(keys), ~IS_OVER)


def _of_work(*columns: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    return select(*columns).select_from(work_items.join(instances, instances.c.id == _WORK.instance_id))


def _identity(found: UUID) -> UUID:
    """A plain identity, whatever the driver's is."""
    return UUID(int=found.int)
