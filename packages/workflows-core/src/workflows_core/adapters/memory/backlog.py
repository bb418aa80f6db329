"""Which work items are due, and who holds which: found without looking at all of them.

What nobody holds is in the lane of its queue, workflow version and limits; what is held is with its worker; work of an instance that is paused
or over, and work that is never due, is in neither place. The lane of the queue and workflow version also watches the time limits of
work items, whoever holds them. All of a lane that has limits need the same slot and count to the same rate, so a lane whose first must wait
is left out; in the others tenants take turns.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias

from workflows_core.adapters.memory.lanes import Lane, Ready
from workflows_core.adapters.memory.line import Line
from workflows_core.adapters.memory.rows import NOT_QUEUED, WorkRow
from workflows_core.adapters.memory.throttles import Admissions, Rates, SlotsInUse
from workflows_core.adapters.memory.times import LAST_MOMENT, moment_after
from workflows_core.ports.store import step_key
from workflows_core.ports.turns import LastTurns

__all__ = ["Backlog", "Selection"]


_LaneKey: TypeAlias = tuple[str, str, str | None, str | None, str | None, int]
"""Queue, code, the keys of slot, rate and admission; and the instance, if that needs a slot and has it, else 0."""


class Selection:
    """Which work is wanted: that in the lanes of these queues and codes (None for all), without these steps."""

    __slots__ = ("codes", "queues", "without")

    def __init__(
        self, queues: frozenset[str] | None, codes: frozenset[str] | None, without: frozenset[str] = frozenset()
    ) -> None:
        self.queues = queues
        self.codes = codes
        self.without = without

    def has(self, queue: str, code: str) -> bool:
        """Whether a lane is wanted."""
        return (self.queues is None or queue in self.queues) and (self.codes is None or code in self.codes)

    def can_run(self, row: WorkRow) -> bool:
        """Whether the step of a work item is not among those that are left out."""
        if not self.without:
            return True
        state = row.instance.state
        return step_key(state.workflow, state.version, row.item.step) not in self.without


class _Holder:
    """What one worker holds; no lease of it ends before ``earliest``."""

    __slots__ = ("earliest", "rows")

    def __init__(self) -> None:
        self.earliest = LAST_MOMENT
        self.rows: set[WorkRow] = set()


class Backlog:
    """All work items of a store."""

    __slots__ = ("_admissions", "_holders", "_lanes", "_last_ticket", "_rates")

    def __init__(self) -> None:
        self._lanes: dict[_LaneKey, Lane] = {}
        self._rates = Rates()
        self._admissions = Admissions()
        self._holders: dict[str, _Holder] = {}
        self._last_ticket = NOT_QUEUED

    def enqueue(self, row: WorkRow, now: datetime) -> None:
        """Let a work item wait for a worker, from its due moment on."""
        if row.due is not None and row.instance.is_open:
            self._lane(row).add(row, row.due, now, self._next_ticket())
        if row.limit is not None:
            self._watch(row)

    def _watch(self, row: WorkRow) -> None:
        """Let a work item that has a limit be claimed when its time is over, held or not."""
        if row.limit is not None and row.limit_ticket == NOT_QUEUED and row.instance.is_open:
            self._lane(row, throttled=False).watch(row, row.limit, self._next_ticket())

    def _next_ticket(self) -> int:
        self._last_ticket += 1
        return self._last_ticket

    def _lane(self, row: WorkRow, *, throttled: bool = True) -> Lane:
        item = row.item
        key: _LaneKey = (item.queue, row.instance.code, None, None, None, 0)
        if throttled and item.is_throttled:
            slot, rate, admission = (
                None if limit is None else limit.key for limit in (item.slot, item.rate, item.admission)
            )
            instance = row.instance.state.id.int if self._admissions.has(row) else 0
            key = (item.queue, row.instance.code, slot, rate, admission, instance)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(by_tenant=key[2:5] == (None, None, None))
        return lane

    def hold(self, row: WorkRow, worker: str, now: datetime, lease_s: float) -> None:
        """Give a work item that is not in a lane to a worker, with the next fence."""
        until = moment_after(now, lease_s)
        if row.worker is not None:
            self._let_go(row)
            row.crashes += 1
        holder = self._holders.get(worker)
        if holder is None:
            holder = self._holders[worker] = _Holder()
        holder.rows.add(row)
        row.worker = worker
        row.fence += 1
        row.attempt += 1
        row.lease_until = until
        holder.earliest = min(holder.earliest, until)
        if row.limit is not None:
            self._watch(row)

    def hold_on(self, row: WorkRow, now: datetime, lease_s: float) -> None:
        """Let a worker go on with a work item that it holds, written anew, with the next fence."""
        until = moment_after(now, lease_s)
        if row.worker is not None and row.lease_until is not None and until < row.lease_until:
            self._holders[row.worker].earliest = min(self._holders[row.worker].earliest, until)
        row.fence += 1
        row.attempt = 1
        row.lease_until = until
        if row.limit is not None:
            self._watch(row)

    def withdraw(self, row: WorkRow) -> None:
        """Take a work item from its lane and from its worker."""
        self.unqueue(row)
        self._let_go(row)

    def _let_go(self, row: WorkRow) -> None:
        row.lease_until = None
        holder = self._holders.get(row.worker) if row.worker is not None else None
        if holder is not None:
            holder.rows.discard(row)

    def unqueue(self, row: WorkRow) -> None:
        """Take a work item from its lane, which then does not watch its limit either."""
        if row.ticket != NOT_QUEUED:
            self._lane(row).remove(row)
        if row.limit_ticket != NOT_QUEUED:
            self._lane(row, throttled=False).unwatch(row)

    def follow(self, row: WorkRow, now: datetime) -> None:
        """Take a work item out of reach if its instance is paused or over, and back if it goes on; its holder keeps it."""
        if not row.is_held(now):
            self.withdraw(row)
            self.enqueue(row, now)
            return
        self.unqueue(row)
        self._watch(row)

    def take_due(self, selection: Selection, now: datetime, limit: int, last: LastTurns) -> list[WorkRow]:
        """Take due work items that need not wait for a slot or for their rate out of their lanes, in the order of claims.

        Args:
            selection: Which are wanted.
            now: The present moment.
            limit: Most of them.
            last: Which tenants had the last turns.
        """
        self._expire(now)
        line, slots = self._line(selection, now, last), self._slots(now)
        found: list[WorkRow] = []
        left: list[WorkRow] = []
        while len(found) < limit and (first := line.pop()) is not None:
            entry, ready = first
            *_, ticket, row = entry
            is_wanted = selection.can_run(row)
            if row.ticket != ticket:
                pass  # its time is over: it is in another lane now
            elif is_wanted and self._waits_until(row, slots, now) is not None:
                continue  # what is behind it waits for the same
            else:
                ready.take_first()
                (found if is_wanted else left).append(row)
                if is_wanted:
                    line.give(entry)
                    self._count(row, slots, now)
            following = ready.first(now)
            if following is not None:
                line.add(following, ready)
        for row in left:
            self.enqueue(row, now)
        return found

    def take_those(self, rows: Iterable[WorkRow], now: datetime, limit: int) -> list[WorkRow]:
        """Take the first of these work items, which can be claimed, out of their lanes; those that have to wait are left out."""
        slots = self._slots(now)
        taken: list[WorkRow] = []
        for row in rows:
            if len(taken) < limit and self._waits_until(row, slots, now) is None:
                self.withdraw(row)
                self._count(row, slots, now)
                taken.append(row)
        return taken

    def _line(self, selection: Selection, now: datetime, last: LastTurns) -> Line[Ready]:
        """The first ones of each lane; empty lanes are forgotten."""
        line = Line[Ready](last)
        for key, lane in list(self._lanes.items()):
            if selection.has(*key[:2]):
                firsts = lane.firsts(now)
                for entry, ready in firsts:
                    line.add(entry, ready)
                if not firsts and lane.is_empty:
                    del self._lanes[key]
        return line

    def _slots(self, now: datetime) -> SlotsInUse:
        return SlotsInUse((row for holder in self._holders.values() for row in holder.rows), now)

    def _count(self, row: WorkRow, slots: SlotsInUse, now: datetime) -> None:
        """Count a work item that is being taken, unless its time is over: then its code does not run."""
        if row.item.is_throttled and not row.is_over(now):
            slots.take(row)
            self._rates.take(row.item.rate, now)
            if row.item.admission is not None and not self._admissions.has(row):
                self._admit(row, now)

    def _admit(self, row: WorkRow, now: datetime) -> None:
        """Give the instance of a work item its slot: its other work is no longer behind that of others."""
        others = [work for work in row.instance.work.values() if work.ticket != NOT_QUEUED and work is not row]
        for work in others:
            self.unqueue(work)
        self._admissions.take(row)
        for work in others:
            self.enqueue(work, now)

    def _waits_until(self, row: WorkRow, slots: SlotsInUse, now: datetime) -> datetime | None:
        """Until when a due work item has to wait at most, by what is known now; None if it need not wait."""
        if not row.item.is_throttled or row.is_over(now):
            return None
        found = (slots.free_at(row), self._rates.allowed_at(row.item.rate))
        if not self._admissions.may_enter(row):
            return LAST_MOMENT
        latest = max((moment for moment in found if moment is not None), default=now)
        return latest if latest > now else None

    def is_claimable(self, row: WorkRow, selection: Selection, now: datetime) -> bool:
        """Whether a work item is wanted, and is due and held by nobody, or its time is over."""
        instance = row.instance
        if not instance.is_open or not selection.has(row.item.queue, instance.code) or not selection.can_run(row):
            return False
        return row.is_over(now) or (row.due is not None and row.due <= now and not row.is_held(now))

    def has_to_wait(self, row: WorkRow, now: datetime) -> bool:
        """Whether a work item waits for a slot or for its rate."""
        return row.item.is_throttled and self._waits_until(row, self._slots(now), now) is not None

    def renew(self, worker: str, now: datetime, lease_s: float) -> list[WorkRow]:
        """Extend what a worker holds; gives it."""
        self._expire(now)
        holder = self._holders.get(worker)
        if holder is None:
            return []
        until = moment_after(now, lease_s)
        for row in holder.rows:
            row.lease_until = until
        holder.earliest = until
        return list(holder.rows)

    def next_due(self, selection: Selection, now: datetime) -> datetime | None:
        """When a work item can be claimed next; None without any."""
        self._expire(now)
        return min(self._moments(selection, now), default=None)

    def _moments(self, selection: Selection, now: datetime) -> Iterable[datetime]:
        slots = self._slots(now)
        for (queue, code, *_), lane in self._lanes.items():
            if selection.has(queue, code):
                due = lane.next_due(now, None if not selection.without else selection.can_run)
                firsts = lane.firsts(now)
                if due is not None and firsts:
                    # What has limits stands in one row; what has none waits for nothing.
                    due = self._waits_until(firsts[0][0][-1], slots, now) or due
                if due is not None and due != LAST_MOMENT:
                    yield due
        for holder in self._holders.values():
            for row in holder.rows:
                instance = row.instance
                if (
                    row.lease_until is not None
                    and instance.is_open
                    and selection.has(row.item.queue, instance.code)
                    and selection.can_run(row)
                ):
                    yield row.lease_until

    def _expire(self, now: datetime) -> None:
        """Let wait again what is held by leases that have ended. Their fence stays the newest until the next claim."""
        over = [worker for worker, holder in self._holders.items() if holder.earliest <= now]
        for worker in over:
            holder = self._holders[worker]
            ended = [row for row in holder.rows if row.lease_until is None or row.lease_until <= now]
            holder.rows.difference_update(ended)
            for row in ended:
                row.lease_until = None
                if row.ticket == NOT_QUEUED:
                    self.enqueue(row, now)
            if holder.rows:
                holder.earliest = min(row.lease_until or now for row in holder.rows)
            else:
                del self._holders[worker]
