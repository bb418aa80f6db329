"""Work that may have to wait although it is due: which of it can be taken, the same for every database.

It is found lane by lane. All work of a lane needs the same slot, counts to the same rate, and has the same queue and priority; the name of a
lane says which, so that lanes that share a slot stand beside each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from workflows_core.domain.transition import Rate, Slot, WorkItem
from workflows_sqlalchemy.column_types import safe_text

__all__ = [
    "LANES_AT_ONCE",
    "Chosen",
    "Throttle",
    "Waiting",
    "choose",
    "encode_throttle",
    "keys_of",
    "limits_of",
    "read_throttle",
]

LANES_AT_ONCE: Final = 64
"""How many lanes one claim looks into; the next one goes on behind them."""

_LATER: Final = datetime(9999, 12, 31, tzinfo=UTC)

_SEPARATOR: Final = "\x1e"
_json: Final = msgspec.json.Encoder().encode


class Throttle(NamedTuple):
    """The columns of a work item that may have to wait; all are NULL for other work.

    Attributes:
        throttle: Its lane.
        slot_key: The slot that it needs.
        slot_limit: How many may be held with that slot.
        rate_key: The rate that it counts to.
        rate_limit: How many may be taken in that time.
        rate_s: Seconds of that time.
    """

    throttle: str | None = None
    slot_key: str | None = None
    slot_limit: int | None = None
    rate_key: str | None = None
    rate_limit: int | None = None
    rate_s: float | None = None


_ORDINARY: Final = Throttle()


class Waiting(NamedTuple):
    """A work item that is due; sorted, they are in the order of claims."""

    urgency: int
    due_at: datetime
    instance_id: UUID
    number: int
    throttle: Throttle


class Chosen(NamedTuple):
    """What can be taken.

    Attributes:
        taken: The work items.
        expected: When the next of each rate would then come if they came evenly.
        free_at: When the first of those that cannot be taken can be, if nothing ends before.
    """

    taken: list[Waiting]
    expected: dict[str, datetime]
    free_at: datetime | None


def encode_throttle(item: WorkItem) -> str | None:
    """The columns of a work item, in one text; None for one that need not wait."""
    slot, rate = item.slot, item.rate
    if slot is None and rate is None:
        return None
    slot_key, rate_key = "" if slot is None else safe_text(slot.key), "" if rate is None else safe_text(rate.key)
    columns = Throttle(
        _SEPARATOR.join((slot_key, rate_key, safe_text(item.queue), str(item.priority))),
        None if slot is None else slot_key,
        None if slot is None else slot.limit,
        None if rate is None else rate_key,
        None if rate is None else rate.limit,
        None if rate is None else rate.per_s,
    )
    return _json(columns).decode()


def read_throttle(text: str | None) -> Throttle:
    """Read what `encode_throttle` wrote."""
    return _ORDINARY if text is None else Throttle(*msgspec.json.decode(text))


def limits_of(row: Any) -> tuple[Slot | None, Rate | None]:
    """Slot and rate of a row that has the columns of `Throttle`."""
    slot = None if row.slot_key is None else Slot(row.slot_key, row.slot_limit)
    rate = None if row.rate_key is None else Rate(row.rate_key, row.rate_limit, row.rate_s)
    return slot, rate


def keys_of(lanes: Iterable[str]) -> tuple[list[str], list[str]]:
    """The slots and the rates of lanes, sorted."""
    parts = [lane.split(_SEPARATOR) for lane in lanes]
    return sorted({slot for slot, *_ in parts if slot}), sorted({rate for _, rate, *_ in parts if rate})


def choose(
    waiting: Iterable[Waiting],
    limit: int,
    now: datetime,
    *,
    leases: Mapping[str, list[datetime]],
    expected: Mapping[str, datetime],
) -> Chosen:
    """Choose what can be taken, the most urgent first.

    Args:
        waiting: What is due.
        limit: Most of them.
        now: The present moment.
        leases: When the leases end that are the slots in use, by slot.
        expected: When the next of each rate would come if they came evenly.
    """
    taken: list[Waiting] = []
    used = Counter({key: len(ends) for key, ends in leases.items()})
    counted: dict[str, datetime] = {}
    free_at: datetime | None = None
    for one in sorted(waiting):
        if len(taken) == limit:
            break
        throttle, free = one.throttle, now
        if throttle.slot_key is not None and used[throttle.slot_key] >= (throttle.slot_limit or 0):
            # Slots that were given a moment ago end later than all that were in use before.
            free = min(leases.get(throttle.slot_key, ()), default=_LATER)
        due, interval = now, timedelta()
        if throttle.rate_key is not None:
            whole = timedelta(seconds=throttle.rate_s or 0.0)
            interval = whole / (throttle.rate_limit or 1)
            due = max(counted.get(throttle.rate_key) or expected.get(throttle.rate_key, now), now)
            free = max(free, due + interval - whole)
        if free > now:
            free_at = free if free_at is None else min(free_at, free)
            continue
        taken.append(one)
        if throttle.slot_key is not None:
            used[throttle.slot_key] += 1
        if throttle.rate_key is not None:
            counted[throttle.rate_key] = due + interval
    return Chosen(taken, counted, free_at)
