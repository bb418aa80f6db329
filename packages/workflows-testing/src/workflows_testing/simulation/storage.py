"""Where the instances of a simulation live."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from workflows_core.adapters.memory import InMemoryWorkflowQueries, InMemoryWorkflowStore, MemoryState
from workflows_core.ports.clock import Clock
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import WorkflowStore

__all__ = ["MakeStorage", "Storage", "in_memory"]


@dataclass(frozen=True, slots=True)
class Storage:
    """The two sides of one store.

    Attributes:
        store: The write side.
        queries: The read side.
    """

    store: WorkflowStore
    queries: WorkflowQueries


MakeStorage: TypeAlias = Callable[[Clock], Storage]
"""Makes a new, empty store that tells the time of a clock. It must not do any real input or output."""


def in_memory(clock: Clock) -> Storage:
    """The memory store."""
    memory = MemoryState(clock)
    return Storage(InMemoryWorkflowStore(memory), InMemoryWorkflowQueries(memory))
