"""Everything in the memory of one process: the store for tests, scripts and trials.

Values are immutable, so the store keeps and hands out references: nothing is encoded and nothing copied. Reading order: `rows` and
`state` (what is kept), `items` (the scopes of ``ForEach`` items), `lanes`, `line` and `backlog` (which work is due, whose turn it is, which is
held), `writing` (one transition), `store`, `queries`.
"""

from __future__ import annotations

from workflows_core.adapters.memory.queries import InMemoryWorkflowQueries
from workflows_core.adapters.memory.state import MemoryState
from workflows_core.adapters.memory.store import InMemoryLeaseKeeper, InMemoryWorkflowStore

__all__ = ["InMemoryLeaseKeeper", "InMemoryWorkflowQueries", "InMemoryWorkflowStore", "MemoryState"]
