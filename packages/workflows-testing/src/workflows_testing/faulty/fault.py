"""What a fault is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workflows_core.adapters.memory import InMemoryWorkflowQueries, InMemoryWorkflowStore, MemoryState
from workflows_core.ports.clock import Clock
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import WorkflowStore, Write, WriteResult
from workflows_testing.clock import ManualClock

__all__ = ["ChangesWrites", "Fault", "with_clock", "with_queries", "with_store"]


@dataclass(frozen=True)
class Fault:
    """One mistake.

    Attributes:
        name: What the adapter does wrong.
        areas: Groups of rules of which it is meant to break some.
        build: Makes the fixtures that the rules ask for, by name; a store tells the time of this clock.
        crashes: Whether the mistake is an error that the adapter raises itself.
    """

    name: str
    areas: tuple[type, ...]
    build: Callable[[ManualClock], Mapping[str, Any]]
    crashes: bool = False

    def __str__(self) -> str:
        return self.name


def with_store(store: Callable[[MemoryState], WorkflowStore], name: str, *areas: type, crashes: bool = False) -> Fault:
    """A fault of the write side."""

    def build(clock: ManualClock) -> Mapping[str, Any]:
        memory = MemoryState(clock)
        return _fixtures(clock, store(memory), InMemoryWorkflowQueries(memory))

    return Fault(name, areas, build, crashes)


def with_queries(
    queries: Callable[[MemoryState], WorkflowQueries], name: str, *areas: type, crashes: bool = False
) -> Fault:
    """A fault of the read side."""

    def build(clock: ManualClock) -> Mapping[str, Any]:
        memory = MemoryState(clock)
        return _fixtures(clock, InMemoryWorkflowStore(memory), queries(memory))

    return Fault(name, areas, build, crashes)


def with_clock(broken: Callable[[Clock], Clock], name: str, *areas: type) -> Fault:
    """A fault of the store's clock."""

    def build(clock: ManualClock) -> Mapping[str, Any]:
        memory = MemoryState(broken(clock))
        return _fixtures(clock, InMemoryWorkflowStore(memory), InMemoryWorkflowQueries(memory))

    return Fault(name, areas, build)


def _fixtures(clock: Clock, store: WorkflowStore, queries: WorkflowQueries) -> Mapping[str, Any]:
    return {"clock": clock, "store": store, "peer": store, "queries": queries}


class ChangesWrites(InMemoryWorkflowStore):
    """Commits something else than it was given."""

    __slots__ = ("_change",)

    def __init__(self, memory: MemoryState, change: Callable[[MemoryState, Write], Write]) -> None:
        """Wire it.

        Args:
            memory: What it keeps.
            change: Makes what is committed instead.
        """
        super().__init__(memory)
        self._change = change

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        results: list[WriteResult] = []
        for write in writes:
            results += await super().commit([self._change(self.memory, write)])
        return results
