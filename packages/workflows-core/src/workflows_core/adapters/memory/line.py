"""Who is next: of the first work items of all lanes, tenant by tenant."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import Generic, TypeAlias, TypeVar

from workflows_core.adapters.memory.lanes import Entry
from workflows_core.ports.turns import LastTurns

__all__ = ["Line"]

S = TypeVar("S")

_Place: TypeAlias = tuple[int, int, bool, str]
"""Of a tenant: urgency of its first work item, how many of that urgency it was given, whether it comes after the others, its name."""


class Line(Generic[S]):
    """Work items in the order of claims; each comes from a source that may have another one behind it.

    Args:
        last: Who had the last turn.
    """

    __slots__ = ("_firsts", "_given", "_last", "_places")

    def __init__(self, last: LastTurns) -> None:
        self._last = last
        self._given: Counter[tuple[int, str]] = Counter()
        self._firsts: dict[str, list[tuple[Entry, S]]] = {}
        self._places: list[_Place] = []

    def add(self, entry: Entry, source: S) -> None:
        """Put in the first of a source."""
        tenant = entry[-1].instance.state.tenant
        firsts = self._firsts.setdefault(tenant, [])
        heapq.heappush(firsts, (entry, source))
        if firsts[0][0] is entry:
            heapq.heappush(self._places, self._place(tenant))

    def pop(self) -> tuple[Entry, S] | None:
        """Take out what is next; None if there is nothing."""
        while self._places:
            place = heapq.heappop(self._places)
            tenant = place[-1]
            if not self._firsts[tenant]:
                continue
            if place == self._place(tenant):
                first = heapq.heappop(self._firsts[tenant])
                if self._firsts[tenant]:
                    heapq.heappush(self._places, self._place(tenant))
                return first
            heapq.heappush(self._places, self._place(tenant))  # it was given something since then
        return None

    def give(self, entry: Entry) -> None:
        """Count what was taken out as a turn of its tenant."""
        self._given[entry[0], entry[-1].instance.state.tenant] += 1

    def _place(self, tenant: str) -> _Place:
        urgency = self._firsts[tenant][0][0][0]
        return urgency, self._given[urgency, tenant], tenant <= self._last.get(-urgency, ""), tenant
