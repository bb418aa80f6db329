"""A lane: the work items of one queue and one workflow version that nobody holds.

It has a heap of what will be due, by time, and a `Ready` of what is due for each tenant, or for all together. An entry is left where it is
when its work item is taken out, and skipped later; a lane that is mostly such entries is swept. Another heap has the work items whose time
is limited, held or not: when it is over they are due, for whoever comes first.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final, TypeAlias

from workflows_core.adapters.memory.rows import NOT_QUEUED, WorkRow

__all__ = ["Entry", "Lane", "Ready"]

Entry: TypeAlias = tuple[int, datetime, int, int, int, WorkRow]
"""Order of claims: urgency (lower first), due time, instance, number; then the ticket, which is unique, and the work item."""

_Later: TypeAlias = tuple[datetime, int, WorkRow]

_FEW: Final = 64


class Ready:
    """Work items that are due, in the order of claims."""

    __slots__ = ("_entries", "_lane")

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        """Put in a work item."""
        heapq.heappush(self._entries, entry)

    def first(self, now: datetime) -> Entry | None:
        """The work item to be claimed first; None if none is due."""
        self._lane.come_due(now)
        while self._entries and self._entries[0][-1].ticket != self._entries[0][-2]:
            heapq.heappop(self._entries)
            self._lane.forget()
        return self._entries[0] if self._entries else None

    def take_first(self) -> WorkRow:
        """Take out the work item that `first` gave."""
        row = heapq.heappop(self._entries)[-1]
        row.ticket = NOT_QUEUED
        return row

    def sweep(self) -> None:
        """Leave out what was taken out elsewhere."""
        self._entries = [entry for entry in self._entries if entry[-1].ticket == entry[-2]]
        heapq.heapify(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


class Lane:
    """Work items waiting for a worker.

    Args:
        by_tenant: Whether tenants take turns; else all of them stand in one row.
    """

    __slots__ = ("_by_tenant", "_later", "_limits", "_ready", "_stale", "_stale_limits")

    def __init__(self, *, by_tenant: bool) -> None:
        self._by_tenant = by_tenant
        self._ready: dict[str, Ready] = {}
        self._later: list[_Later] = []
        self._limits: list[_Later] = []
        self._stale = 0
        self._stale_limits = 0

    def add(self, row: WorkRow, due: datetime, now: datetime, ticket: int) -> None:
        """Put in a work item under a ticket that was never given before."""
        row.ticket = ticket
        if due <= now:
            self._make_ready(row, due, ticket)
        else:
            heapq.heappush(self._later, (due, ticket, row))

    def remove(self, row: WorkRow) -> None:
        """Take out a work item."""
        row.ticket = NOT_QUEUED
        self._stale += 1
        if self._stale > _FEW and self._stale > (sum(map(len, self._ready.values())) + len(self._later)) // 2:
            self._sweep()

    def forget(self) -> None:
        """Count one less of what was taken out and is still here."""
        self._stale -= 1

    def watch(self, row: WorkRow, limit: datetime, ticket: int) -> None:
        """Make a work item due when its time is over, under a ticket that was never given before."""
        row.limit_ticket = ticket
        heapq.heappush(self._limits, (limit, ticket, row))

    def unwatch(self, row: WorkRow) -> None:
        """Do not look at the limit of a work item any more."""
        row.limit_ticket = NOT_QUEUED
        self._stale_limits += 1
        if self._stale_limits > _FEW and self._stale_limits > len(self._limits) // 2:
            self._limits = [entry for entry in self._limits if entry[-1].limit_ticket == entry[-2]]
            heapq.heapify(self._limits)
            self._stale_limits = 0

    def firsts(self, now: datetime) -> list[tuple[Entry, Ready]]:
        """Of each tenant, or of all together, the work item to be claimed first, with what it comes from."""
        self.come_due(now)
        found: list[tuple[Entry, Ready]] = []
        for tenant, ready in list(self._ready.items()):
            first = ready.first(now)
            if first is not None:
                found.append((first, ready))
            else:
                del self._ready[tenant]
        return found

    def next_due(self, now: datetime, wanted: Callable[[WorkRow], bool] | None = None) -> datetime | None:
        """When the next work item (that is wanted) is due; None without any."""
        if wanted is not None:
            ready = ((entry[1], *entry[-2:]) for ready in self._ready.values() for entry in ready)
            due = [due for due, ticket, row in (*ready, *self._later) if row.ticket == ticket and wanted(row)]
            due += [limit for limit, ticket, row in self._limits if row.limit_ticket == ticket and wanted(row)]
            return min(due, default=None)
        firsts = self.firsts(now)
        if firsts:
            return min(entry[1] for entry, _ in firsts)
        later, limits = self._later, self._limits
        while later and later[0][-1].ticket != later[0][-2]:
            heapq.heappop(later)
            self._stale -= 1
        while limits and limits[0][-1].limit_ticket != limits[0][-2]:
            heapq.heappop(limits)
            self._stale_limits -= 1
        return min((heap[0][0] for heap in (later, limits) if heap), default=None)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in it, not even what was taken out."""
        return not self._ready and not self._later and not self._limits

    def come_due(self, now: datetime) -> None:
        """Make ready what is due by now, and that whose time is over."""
        self._expire(now)
        later = self._later
        while later and later[0][0] <= now:
            due, ticket, row = heapq.heappop(later)
            if row.ticket == ticket:
                self._make_ready(row, due, ticket)
            else:
                self._stale -= 1

    def _expire(self, now: datetime) -> None:
        limits = self._limits
        while limits and limits[0][0] <= now:
            limit, ticket, row = heapq.heappop(limits)
            if row.limit_ticket == ticket:
                self._stale += row.ticket != NOT_QUEUED
                row.ticket, row.limit_ticket = ticket, NOT_QUEUED
                self._make_ready(row, limit, ticket)
            else:
                self._stale_limits -= 1

    def _make_ready(self, row: WorkRow, due: datetime, ticket: int) -> None:
        item, state = row.item, row.instance.state
        tenant = state.tenant if self._by_tenant else ""
        ready = self._ready.get(tenant)
        if ready is None:
            ready = self._ready[tenant] = Ready(self)
        ready.add((-item.priority, due, state.id.int, item.number, ticket, row))

    def _sweep(self) -> None:
        for ready in self._ready.values():
            ready.sweep()
        self._later = [entry for entry in self._later if entry[-1].ticket == entry[-2]]
        heapq.heapify(self._later)
        self._stale = 0
