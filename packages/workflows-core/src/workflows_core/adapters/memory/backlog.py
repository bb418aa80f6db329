"""Which work items are due, and who holds which: found without looking at all of them.

What nobody holds is in the lane of its queue and workflow version; what is held is with its worker; work of an instance that is paused
or over, and work that is never due, is in neither place. The lane also watches the limits of work items, whoever holds them.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator
from datetime import datetime

from workflows_core.adapters.memory.lanes import Entry, Lane
from workflows_core.adapters.memory.rows import NOT_QUEUED, WorkRow
from workflows_core.adapters.memory.times import LAST_MOMENT, moment_after
from workflows_core.ports.store import step_key

__all__ = ["Backlog", "Selection"]


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

    __slots__ = ("_holders", "_lanes", "_last_ticket")

    def __init__(self) -> None:
        self._lanes: dict[tuple[str, str], Lane] = {}
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
            self._lane(row).watch(row, row.limit, self._next_ticket())

    def _next_ticket(self) -> int:
        self._last_ticket += 1
        return self._last_ticket

    def _lane(self, row: WorkRow) -> Lane:
        key = (row.item.queue, row.instance.code)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane()
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
            self._lane(row).unwatch(row)

    def follow(self, row: WorkRow, now: datetime) -> None:
        """Take a work item out of reach if its instance is paused or over, and back if it goes on; its holder keeps it."""
        if not row.is_held(now):
            self.withdraw(row)
            self.enqueue(row, now)
            return
        self.unqueue(row)
        self._watch(row)

    def take_due(self, selection: Selection, now: datetime, limit: int) -> list[WorkRow]:
        """Take due work items out of their lanes, in the order of claims."""
        self._expire(now)
        if not selection.without:
            return list(itertools.islice(self._due(selection, now), max(limit, 0)))
        due = list(self._due(selection, now))
        found = [row for row in due if selection.can_run(row)][: max(limit, 0)]
        for row in set(due).difference(found):
            self.enqueue(row, now)
        return found

    def _due(self, selection: Selection, now: datetime) -> Iterator[WorkRow]:
        heads: list[tuple[Entry, Lane]] = []
        empty: list[tuple[str, str]] = []
        for key, lane in self._lanes.items():
            if selection.has(*key):
                first = lane.first(now)
                if first is not None:
                    heads.append((first, lane))
                elif lane.is_empty:
                    empty.append(key)
        for key in empty:
            del self._lanes[key]
        heapq.heapify(heads)
        while heads:
            lane = heads[0][1]
            yield lane.take_first()
            following = lane.first(now)
            if following is None:
                heapq.heappop(heads)
            else:
                heapq.heapreplace(heads, (following, lane))

    def is_claimable(self, row: WorkRow, selection: Selection, now: datetime) -> bool:
        """Whether a work item is wanted, and is due and held by nobody, or its time is over."""
        instance = row.instance
        if not instance.is_open or not selection.has(row.item.queue, instance.code) or not selection.can_run(row):
            return False
        return row.is_over(now) or (row.due is not None and row.due <= now and not row.is_held(now))

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
        for (queue, code), lane in self._lanes.items():
            if selection.has(queue, code):
                due = lane.next_due(now, None if not selection.without else selection.can_run)
                if due is not None:
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
