"""Faults of queries for work that nobody takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from workflows_core.adapters.memory import InMemoryWorkflowQueries
from workflows_core.ports.queries import UnservedWork
from workflows_testing.conformance.queries_unserved import UnservedRules
from workflows_testing.faulty.fault import Fault, with_queries

__all__ = ["FAULTS"]


class FindsDueWork(InMemoryWorkflowQueries):
    """Does not ask how long the work has been due."""

    async def find_unserved(self, *, overdue_s: float, limit: int = 100) -> Sequence[UnservedWork]:
        return await super().find_unserved(overdue_s=0.0, limit=limit)


class FindsHeldWork(InMemoryWorkflowQueries):
    """Finds nothing but takes a lease for neglect."""

    async def find_unserved(self, *, overdue_s: float, limit: int = 100) -> Sequence[UnservedWork]:
        for row in self._memory.instances.values():
            for work in row.work.values():
                work.worker = None
        return await super().find_unserved(overdue_s=overdue_s, limit=limit)


class ForgetsTheDead(InMemoryWorkflowQueries):
    """Does not look at what was held once."""

    async def find_unserved(self, *, overdue_s: float, limit: int = 100) -> Sequence[UnservedWork]:
        found = await super().find_unserved(overdue_s=overdue_s, limit=limit)
        return [one for one in found if one.work.attempt == 0]


class FindsLastFirst(InMemoryWorkflowQueries):
    async def find_unserved(self, *, overdue_s: float, limit: int = 100) -> Sequence[UnservedWork]:
        return (await super().find_unserved(overdue_s=overdue_s, limit=limit))[::-1]


class FindsAll(InMemoryWorkflowQueries):
    async def find_unserved(self, *, overdue_s: float, limit: int = 100) -> Sequence[UnservedWork]:
        return await super().find_unserved(overdue_s=overdue_s)


class FindsWhatWaits(InMemoryWorkflowQueries):
    """Does not see that work waits for a slot."""

    async def find_unserved(self, *, overdue_s: float, limit: int = 100) -> Sequence[UnservedWork]:
        for row in self._memory.instances.values():
            for work in row.work.values():
                work.item = replace(work.item, slot=None, rate=None)
        return await super().find_unserved(overdue_s=overdue_s, limit=limit)


FAULTS: Final[tuple[Fault, ...]] = tuple(
    with_queries(build, name, UnservedRules)
    for build, name in (
        (FindsDueWork, "takes due work for unserved"),
        (FindsHeldWork, "takes held work for unserved"),
        (ForgetsTheDead, "overlooks the work of dead workers"),
        (FindsWhatWaits, "takes work that waits for a slot for unserved"),
        (FindsLastFirst, "lists unserved work last first"),
        (FindsAll, "lists more unserved work than asked for"),
    )
)
