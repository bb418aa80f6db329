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
    "InUse",
    "Keys",
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
        admission_key: The slot that its instance needs.
        admission_limit: How many instances may have that slot.
    """

    throttle: str | None = None
    slot_key: str | None = None
    slot_limit: int | None = None
    rate_key: str | None = None
    rate_limit: int | None = None
    rate_s: float | None = None
    admission_key: str | None = None
    admission_limit: int | None = None


_ORDINARY: Final = Throttle()


class Waiting(NamedTuple):
    """A work item that is due; sorted, they are in the order of claims."""

    urgency: int
    due_at: datetime
    instance_id: UUID
    number: int
    throttle: Throttle
    tenant: str


class Chosen(NamedTuple):
    """What can be taken.

    Attributes:
        taken: The work items.
        expected: When the next of each rate would then come if they came evenly.
        entered: The instances that then have a slot of their own, with its key.
        free_at: When the first of those that cannot be taken can be, if nothing ends before.
    """

    taken: list[Waiting]
    expected: dict[str, datetime]
    entered: list[tuple[str, UUID]]
    free_at: datetime | None


def encode_throttle(item: WorkItem) -> str | None:
    """The columns of a work item, in one text; None for one that need not wait."""
    if not item.is_throttled:
        return None
    slot, rate, admission = item.slot, item.rate, item.admission
    slot_key, rate_key, admission_key = (
        "" if limit is None else safe_text(limit.key) for limit in (slot, rate, admission)
    )
    columns = Throttle(
        _SEPARATOR.join((slot_key, rate_key, admission_key, safe_text(item.queue), str(item.priority))),
        None if slot is None else slot_key,
        None if slot is None else slot.limit,
        None if rate is None else rate_key,
        None if rate is None else rate.limit,
        None if rate is None else rate.per_s,
        None if admission is None else admission_key,
        None if admission is None else admission.limit,
    )
    return _json(columns).decode()


def read_throttle(text: str | None) -> Throttle:
    """Read what `encode_throttle` wrote."""
    return _ORDINARY if text is None else Throttle(*msgspec.json.decode(text))


def limits_of(row: Any) -> tuple[Slot | None, Rate | None, Slot | None]:
    """Slot, rate and admission of a row that has the columns of `Throttle`."""
    slot = None if row.slot_key is None else Slot(row.slot_key, row.slot_limit)
    rate = None if row.rate_key is None else Rate(row.rate_key, row.rate_limit, row.rate_s)
    admission = None if row.admission_key is None else Slot(row.admission_key, row.admission_limit)
    return slot, rate, admission


class Keys(NamedTuple):
    """What lanes need, sorted."""

    slots: list[str]
    rates: list[str]
    admissions: list[str]


def keys_of(lanes: Iterable[str]) -> Keys:
    """What these lanes need."""
    parts = [lane.split(_SEPARATOR)[:3] for lane in lanes]
    return Keys(*(sorted({keys[place] for keys in parts if keys[place]}) for place in range(3)))


class InUse(NamedTuple):
    """What is in use at one moment.

    Attributes:
        leases: When the leases end that are the slots in use, by slot.
        expected: When the next of each rate would come if they came evenly.
        admitted: The instances that have a slot of their own, by slot.
    """

    leases: Mapping[str, list[datetime]]
    expected: Mapping[str, datetime]
    admitted: Mapping[str, set[UUID]]


def choose(waiting: Iterable[Waiting], limit: int, now: datetime, in_use: InUse) -> Chosen:
    """Choose what can be taken, the most urgent first.

    Args:
        waiting: What is due.
        limit: Most of them.
        now: The present moment.
        in_use: What is in use now.
    """
    choice = _Choice(now, in_use)
    for one in sorted(waiting):
        if len(choice.taken) == limit:
            break
        choice.look_at(one)
    return Chosen(choice.taken, choice.expected, choice.entered, choice.free_at)


class _Choice:
    """What was chosen so far."""

    def __init__(self, now: datetime, in_use: InUse) -> None:
        self.taken: list[Waiting] = []
        self.expected: dict[str, datetime] = {}
        self.entered: list[tuple[str, UUID]] = []
        self.free_at: datetime | None = None
        self._now = now
        self._in_use = in_use
        self._used = Counter({key: len(ends) for key, ends in in_use.leases.items()})
        self._admitted = {key: set(instances) for key, instances in in_use.admitted.items()}

    def look_at(self, one: Waiting) -> None:
        """Take a work item, or say until when it has to wait."""
        throttle = one.throttle
        admitted = self._admitted.setdefault(throttle.admission_key or "", set())
        enters = throttle.admission_key is not None and one.instance_id not in admitted
        if enters and len(admitted) >= (throttle.admission_limit or 0):
            return  # until some instance is over
        free, expected = max(self._slot_free_at(throttle), self._now), self._now
        if throttle.rate_key is not None:
            whole = timedelta(seconds=throttle.rate_s or 0.0)
            expected = max(self._expected(throttle.rate_key), self._now) + whole / (throttle.rate_limit or 1)
            free = max(free, expected - whole)
        if free > self._now:
            self.free_at = free if self.free_at is None else min(self.free_at, free)
            return
        self.taken.append(one)
        if throttle.slot_key is not None:
            self._used[throttle.slot_key] += 1
        if throttle.rate_key is not None:
            self.expected[throttle.rate_key] = expected
        if enters:
            admitted.add(one.instance_id)
            self.entered.append((throttle.admission_key or "", one.instance_id))

    def _slot_free_at(self, throttle: Throttle) -> datetime:
        if throttle.slot_key is None or self._used[throttle.slot_key] < (throttle.slot_limit or 0):
            return self._now
        # Slots that were given a moment ago end later than all that were in use before.
        return min(self._in_use.leases.get(throttle.slot_key, ()), default=_LATER)

    def _expected(self, rate: str) -> datetime:
        return self.expected.get(rate) or self._in_use.expected.get(rate, self._now)
